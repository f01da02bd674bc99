"""Templates with slots → inline text: the one way in which a report's sentences get formulas.

In: a sentence with slots {0}, {1}, … and derived expressions. Out: `Inlines` of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sympy import Basic

from derive.theorems.claims import Line, Relation
from derive.theorems.sentences import sentences
from derive.typeset.boxes import Operator, Row, row
from derive.typeset.layout import Layout, Notation
from reports.document.model import Inline, Inlines, Math, Reference, Words

Slot = object
_PART: Final = re.compile(r"\{(\d+)\}|\*([^*]+)\*|`([^`]+)`")


def _unnumbered(name: str) -> int:
    raise ValueError(f"theorem {name!r}: expected a document that numbers it, came none")


class Speaker:
    """Says sentences in one cell's notation; `number` gives a theorem's number by its name."""

    def __init__(
        self, layout: Layout, number: Callable[[str], int] = _unnumbered, language: str = "en"
    ) -> None:
        self.layout, self.number, self.language = layout, number, language

    def __call__(self, template: str, *slots: Slot) -> Inlines:
        """The sentence; *…* is emphasis, `…` code, a whole number a link to an equation."""
        return tuple(self._parts(template, slots))

    def line(self, *lines: Line) -> Inlines:
        """A sentence of a theorem, or several, one after the other."""
        plain = Speaker(Layout(Notation(self.layout.notation.latex)))
        said = sentences(self.language)
        last, other, between = (
            said.texts[key] for key in ("words.and", "words.comma", "words.between")
        )
        found = []
        for line in lines:
            slots = (
                listed([plain("{0}", part) for part in slot], last, other)
                if isinstance(slot, tuple) else slot for slot in line.slots
            )  # fmt: skip
            found.append(plain(said.template(line.key, self.number), *slots))
        return listed(found, between, between)

    def title(self, theorem: str) -> str:
        """What a theorem is called, by its name."""
        return sentences(self.language).texts[f"{theorem}.title"]

    def formula(self, slot: Slot) -> Math:
        """An expression or a relation as a formula in the line."""
        if isinstance(slot, Relation):
            left, right = self.layout.of(slot.left), self.layout.of(slot.right)
            return Math(Row((left, Operator(slot.sign), right)))
        if isinstance(slot, Basic):
            return Math(self.layout.of(slot))
        return Math(row(slot))  # type: ignore[arg-type]

    def _parts(self, template: str, slots: Sequence[Slot]) -> Iterator[Inline]:
        end = 0
        for found in _PART.finditer(template):
            if found.start() > end:
                yield Words(template[end : found.start()])
            end = found.end()
            place, emphasis, code = found.groups()
            if emphasis or code:
                yield Words(emphasis or code, "emphasis" if emphasis else "code")
            else:
                yield from self._slot(slots[int(place)])
        if end < len(template):
            yield Words(template[end:])

    def _slot(self, slot: Slot) -> Iterator[Inline]:
        if isinstance(slot, (Words, Math, Reference)):
            yield slot
        elif isinstance(slot, tuple):
            for part in slot:
                yield from self._slot(part)
        elif isinstance(slot, int):
            yield Reference(f"eq-{slot}", str(slot))
        elif isinstance(slot, str):
            yield Words(slot)
        else:
            yield self.formula(slot)


def listed(parts: Sequence[Inlines], last: str = " and ", other: str = ", ") -> Inlines:
    """The parts as an enumeration: a, b and c."""
    found: list[Inline] = []
    for place, part in enumerate(parts):
        if place:
            found.append(Words(last if place == len(parts) - 1 else other))
        found.extend(part)
    return tuple(found)
