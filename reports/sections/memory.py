"""Why a cell keeps gradients, and when it does not; for a plain one the three cases of its gain.

In: `Pages`. Out: a section, or none. What is measured and what is certified is said of each
number; the direct path is that of `derive.calculus.gates`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from derive.calculus.gates import kept
from derive.calculus.jacobian import StepJacobian
from derive.calculus.through_time import EARLIER, FACTOR, TIME
from derive.cell import Cell
from derive.language.expr import Partial, TimeProduct, symbols_of
from derive.typeset.boxes import Box, Number, box, row
from derive.typeset.latex import Latex
from numeric.bounds.memory import ByGain, Keeping, Kept
from numeric.bounds.one_sequence.tracks import Track
from reports.document.memory_figures import norms_by_bias, norms_by_gain
from reports.document.model import (
    Block,
    Bullets,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
)
from reports.document.numerals import DOWN, NEAR, UP, figures, places, power_of_ten, signed
from reports.sections.all_inputs import drawn_words
from reports.sections.numbering import Pages
from reports.sections.one_sequence import inputs_said

_WORTH: Final = 0.05
"""Decades by which two norms differ before a sentence says which is larger."""


def memory(pages: Pages, norm: str) -> Section | None:
    """How gradients are kept by the gate that keeps the state, or what the gain does."""
    say, study = pages.facts.say, pages.study
    if study.keeping is not None:
        return Section("memory", say.words("memory.title"), (
            *_direct(pages, study.keeping), _setting(pages), *_biases(pages, study.keeping, norm),
            *_caveats(pages, study.keeping)))  # fmt: skip
    found = study.by_gain
    if found is None or found.certified is None or found.explodes is None:
        return None
    blocks = (_setting(pages), *_gain(pages, found, norm))
    return Section("memory", say.words("gain.title"), blocks)


def _setting(pages: Pages) -> Paragraph:
    """Of what net and sequence the numbers are, and which of them are proved."""
    say, last = pages.facts.say, Number(str(pages.study.one.lags[-1]))
    return Paragraph(say.sentence("memory.setting", drawn_words(pages), inputs_said(pages), last),
                     say.words("memory.lead_setting"))  # fmt: skip


# ---- a kept state ------------------------------------------------------------------------------


def _direct(pages: Pages, found: Keeping) -> Iterator[Block]:
    """The factor of the state's own term, and its product over time."""
    facts = pages.facts
    say, layout, derivation = facts.say, facts.layout, facts.derivation
    equation = next(e for e in derivation.cell.equations if e.target.name == found.kept.state)
    own = kept(derivation.cell, equation)
    assert own is not None
    before, factor = own
    clock = derivation.clock
    state = found.kept.state
    alone = derivation.step_jacobian.blocks[state, state] == factor
    only = alone and not _returns(derivation.step_jacobian, state)
    key = "memory.direct_alone" if alone else "memory.direct"
    key = "memory.direct_only" if only else key
    named = map(layout.of, (equation.target, before, factor))
    yield Paragraph(say.sentence(key, *named, box("⋯")))
    now, then = clock.at(equation.target, TIME), clock.at(equation.target, EARLIER)
    step = Partial(now, clock.at(equation.target, TIME - 1))
    product = TimeProduct(clock.at(factor, FACTOR), FACTOR, TIME, EARLIER + 1)
    own_step, over_time = layout.of(clock.at(factor, TIME)), layout.of(product)
    yield Equations((
        EquationRow(layout.of(step), own_step if alone else row(own_step, "+", "⋯")),
        EquationRow(layout.of(Partial(now, then)), over_time if only else row(over_time, "+", "⋯")),
    ))  # fmt: skip
    yield Paragraph(say.sentence("memory.no_weights", layout.of(clock.at(factor, TIME))))


def _returns(jacobian: StepJacobian, state: str) -> bool:
    """Whether a path leads from the state to another one and back."""
    return any(state in jacobian.reached(other) for other in jacobian.reached(state) - {state})


def _biases(pages: Pages, found: Keeping, norm: str) -> Iterator[Block]:
    """The figure and its numbers."""
    facts = pages.facts
    say, bias = facts.say, facts.symbol(found.kept.bias)
    gap = max(
        abs(max(v[-1] for v in t.log10_lower.values()) - min(v[-1] for v in t.log10_upper.values()))
        for t in (*found.shifted.values(), found.plain)
    )
    lag = str(found.plain.lags[-1])
    label = Latex()(bias).strip()
    picture = norms_by_bias(found, label, norm, pages.labels)
    yield pages.figure("memory", picture, say.sentence(
        "memory.figure", bias, facts.symbol(found.kept.gate), figures(gap, UP, 1), lag),
        say.words("memory.described"))  # fmt: skip
    rows = [_row(pages, found, shift, track) for shift, track in found.shifted.items()]
    rows.append((say.sentence("memory.plain"), (), (), *_ends(pages, found.plain)))
    head = (say("{0}", bias), *say.heads("memory.kept", "memory.alone", "memory.measured",
                                         "memory.at_most", "memory.at_least"))  # fmt: skip
    yield pages.table(say.sentence("memory.table", lag), head, rows, "lrrrrr")


def _row(pages: Pages, found: Keeping, shift: float, track: Track) -> tuple[Inlines, ...]:
    """A bias, what a gate at rest keeps with it, that to the power of the lag, the norms."""
    say, cell = pages.facts.say, pages.facts.derivation.cell
    share = found.kept.at(cell, shift)
    alone = track.lags[-1] * math.log10(share) if share else -math.inf
    return (say("{0}", _shift(found, shift)), say("{0}", figures(share)),
            say("{0}", places(alone, 1, NEAR)), *_ends(pages, track))  # fmt: skip


def _shift(found: Keeping, shift: float) -> Box:
    value = found.kept.signed(shift)
    return signed(Number(f"{abs(value):g}"), value < 0)


def _ends(pages: Pages, track: Track) -> tuple[Inlines, ...]:
    say = pages.facts.say
    upper = min(v[-1] for v in track.log10_upper.values())
    lower = max(v[-1] for v in track.log10_lower.values())
    return tuple(say("{0}", places(value, 2, way)) for value, way in (
        (track.log10_measured[-1], NEAR), (upper, UP), (lower, DOWN)))  # fmt: skip


def _caveats(pages: Pages, found: Keeping) -> Iterator[Block]:
    """What the numbers say against the gate."""
    say, facts = pages.facts.say, pages.facts
    lag, bias = str(found.plain.lags[-1]), facts.symbol(found.kept.bias)
    plain = found.plain.log10_measured[-1]
    none, most = found.shifted[0.0].log10_measured[-1], max(found.shifted)
    last = found.shifted[most].log10_measured[-1]
    items: list[Inlines] = []
    if none < plain - _WORTH:
        share = figures(found.kept.at(facts.derivation.cell, 0.0))
        ends = [power_of_ten(v, NEAR) if math.isfinite(v) else Number("0") for v in (none, plain)]
        items.append(say.sentence("memory.faster", row(bias, "=", "0"), share, *ends, lag,
                                  _whole(found.kept)))  # fmt: skip
    if last > _WORTH:
        items.append(say.sentence("memory.grows", row(bias, "=", _shift(found, most)),
                                  power_of_ten(last, NEAR)))  # fmt: skip
    if read := _read_by(facts.derivation.cell, found.kept.gate):
        items.append(say.sentence("memory.closes", facts.symbol(found.kept.gate), say.words(read),
                                  _whole(found.kept, shut=True)))  # fmt: skip
    if items:
        yield Paragraph((), say.words("memory.caveats"))
        yield Bullets(tuple(items))


def _whole(kept: Kept, *, shut: bool = False) -> str:
    """The value of the gate at which the direct path is whole, or, if `shut`, cut."""
    return "0" if kept.opposite is not shut else "1"


def _read_by(cell: Cell, gate: str) -> str:
    """The words for what the gate is made of, through all equations of a step; none if nothing."""
    values = {equation.target: equation.value for equation in cell.equations}
    ahead = [target for target in values if target.name == gate]
    found = {*ahead}
    while ahead:
        new = {*symbols_of(values[ahead.pop()])} - found
        found |= new
        ahead += [symbol for symbol in new if symbol in values]
    inputs = not found.isdisjoint(cell.inputs)
    if found.isdisjoint((*cell.states, *cell.previous_states)):
        return "memory.inputs" if inputs else ""
    return "memory.inputs_and_states" if inputs else "memory.states"


# ---- a gain ------------------------------------------------------------------------------------


def _gain(pages: Pages, found: ByGain, norm: str) -> Iterator[Block]:
    """Below one, above one, and the third case."""
    say, lag = pages.facts.say, str(found.lag)
    claim = pages.facts.claim
    symbol = pages.study.worked[0][1].certificate.symbol if claim.rate is None else claim.rate
    rate = pages.facts.layout.of(symbol)
    low, high = found.certified, found.explodes
    assert low is not None
    assert high is not None
    of = dict(zip(found.factors, range(len(found.factors)), strict=True))
    items = [
        say.sentence("gain.below", row(rate, "<", "1"), pages.at(low),
                     power_of_ten(found.upper[of[low]], UP), lag),
        say.sentence("gain.above", pages.at(high), power_of_ten(found.lower[of[high]], DOWN), lag),
    ]  # fmt: skip
    torn = [k for k, v in enumerate(found.measured) if v < -_WORTH and found.lower[k] > _WORTH]
    if torn:
        k = torn[0]
        items.append(say.sentence(
            "gain.torn", pages.at(found.factors[k]), power_of_ten(found.measured[k], NEAR),
            power_of_ten(found.lower[k], DOWN), row(rate, ">", "1")))  # fmt: skip
    first = next((f for f in found.open if low < f < high), None)
    if first is not None:
        items.append(say.sentence("gain.between", pages.at(first),
                                  power_of_ten(found.measured[of[first]], NEAR)))  # fmt: skip
    yield Paragraph(say.sentence("gain.opening"))
    yield Bullets(tuple(items))
    picture = norms_by_gain(found, norm, pages.labels)
    caption = say.sentence("gain.figure", lag)
    yield pages.figure("gain", picture, caption, say.words("gain.described"))
