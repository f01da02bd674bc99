"""The answer first: what given weights do to gradients, in a few sentences and a picture.

In: a `Study` that holds an `Answer`. Out: the first section of a report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from derive.calculus.paths import Route
from derive.typeset.boxes import Box, Number, row
from numeric.bounds.answer import Answer
from numeric.bounds.diagnosis import EXPLODES, UNDECIDED, VANISHES
from numeric.bounds.remedy import MULTIPLY
from reports.document.model import Block, Bullets, Inlines, Paragraph, Section, Words
from reports.document.numerals import NEAR, figures, places, power_of_ten
from reports.sections.answer_lines import PATHS, Line, batch_line, lines
from reports.sections.facts import Facts
from reports.sections.numbering import Pages
from reports.sections.one_sequence import path_words, times_figure

_SHOWN: Final = 6
_FOR_ALL: Final = {
    VANISHES: "answer.all_vanishes", EXPLODES: "answer.all_explodes",
    UNDECIDED: "answer.all_undecided",
}  # fmt: skip


class Boxes:
    """A report's letters."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def power(self, value: float, way: str) -> Box:
        """10 to the value, rounded."""
        if not math.isfinite(value):
            return Number("∞" if value > 0 else "0")
        return power_of_ten(value, way)

    def decimal(self, value: float, digits: int, way: str) -> Box:
        """The value with so many decimal places."""
        return places(value, digits, way)

    def figures(self, value: float) -> Box:
        """The value with three figures."""
        return figures(value)

    def symbol(self, name: str) -> Box:
        """A symbol of the cell."""
        return self.facts.symbol(name)

    def unit(self, name: str, index: int) -> Words:
        """An entry of a state, as in code: c₄ would be c at step 4."""
        return Words(f"{name}[{index}]", "code")

    def part(self, name: str) -> Inlines:
        """A symbol with what the cell calls it, where it says so."""
        say, called = self.facts.say, self.facts.derivation.cell.parts.get(name, "")
        symbol = say("{0}", self.symbol(name))
        return say.sentence("answer.part", symbol, say.phrase(called)) if called else symbol

    def bias(self, name: str, target: str, own: bool) -> Inlines:
        """A bias, and the symbol that it is the bias of, if it is its own, or is added for."""
        key = "answer.bias" if own else "answer.bias_within"
        return self.facts.say.sentence(key, self.symbol(name), self.part(target))

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
    for line in layers[study.place].assumed:
        yield say.sentence("answer.assumed", say.phrase(line))
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
        yield Bullets(tuple(explained(facts, line, study.answer) for line in rest))
    yield from _tried(pages, study.answer)


def explained(facts: Facts, line: Line, found: Answer) -> Inlines:
    """A sentence; that on the path says what stands after × in it."""
    said, path = _sentence(facts, line), found.path
    if path is None or not path.route.factors or line[0] not in PATHS:
        return said
    return facts.say.together([said, facts.say.sentence("one_sequence.factors")])


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
