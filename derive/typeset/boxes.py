"""The presentation tree: what a formula looks like, before any language prints it.

In: nothing of mathematics. Out: frozen boxes that `layout` builds from expressions and
`typeset` prints as plain text, LaTeX or MathML; their estimated widths and their line breaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

GREEK: Final = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
ACCENTS: Final = ("tilde", "hat", "bar", "dot", "carry")
RELATIONS: Final = frozenset("=≤≥<>→∈≔≈↦")
INFIX: Final = frozenset("+−⊙×·") | RELATIONS


@dataclass(frozen=True)
class Symbol:
    """A letter, a Greek letter by name, or a word: one letter slants, a word stands upright."""

    name: str


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    text: str


@dataclass(frozen=True)
class Operator:
    """A sign between or before its neighbours, by its Unicode character."""

    sign: str


@dataclass(frozen=True)
class Row:
    """Boxes side by side."""

    items: tuple[Box, ...]


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, + or −; the sign of the first is shown only if it is −."""

    terms: tuple[tuple[str, Box], ...]


@dataclass(frozen=True)
class Script:
    """A base with a subscript, a superscript, or both."""

    base: Box
    sub: Box | None = None
    sup: Box | None = None


@dataclass(frozen=True)
class Accent:
    """A mark over a box; `carry` is the arrow of what comes from the next step."""

    kind: str
    base: Box


@dataclass(frozen=True)
class Fraction:
    """One box over another."""

    top: Box
    bottom: Box


@dataclass(frozen=True)
class Root:
    """The square root of a box, under its sign."""

    body: Box


@dataclass(frozen=True)
class Fenced:
    """A box between two delimiters."""

    body: Box
    opening: str = "("
    closing: str = ")"


@dataclass(frozen=True)
class Delimiter:
    """One delimiter whose partner stands elsewhere, after a line was broken between them."""

    sign: str
    tall: bool
    closing: bool = False


@dataclass(frozen=True)
class Large:
    """∑ or ∏ with its limits; what it acts on follows it in the row."""

    sign: str
    lower: Box
    upper: Box | None = None


@dataclass(frozen=True)
class Grid:
    """Boxes in rows and columns between square brackets."""

    rows: tuple[tuple[Box, ...], ...]


@dataclass(frozen=True)
class Marked:
    """A cotangent: printed in the accent colour."""

    body: Box


Box = (
    Symbol | Number | Operator | Row | Sum | Script | Accent | Fraction | Root | Fenced
    | Delimiter | Large | Grid | Marked
)  # fmt: skip

PRIME: Final = Operator("′")
TRANSPOSED: Final = Operator("⊤")


def row(*items: Box | str) -> Box:
    """Boxes side by side; a string is an operator if it is a sign, else a symbol or number."""
    made = tuple(box(item) for item in items)
    return made[0] if len(made) == 1 else Row(made)


def box(item: Box | str) -> Box:
    """A box from its short spelling."""
    if not isinstance(item, str):
        return item
    if item[0].isdigit():
        return Number(item)
    return Symbol(item) if item.isalnum() and item not in INFIX else Operator(item)


def sub(base: Box | str, *below: Box | str) -> Box:
    """A base with a subscript; a second one joins the first after a comma."""
    made, index = box(base), row(*below)
    if isinstance(made, Marked):
        return Marked(sub(made.body, index))
    if isinstance(made, Script):
        joined = index if made.sub is None else Row((made.sub, Operator(","), index))
        return replace(made, sub=joined)
    return Script(made, sub=index)


def sup(base: Box | str, *above: Box | str) -> Box:
    """A base with a superscript, beside the subscript it may have."""
    made = box(base)
    if isinstance(made, Marked) and not isinstance(made.body, Fraction):
        return Marked(sup(made.body, *above))
    if isinstance(made, Script) and made.sup is None:
        return replace(made, sup=row(*above))
    if isinstance(made, (Script, Fraction, Root, Row, Sum, Marked)):
        made = Fenced(made)
    return Script(made, sup=row(*above))


def accent(kind: str, base: Box) -> Box:
    """The mark over the letter, not over its subscripts."""
    if isinstance(base, Script):
        return replace(base, base=accent(kind, base.base))
    return Accent(kind, base)


def tall(item: Box) -> bool:
    """Whether delimiters around the box must grow."""
    match item:
        case Fraction() | Large() | Grid():
            return True
        case Row(items):
            return any(map(tall, items))
        case Sum(terms):
            return any(tall(term) for _, term in terms)
        case Script(base) | Accent(_, base) | Marked(base) | Fenced(base) | Root(base):
            return tall(base)
    return False


def width(item: Box) -> float:
    """The estimated width in em of the box in display style."""
    match item:
        case Symbol(name):
            return 0.62 if len(name) == 1 or name in GREEK else 0.5 * len(name) + 0.15
        case Number(text):
            return 0.5 * len(text)
        case Operator(sign):
            return 1.45 if sign in INFIX else 0.45
        case Row(items):
            return sum(map(width, items))
        case Sum(terms):
            return sum(width(term) + 1.45 for _, term in terms) - 1.45 * (terms[0][0] == "+")
        case Script(base, below, above):
            return width(base) + 0.72 * max(
                (width(part) - 0.8 * _signs(part) for part in (below, above) if part), default=0
            )
        case Accent(_, base) | Marked(base):
            return width(base)
        case Root(body):
            return width(body) + 0.9
        case Fraction(top, bottom):
            return max(width(top), width(bottom)) + 0.25
        case Fenced(body, opening, closing):
            return width(body) + (0.45 + 0.25 * tall(body)) * (bool(opening) + bool(closing))
        case Delimiter(_, grown):
            return 0.7 if grown else 0.45
        case Large(_, lower, upper):
            return max(1.45, 0.7 * width(lower) - 0.8, 0.7 * width(upper) if upper else 0) + 0.2
        case Grid(rows):
            columns = zip(*rows, strict=True)
            return sum(max(map(width, column)) + 1 for column in columns) + 0.2


def _signs(item: Box) -> int:
    """How many infix signs of a script lose their space."""
    match item:
        case Operator(sign):
            return int(sign in INFIX)
        case Row(items):
            return sum(map(_signs, items))
        case Sum(terms):
            return len(terms) - 1
    return 0


UNIT: Final = 3.0
"""A row within a row that is no wider than this, in em, stays in one piece: Δt."""


def _stream(item: Box, depth: int = 0) -> Iterator[tuple[Box, int]]:
    """The box in unbreakable pieces, each with the level of a break before it; 0 is none.

    Level 1 is + and − of the outermost sum, 2 is ⊙ beside it, 3 and 4 the same within
    parentheses, and so on.
    """
    match item:
        case Sum(terms):
            for place, (sign, term) in enumerate(terms):
                if place or sign == "−":
                    yield Operator(sign), (2 * depth + 1) * (place > 0)
                yield from _stream(term, depth)
        case Row(items):
            for part in items:
                if isinstance(part, Operator) and part.sign in "⊙×·":
                    yield part, 2 * depth + 2
                elif isinstance(part, Row) and width(part) <= UNIT:
                    yield part, 0
                else:
                    yield from _stream(part, depth)
        case Fenced(Sum() | Row() | Script(base=Fenced()) as body, opening, closing):
            yield Delimiter(opening, tall(body)), 0
            yield from _stream(body, depth + 1)
            yield Delimiter(closing, tall(body), closing=True), 0
        case Script(Fenced(Sum() | Row() as body, opening, closing), below, above):
            yield Delimiter(opening, tall(body)), 0
            yield from _stream(body, depth + 1)
            yield Script(Delimiter(closing, tall(body), closing=True), below, above), 0
        case _:
            yield item, 0


def _pieces(parts: list[tuple[Box, int]], limit: float, level: int = 1) -> Iterator[list[Box]]:
    """The parts in pieces that fit the limit, broken at as outer a level as will do."""
    whole = [part for part, _ in parts]
    if sum(map(width, whole)) <= limit or level > max(mark for _, mark in parts):
        yield whole
        return
    found: list[list[tuple[Box, int]]] = [[]]
    for part, mark in parts:
        if mark == level and found[-1]:
            found.append([])
        found[-1].append((part, mark))
    for piece in found:
        yield from _pieces(piece, limit, level + 1)


@lru_cache(maxsize=4096)
def lines(item: Box, limit: float) -> tuple[Box, ...]:
    """The box on as few lines as fit the limit in em, broken before + and −, else before ⊙."""
    if width(item) <= limit:
        return (item,)
    indent = 2.0
    found: list[list[Box]] = [[]]
    for piece in _pieces(list(_stream(item)), limit - indent):
        room = limit - indent * (len(found) > 1) - sum(map(width, found[-1]))
        if found[-1] and sum(map(width, piece)) > room:
            found.append([])
        found[-1].extend(piece)
    return tuple(row(*line) for line in found)


def levels(parts: Sequence[Box]) -> tuple[int, ...]:
    """In how many brackets each line after the first begins, more than the outermost of them."""
    deep, found = 0, []
    for part in parts:
        found.append(deep)
        for item in part.items if isinstance(part, Row) else (part,):
            match item:
                case Delimiter(closing=closing) | Script(base=Delimiter(closing=closing)):
                    deep += -1 if closing else 1
    return tuple(level - min(found[1:]) for level in found[1:])
