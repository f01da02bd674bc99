"""What is said first of given weights: keys of sentences with their slots.

In: an `Answer`. Out: lines, which the terminal and a report fill each in its own letters. A number
is certified or measured, and its sentence says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from derive.calculus.paths import Route
from derive.cell import Cell
from numeric.bounds.answer import Answer
from numeric.bounds.diagnosis import EXPLODES, VANISHES
from numeric.bounds.remedy import MULTIPLY, Change, is_bias_of
from numeric.meaning.at_kinks import FIRST
from reports.document.model import Words
from reports.document.numerals import DOWN, NEAR, UP

_EVEN: Final = 0.35
"""A half of the decades that takes more than this share of the steps is spread evenly."""
_SAID: Final = 0.1
"""Fewer decades than this, 0.0 as they are printed, are not counted out."""
PATHS: Final = "answer.path", "answer.path_among"
"""The sentences on the path that carries most, whether that is most of the norm or not."""
_ADD: Final = "answer.add", "answer.add_measured"
_TAKE: Final = "answer.take", "answer.take_measured"
_MULTIPLY: Final = "answer.multiply", "answer.multiply_measured"
Line = tuple[str, tuple[Any, ...]]


class Letters(Protocol):
    """How a medium writes numbers, symbols and paths."""

    def power(self, value: float, way: str) -> Any:
        """10 to the value, rounded."""

    def decimal(self, value: float, digits: int, way: str) -> Any:
        """The value with so many decimal places."""

    def figures(self, value: float) -> Any:
        """The value with three figures."""

    def symbol(self, name: str) -> Any:
        """A symbol of the cell."""

    def unit(self, name: str, index: int) -> Any:
        """An entry of a state."""

    def bias(self, name: str, target: str, own: bool) -> Any:
        """A bias, and the symbol that it is the bias of, if it is its own, or is added for."""

    def path(self, route: Route) -> Any:
        """A path through one step."""


def lines(found: Answer, letters: Letters) -> Iterator[Line]:
    """The sentences of an answer: verdict, path, unit, time, remedy."""
    yield _verdict(found, letters)
    if (kink := found.one.kink) is not None:
        key = "answer.tie" if kink.slope == FIRST else "answer.kink"
        yield key, (kink.function, letters.symbol(kink.target), str(kink.step), str(kink.count),
                    str(kink.of), kink.slope)  # fmt: skip
    if found.path is not None:
        yield PATHS[not found.most], (letters.path(found.path.route),
                              letters.decimal(100 * found.path.share, 0, NEAR),
                              letters.figures(found.path.growth))  # fmt: skip
    if found.unit is not None:
        yield "answer.unit", (letters.unit(found.unit.state, found.unit.index),
                              letters.decimal(100 * found.unit.share, 0, NEAR))  # fmt: skip
    if found.span is not None and found.span.steps > 1:
        spread = found.span.length > _EVEN * found.span.steps
        yield "answer.even" if spread else "answer.time", (
            str(found.span.length), str(found.span.first), str(found.span.last),
            str(found.span.steps))  # fmt: skip
    yield from _remedy(found, letters)


def _verdict(found: Answer, letters: Letters) -> Line:
    one, lag = found.one, str(found.lag)
    upper, lower = one.at_most[0], one.at_least[0]
    measured = letters.power(found.measured, NEAR)
    if math.isinf(upper) and upper < 0:
        return "answer.zero", (lag,)
    if one.verdict == VANISHES:
        ends = letters.power(upper, UP), measured
        if -upper < _SAID:
            return "answer.vanishes_hardly", (lag, *ends)
        return "answer.vanishes", (lag, letters.decimal(-upper, 1, DOWN), *ends)
    if one.verdict == EXPLODES:
        ends = letters.power(lower, DOWN), measured
        if lower < _SAID:
            return "answer.explodes_hardly", (lag, *ends)
        return "answer.explodes", (lag, letters.decimal(lower, 1, DOWN), *ends)
    if math.isfinite(lower) and math.isfinite(upper):
        ends = letters.power(lower, DOWN), letters.power(upper, UP)
        return "answer.undecided", (lag, *ends, measured)
    return "answer.open", (lag, measured)


def _remedy(found: Answer, letters: Letters) -> Iterator[Line]:
    tried = found.remedy
    if tried is None or not tried.tried or not tried.needed:
        return
    if tried.best is None:
        yield _no_remedy([change for change, _ in tried.tried], letters)
        return
    change, after = tried.best
    ends: tuple[Any, ...] = (letters.power(tried.before, NEAR), letters.power(after, NEAR))
    bounded = math.isfinite(tried.upper) and math.isfinite(tried.lower)
    if bounded:
        ends += letters.power(tried.lower, DOWN), letters.power(tried.upper, UP)
    keys = _MULTIPLY if change.kind == MULTIPLY else _ADD if change.amount > 0 else _TAKE
    yield keys[not bounded], (*_changed(change, found.one.cell, letters), *ends)


def _no_remedy(tried: Sequence[Change], letters: Letters) -> Line:
    """What was tried: biases, the recurrent weights, or both."""
    scaled = [change for change in tried if change.kind == MULTIPLY]
    shifts = str(len(tried) - len(scaled))
    if not scaled:
        return "answer.no_bias", (shifts,)
    amount, names = f"{scaled[0].amount:g}", [letters.symbol(name) for name in scaled[0].names]
    if len(scaled) == len(tried):
        return "answer.no_weights", (amount, names)
    return "answer.no_remedy", (amount, names, shifts)


def _changed(change: Change, cell: Cell, letters: Letters) -> tuple[Any, ...]:
    """The amount, and what is changed: of a bias with the symbol whose it is."""
    if change.kind == MULTIPLY:
        return f"{change.amount:g}", [letters.symbol(name) for name in change.names]
    (name,) = change.names
    equation = next(e for e in cell.equations if e.target.name == change.target)
    symbol = next(s for s in cell.parameters if s.name == name)
    own = is_bias_of(symbol, equation)
    return f"{abs(change.amount):g}", letters.bias(name, change.target, own)


def batch_line(file: str, norms: Sequence[float], shown: int, steps: str, letters: Letters) -> Line:
    """The sentence on several sequences."""
    ends = letters.power(min(norms), NEAR), letters.power(max(norms), NEAR)
    return "answer.batch", (str(len(norms)), Words(file, "code"), str(shown + 1), *ends, steps)
