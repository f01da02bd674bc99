"""The answer first: what given weights do to gradients, in a few sentences and a picture.

In: an `Answer`, or a `Study` that holds one. Out: keys of sentences with their slots, which the
terminal and a report fill each in its own letters, and the first section of a report. A number
is certified or measured, and its sentence says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from derive.calculus.paths import Route
from derive.typeset.boxes import Box, Number, row, sub
from numeric.bounds.answer import Answer
from numeric.bounds.diagnosis import EXPLODES, UNDECIDED, VANISHES
from numeric.bounds.remedy import MULTIPLY, Change
from reports.document.model import Block, Bullets, Inlines, Paragraph, Section, Words
from reports.document.numerals import DOWN, NEAR, UP, figures, places, power_of_ten
from reports.sections.facts import Facts
from reports.sections.numbering import Pages
from reports.sections.one_sequence import path_words, times_figure

_EVEN: Final = 0.35
"""A half of the decades that takes more than this share of the steps is spread evenly."""
_SHOWN: Final = 6
_ADD: Final = "answer.add", "answer.add_measured"
_TAKE: Final = "answer.take", "answer.take_measured"
_MULTIPLY: Final = "answer.multiply", "answer.multiply_measured"
_FOR_ALL: Final = {
    VANISHES: "answer.all_vanishes", EXPLODES: "answer.all_explodes",
    UNDECIDED: "answer.all_undecided",
}  # fmt: skip
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

    def part(self, name: str) -> Any:
        """A symbol with what the cell calls it, where it says so."""

    def path(self, route: Route) -> Any:
        """A path through one step."""


def lines(found: Answer, letters: Letters) -> Iterator[Line]:
    """The sentences of an answer: verdict, path, unit, time, remedy."""
    yield _verdict(found, letters)
    if found.path is not None:
        yield "answer.path", (letters.path(found.path.route),
                              letters.decimal(100 * found.path.share, 0, NEAR),
                              letters.figures(found.path.growth))  # fmt: skip
    if found.unit is not None:
        yield "answer.unit", (letters.unit(found.unit.state, found.unit.index),
                              letters.decimal(100 * found.unit.share, 0, NEAR))  # fmt: skip
    if found.span is not None:
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
        decades = letters.decimal(-upper, 1, DOWN)
        return "answer.vanishes", (lag, decades, letters.power(upper, UP), measured)
    if one.verdict == EXPLODES:
        decades = letters.decimal(lower, 1, DOWN)
        return "answer.explodes", (lag, decades, letters.power(lower, DOWN), measured)
    if math.isfinite(lower) and math.isfinite(upper):
        ends = letters.power(lower, DOWN), letters.power(upper, UP)
        return "answer.undecided", (lag, *ends, measured)
    return "answer.open", (lag, measured)


def _remedy(found: Answer, letters: Letters) -> Iterator[Line]:
    tried = found.remedy
    if tried is None or not tried.tried:
        return
    if tried.best is None:
        yield "answer.no_remedy", (str(len(tried.tried)),)
        return
    change, after = tried.best
    ends: tuple[Any, ...] = (letters.power(tried.before, NEAR), letters.power(after, NEAR))
    if not math.isfinite(tried.before):
        ends = ("0", ends[1])
    bounded = math.isfinite(tried.upper) and math.isfinite(tried.lower)
    if bounded:
        ends += letters.power(tried.lower, DOWN), letters.power(tried.upper, UP)
    keys = _MULTIPLY if change.kind == MULTIPLY else _ADD if change.amount > 0 else _TAKE
    yield keys[not bounded], (*_changed(change, letters), *ends)


def _changed(change: Change, letters: Letters) -> tuple[Any, ...]:
    """The amount, what is changed, and the symbol whose bias it is."""
    if change.kind == MULTIPLY:
        return f"{change.amount:g}", [letters.symbol(name) for name in change.names]
    (name,) = change.names
    return f"{abs(change.amount):g}", letters.symbol(name), letters.part(change.target)


class Boxes:
    """A report's letters."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def power(self, value: float, way: str) -> Box:
        """10 to the value, rounded."""
        return power_of_ten(value, way) if math.isfinite(value) else Number("0")

    def decimal(self, value: float, digits: int, way: str) -> Box:
        """The value with so many decimal places."""
        return places(value, digits, way)

    def figures(self, value: float) -> Box:
        """The value with three figures."""
        return figures(value)

    def symbol(self, name: str) -> Box:
        """A symbol of the cell."""
        return self.facts.symbol(name)

    def unit(self, name: str, index: int) -> Box:
        """An entry of a state."""
        return sub(self.facts.symbol(name), str(index))

    def part(self, name: str) -> Inlines:
        """A symbol with what the cell calls it, where it says so."""
        say, called = self.facts.say, self.facts.derivation.cell.parts.get(name, "")
        symbol = say("{0}", self.symbol(name))
        return say.sentence("answer.part", symbol, say.phrase(called)) if called else symbol

    def path(self, route: Route) -> Inlines:
        """A path through one step."""
        return path_words(self.facts, route)


def answer_section(pages: Pages, norm: str) -> Section:
    """The first section of a report on given weights; `norm` is LaTeX for an axis."""
    say = pages.facts.say
    return Section("answer", say.words("answer.title"), (
        Paragraph(say.together([*_asked(pages)]), say.words("answer.asked")),
        *_said(pages),
        *times_figure(pages, norm),
    ))  # fmt: skip


def _asked(pages: Pages) -> Iterator[Inlines]:
    """The files, and which layer of them decides."""
    say, study = pages.facts.say, pages.study
    asked, layers = study.asked, study.stack.layers
    steps = str(study.one.lags[-1])
    if asked is not None and asked.weights:
        yield say.sentence("answer.weights", Words(asked.weights, "code"))
    if len(layers) > 1:
        yield say.sentence("answer.layer", str(len(layers)),
                           Words(layers[study.place].prefix.rstrip("."), "code"))  # fmt: skip
    if asked is not None and asked.batch is not None:
        yield _sentence(pages.facts, batch_line(
            asked.inputs, asked.batch.log10_measured, asked.batch.shown, steps,
            Boxes(pages.facts)))  # fmt: skip
    elif asked is not None and asked.inputs:
        yield say.sentence("answer.sequence", Words(asked.inputs, "code"), steps)
    else:
        yield say.sentence("answer.drawn", str(study.seed + 1), steps)


def batch_line(file: str, norms: Sequence[float], shown: int, steps: str, letters: Letters) -> Line:
    """The sentence on several sequences."""
    ends = letters.power(min(norms), NEAR), letters.power(max(norms), NEAR)
    return "answer.batch", (str(len(norms)), Words(file, "code"), str(shown + 1), *ends, steps)


def overflow_said(pages: Pages) -> Paragraph:
    """Which state overflows where, so that nothing is known along the sequence."""
    facts, found = pages.facts, pages.study.overflow
    assert found is not None
    state = facts.symbol(found.state)
    said = facts.say.sentence("answer.overflow", state, str(found.step))
    return Paragraph(said, facts.say.words("answer.lead"))


def _said(pages: Pages) -> Iterator[Block]:
    facts, study = pages.facts, pages.study
    say = facts.say
    if study.overflow is not None:
        yield overflow_said(pages)
        yield Paragraph(say.sentence(_FOR_ALL[study.one.verdict]))
        return
    if study.answer is None:
        return
    first, *rest = lines(study.answer, Boxes(facts))
    yield Paragraph(_sentence(facts, first), say.words("answer.lead"))
    if rest:
        yield Bullets(tuple(_sentence(facts, line) for line in rest))
    yield from _tried(pages, study.answer)


def _sentence(facts: Facts, line: Line) -> Inlines:
    key, slots = line
    say = facts.say
    return say.sentence(key, *(
        say.listed([say("{0}", part) for part in slot]) if isinstance(slot, list) else slot
        for slot in slots))  # fmt: skip


def _tried(pages: Pages, found: Answer) -> Iterator[Block]:
    """The changes that were tried, the nearest to 1 first."""
    say, letters, tried = pages.facts.say, Boxes(pages.facts), found.remedy
    if tried is None or len(tried.tried) < 2:
        return
    rows = []
    for change, after in tried.tried[:_SHOWN]:
        names = say.listed([say("{0}", letters.symbol(name)) for name in change.names])
        sign = "×" if change.kind == MULTIPLY else "+" if change.amount > 0 else "−"
        rows.append((names, say("{0}", row(sign, Number(f"{abs(change.amount):g}"))),
                     say("{0}", letters.power(after, NEAR))))  # fmt: skip
    yield pages.table(
        say.sentence("answer.tried", letters.power(found.measured, NEAR), str(found.lag)),
        say.heads("answer.parameter", "answer.change", "answer.after"), rows, "lrr",
    )  # fmt: skip
