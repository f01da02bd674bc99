"""How gradients vanish and explode, measured along a trajectory.

In: `Facts`. Out: a section with its figure and table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from sympy import S

from derive.calculus.through_time import EARLIER, TIME
from derive.language.expr import size
from derive.theorems.claims import Relation
from derive.typeset.boxes import Box, Number, Operator, row, sup
from derive.typeset.layout import size_box
from numeric.bounds.drawn import drawn_at_gain, drawn_by_states, multipliers
from numeric.bounds.memory import kept_state
from numeric.bounds.one_sequence.measured import Curve, Measurement
from reports.document.model import (
    Block,
    EquationRow,
    Equations,
    Figure,
    Inlines,
    Paragraph,
    Section,
    Table,
)
from reports.document.numerals import UP, below, figures, places
from reports.sections.facts import Facts
from reports.sections.theorems import theorem_blocks

FIGURE: Final = "gradient_norms"
_WHOLE: Final = 1000
_SHOWN_LAGS: Final = (1, 10, 30, 60)


def growth(facts: Facts, *, brief: bool = False) -> Section:
    """Definition, theorem, its limits, numbers, figure, table, advice.

    A brief one has no proof, no limits, no table, and a figure only where no other section has
    one of norms over the lag.
    """
    say, claim = facts.say, facts.claim
    norm = claim.bound.quantity if claim.bound else S.One
    lag = TIME - EARLIER
    return Section("growth", say.words("growth.title"), (
        Paragraph(say.sentence("growth.defined", Relation(EARLIER, "<", TIME), norm, lag)),
        *theorem_blocks(facts, 1, brief=brief),
        *_shown(facts, brief),
        Paragraph(say.line(*claim.advice), say.words("growth.advice")),
    ))  # fmt: skip


def more_theory(facts: Facts) -> Section | None:
    """The other theorems, as an appendix."""
    if len(facts.claims) < 2:
        return None
    return Section("theory", facts.say.words("growth.appendix"), tuple(
        block for number in range(2, len(facts.claims) + 1)
        for block in theorem_blocks(facts, number)
    ), small=True)  # fmt: skip


def _shown(facts: Facts, brief: bool) -> Iterator[Block]:
    """What was measured; briefly, no table."""
    if not brief:
        yield from _measured(facts)
    elif kept_state(facts.derivation.cell) is None:
        yield from (block for block in _measured(facts) if not isinstance(block, Table))


def drawn_matrices(facts: Facts, square: Box, scale: Box) -> Inlines:
    """What the matrices are: which have the variance with the gain, and what others have."""
    say, cell = facts.say, facts.derivation.cell
    if not (at_gain := drawn_at_gain(cell)):
        return say.sentence("growth.drawn_alike", scale)
    factors = multipliers(cell)
    if all(p in at_gain for p in cell.parameters if p.shape[1] != 1 and p not in factors):
        return say.sentence("growth.drawn_alike", square)
    columns = {p.shape[1] for p in at_gain}
    if drawn_by_states(cell) and len(columns) == 1:
        return say.sentence("growth.drawn", row(square, "/", size_box(columns.pop())), scale)
    names = say.listed([say("{0}", facts.symbol(p.name)) for p in at_gain])
    return say.sentence("growth.drawn_named", square, scale, names)


def drawn_columns(facts: Facts, square: Box, gain: Box) -> Iterator[Inlines]:
    """What the parameters are that are no matrices: factors of ⊙, and biases if there are any."""
    say, cell = facts.say, facts.derivation.cell
    factors = multipliers(cell)
    if any(factors.values()):
        yield say.sentence("growth.drawn_factors", square, gain)
    ones = [say("{0}", facts.symbol(p.name)) for p, scales in factors.items() if not scales]
    if ones:
        yield say.sentence("growth.other_factors", say.listed(ones))
    if any(p.shape[1] == 1 and p not in factors for p in cell.parameters):
        yield say.sentence("growth.biases")


def _measured(facts: Facts) -> Iterator[Block]:
    measured = facts.measurement
    if measured is None:
        return
    say, claim = facts.say, facts.claim
    norm, first = claim.bound.quantity if claim.bound else S.One, measured.curves[0]
    gain, alone = facts.gain, len(measured.curves) == 1
    square = sup(gain, Number("2"))
    scale = sup(Number(f"{measured.input_scale:g}"), Number("2"))
    words = [say.sentence("growth.drawn_inputs", scale) if alone else
             drawn_matrices(facts, square, scale),
             *drawn_columns(facts, square, gain), say.sentence("growth.normal")]  # fmt: skip
    cell = facts.derivation.cell
    if cell.constants:
        known = all(constant.name in cell.defaults for constant in cell.constants)
        key = "growth.constants_default" if known else "growth.constants_drawn"
        words.append(say.sentence(key))
    if alone:
        words.append(say.sentence("growth.no_gain"))
    sizes = [say("{0}", row(size_box(size(name)), "=", Number(str(value))))
             for name, value in measured.sizes]  # fmt: skip
    words.append(say.sentence(
        "growth.steps", say.listed(sizes, "words.pause"), str(measured.steps), str(measured.seed),
        row("t", "=", Number(str(measured.steps)))))  # fmt: skip
    yield Paragraph(say.listed(words, "words.semicolon"), say.words("growth.numbers"))
    if first.constants:
        yield Equations(tuple(_rate_row(facts, curve) for curve in measured.curves))
    caption = say.sentence("growth.caption", norm, say.reference(claim.name))
    same = alone and all(map(_alike, first.log10_measured, first.log10_upper))
    yield Figure(
        1, f"{facts.derivation.cell.name}-{FIGURE}",
        say.together([_message(facts, measured), caption,
                      *([say.sentence("growth.coincide")] if same else ())]),
        say.words("growth.described"),
    )  # fmt: skip
    yield _table(facts, measured)


def _alike(one: float, other: float) -> bool:
    """Whether two decimal logarithms look the same on a figure."""
    return math.isclose(one, other, abs_tol=0.01)


def _message(facts: Facts, measured: Measurement) -> Inlines:
    """What the curves show, in one sentence."""
    say = facts.say

    def shown(curves: list[Curve], alone: str, among: str) -> Iterator[Inlines]:
        if curves and len(measured.curves) == 1:
            yield say.sentence(alone)
        elif curves:
            gains = [say("{0}", row(facts.gain, "=", Number(f"{c.gain:g}"))) for c in curves]
            yield say.sentence(among, say.listed(gains))

    proved_ = [c for c in measured.curves if c.log10_upper[-1] < 0]
    hidden = [c for c in measured.curves if c.log10_measured[-1] < 0 <= c.log10_upper[-1]]
    grown = [c for c in measured.curves if c.log10_measured[-1] >= 0]
    return say.sentence("growth.message", say.listed([
        *shown(proved_, "growth.proves", "growth.proves_at"),
        *shown(hidden, "growth.misses", "growth.misses_at"),
        *shown(grown, "growth.allows", "growth.allows_at"),
    ], "words.also"))  # fmt: skip


def _rate_row(facts: Facts, curve: Curve) -> EquationRow:
    layout, claim = facts.layout, facts.claim
    values = [_at_most(Fraction(value)) for _, value in curve.constants]
    product = math.prod((Fraction(value) for _, value in curve.constants), start=Fraction(1))
    middle: list[Box] = [values[0]]
    for number in values[1:]:
        middle += [Operator("×"), number]
    key = "growth.rate_below" if product < 1 else "growth.rate_above"
    gain = row(facts.gain, "=", Number(f"{curve.gain:g}"))
    return EquationRow(
        layout.of(claim.rate), row(*middle), sign="≤",
        note=facts.say.sentence(key, gain, _at_most(product)),
    )  # fmt: skip


def _at_most(value: Fraction) -> Box:
    """A number rounded up, with as many figures as show that it is below 1 if it is."""
    if value.denominator == 1 and value < _WHOLE:
        return Number(str(value))
    return figures(value, UP) if value >= 1 else below(value, Fraction(1))[0]


def _table(facts: Facts, measured: Measurement) -> Table:
    say = facts.say
    lags = [lag for lag in _SHOWN_LAGS if lag <= measured.steps]
    ends = [abs(values[lag - 1]) for curve in measured.curves for lag in lags
            for values in (curve.log10_measured, curve.log10_upper)]  # fmt: skip
    digits = 1 if max(ends) >= 1 else 3
    rows: list[tuple[Inlines, ...]] = [
        (say("{0}", Number(f"{curve.gain:g}")) if lag == lags[0] else (), say(str(lag)),
         say("{0}", places(curve.log10_measured[lag - 1], digits)),
         say("{0}", places(curve.log10_upper[lag - 1], digits, UP)),
         say("{0}", places(curve.log10_upper[lag - 1] - curve.log10_measured[lag - 1], digits, UP)))
        for curve in measured.curves for lag in lags
    ]  # fmt: skip
    head: tuple[Inlines, ...] = (
        say.sentence("growth.gain", facts.gain),
        say.sentence("growth.lag", row("t", "−", facts.earlier)),
        *say.heads("growth.measured", "growth.bound", "growth.decades"),
    )  # fmt: skip
    if len(measured.curves) == 1:
        rows, head = [cells[1:] for cells in rows], head[1:]
    return Table(
        2, say.sentence("growth.table"), head, tuple(rows), "r" * len(head),
    )  # fmt: skip
