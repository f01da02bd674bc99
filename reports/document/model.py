"""The document model: what a report consists of, before TeX or HTML prints it.

In: presentation boxes and plain words. Out: frozen values that both writers walk, so that the
two formats say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from derive.typeset.boxes import Box


@dataclass(frozen=True)
class Words:
    """Running text; `style` is "", "emphasis" or "code"."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Math:
    """A formula in the line."""

    box: Box


@dataclass(frozen=True)
class Reference:
    """A link to an anchor of the document: "eq-12", "figure-1"."""

    anchor: str
    text: str


Inline = Words | Math | Reference
Inlines = tuple[Inline, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `lead` is printed before it in emphasis."""

    content: Inlines
    lead: str = ""


@dataclass(frozen=True)
class EquationRow:
    """`left sign right`, with its number, why it holds, and the space it lives in.

    A row that stands for several equations has the numbers from `number` to `last`.
    """

    left: Box
    right: Box
    number: int | None = None
    note: Inlines = ()
    space: Box | None = None
    sign: str = "="
    last: int | None = None

    @property
    def numbers(self) -> range:
        """The numbers of its equations."""
        first = self.number or 0
        return range(first, max(first, self.last or 0) + 1) if first else range(0)

    @property
    def shown(self) -> str:
        """Its number as it is printed, or the ends of its run."""
        many = self.last is not None and self.last != self.number
        return f"({self.number}–{self.last})" if many else f"({self.number})"


@dataclass(frozen=True)
class Equations:
    """Equations aligned at the relation sign."""

    rows: tuple[EquationRow, ...]

    def __post_init__(self) -> None:
        """Refuse an empty group.

        Raises:
            ValueError: if there is no row.
        """
        if not self.rows:
            raise ValueError("a group of equations needs at least one")


@dataclass(frozen=True)
class Bullets:
    """Items of equal rank; numbered if they are steps."""

    items: tuple[Inlines, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Callout:
    """A framed box with a title."""

    title: str
    content: tuple[Paragraph | Bullets, ...]


@dataclass(frozen=True)
class Theorem:
    """A named claim, and its proof in numbered steps."""

    name: str
    number: int
    claim: tuple[Paragraph | Equations | Bullets, ...]
    proof: tuple[Inlines, ...]


@dataclass(frozen=True)
class Table:
    """A table; `align` holds l, c or r for each column."""

    number: int
    caption: Inlines
    head: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    align: str

    def __post_init__(self) -> None:
        """Refuse rows of unequal length.

        Raises:
            ValueError: if a row has not one cell for each column.
        """
        if any(len(row) != len(self.align) for row in (self.head, *self.rows)):
            raise ValueError(f"each row needs {len(self.align)} cells")


@dataclass(frozen=True)
class Figure:
    """A picture by the stem of its file; its caption's first sentence says its message."""

    number: int
    stem: str
    caption: Inlines
    description: str


@dataclass(frozen=True)
class Listing:
    """Code, as it is."""

    code: str


@dataclass(frozen=True)
class Beside:
    """Titled code side by side where there is room, else one below the other."""

    parts: tuple[tuple[Inlines, Listing], ...]


Block = Paragraph | Equations | Bullets | Callout | Theorem | Table | Figure | Listing | Beside


@dataclass(frozen=True)
class Section:
    """A numbered section; a `small` one is an appendix, in smaller type where pages are paper."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    small: bool = False


@dataclass(frozen=True)
class Document:
    """A report: its title, and its sections in order."""

    name: str
    title: str
    subtitle: str
    author: str
    keywords: tuple[str, ...]
    sections: tuple[Section, ...]
    language: str = "en"
    compact: bool = False


def counted(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The sections, their tables and figures numbered in the order in which they stand."""
    numbers = {Table: 0, Figure: 0}

    def numbered(block: Block) -> Block:
        if isinstance(block, (Table, Figure)):
            numbers[type(block)] += 1
            return replace(block, number=numbers[type(block)])
        return block

    return tuple(replace(part, blocks=tuple(map(numbered, part.blocks))) for part in sections)
