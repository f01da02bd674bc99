"""Where a gap stands between factors: decided once for text, LaTeX and MathML.

In: a row of boxes. Out: each box with whether a gap precedes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derive.typeset.boxes import (
    GREEK,
    Box,
    Delimiter,
    Fenced,
    Large,
    Number,
    Operator,
    Row,
    Script,
    Symbol,
)


def spaced(items: Sequence[Box]) -> Iterator[tuple[Box, bool]]:
    """Each box of a row, and whether a thin space parts it from the one before."""
    before: Box | None = None
    for item in items:
        yield item, before is not None and _gap(before, item)
        before = item


def _gap(left: Box, right: Box) -> bool:
    match left, right:
        case (Delimiter(closing=True), _):
            return not isinstance(right, (Operator, Delimiter))
        case (Operator() | Large() | Delimiter() | Number(), _):
            return False
        case (_, Operator() | Delimiter() | Number() | Script(base=Delimiter())):
            return False
        case (Symbol() | Script(sup=Operator("′")), Fenced()):
            return False
        case (Symbol(), _):
            return is_word(left) or is_word(right)
    return True


def is_word(item: Box) -> bool:
    """Whether a row of letters begins with a name of several, as dt or tanh."""
    while isinstance(item, (Script, Row)):
        item = item.base if isinstance(item, Script) else item.items[0]
    return isinstance(item, Symbol) and len(item.name) > 1 and item.name not in GREEK
