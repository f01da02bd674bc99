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
from derive.theorems.claims import Relation
from derive.typeset.boxes import Box, Number, Operator, Symbol, row, sup
from numeric.bounds.drawn import multipliers
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
    Words,
)
from reports.document.numerals import UP, below, figures, places
from reports.document.words import listed
from reports.sections.code import code
from reports.sections.facts import Facts
from reports.sections.literature import sources
from reports.sections.theorems import theorem_blocks
from reports.sections.verified import verified

FIGURE: Final = "gradient_norms"
_WHOLE: Final = 1000
_SHOWN_LAGS: Final = (1, 10, 30, 60)


def proved(facts: Facts) -> tuple[Section, ...]:
    """The last sections, as many as have something to say."""
    made = (growth(facts), code(facts), verified(facts), sources(facts))
    return tuple(section for section in made if section is not None)


def growth(facts: Facts) -> Section:
    """Definition, theorem, its limits, numbers, figure, table, more theorems, advice."""
    say, claim = facts.say, facts.claim
    norm = claim.bound.quantity if claim.bound else S.One
    lag = TIME - EARLIER
    return Section("growth", "How gradients vanish and explode", (
        Paragraph(say(
            "Let {0}. Gradients *vanish* if {1} tends to 0 as {2} grows, and *explode* if it "
            "grows without bound. Between these two the norm may stay, or grow and fall in turn.",
            Relation(EARLIER, "<", TIME), norm, lag)),
        *theorem_blocks(facts, 1),
        *_measured(facts),
        *(block for number in range(2, len(facts.claims) + 1)
          for block in theorem_blocks(facts, number)),
        Paragraph(say.line(*claim.advice), "Advice."),
    ))  # fmt: skip


def _measured(facts: Facts) -> Iterator[Block]:
    measured = facts.measurement
    if measured is None:
        return
    say, claim = facts.say, facts.claim
    norm, first = claim.bound.quantity if claim.bound else S.One, measured.curves[0]
    gain, alone = Symbol("g"), len(measured.curves) == 1
    square = sup(gain, Number("2"))
    factors = multipliers(facts.derivation.cell)
    words = "Recurrent weights are drawn from a normal distribution of variance {0}, other weights "
    words += "of variance {1}, biases are 0, and inputs are normal"
    if any(factors.values()):
        words += "; what multiplies a state entry by entry has variance {6}, or is {7} if it is a "
        words += "single number"
    if not all(factors.values()):
        words += "; other factors of ⊙ are 1"
    cell = facts.derivation.cell
    if cell.constants:
        known = all(constant.name in cell.defaults for constant in cell.constants)
        words += "; constants have their defaults" if known else "; constants are normal"
    if alone:
        words = "Weights of inputs are drawn from a normal distribution of variance {1}, biases "
        words += "are 0, and inputs are normal; no weight multiplies a state"
    yield Paragraph(say(
        words + "; {2}, {3} steps, seed {4}. The last step is {5}.", row(square, "/", "n"),
        row(sup(Number(f"{measured.input_scale:g}"), Number("2")), "/", "m"),
        listed([say("{0}", row(Symbol(name), "=", Number(str(value))))
                for name, value in measured.sizes], ", "),
        str(measured.steps), str(measured.seed), row("t", "=", Number(str(measured.steps))),
        square, gain),
        "Numbers.")  # fmt: skip
    if first.constants:
        yield Equations(tuple(_rate_row(facts, curve) for curve in measured.curves))
    yield Figure(1, f"{facts.derivation.cell.name}-{FIGURE}", (
        *_message(facts, measured), *say(
            " Solid: measured {0}. Dashed: the upper bound of Theorem 1 for the same weights.",
            norm)),
        "Norms of the Jacobian between two times over the lag, measured and bounded.")  # fmt: skip
    yield _table(facts, measured)


def _message(facts: Facts, measured: Measurement) -> Inlines:
    """What the curves show, in one sentence."""
    say = facts.say

    def gains(curves: list[Curve]) -> Inlines:
        if len(measured.curves) == 1:
            return ()
        made = listed([say("{0}", row("g", "=", Number(f"{c.gain:g}"))) for c in curves])
        return (Words(" at "), *made)

    proved_ = [c for c in measured.curves if c.log10_upper[-1] < 0]
    hidden = [c for c in measured.curves if c.log10_measured[-1] < 0 <= c.log10_upper[-1]]
    grown = [c for c in measured.curves if c.log10_measured[-1] >= 0]
    parts = []
    if proved_:
        parts.append(say("proves decay{0}", gains(proved_)))
    if hidden:
        parts.append(say("misses the decay{0}", gains(hidden)))
    if grown:
        parts.append(say("allows the growth{0}", gains(grown)))
    return say("The bound {0}.", listed(parts))


def _rate_row(facts: Facts, curve: Curve) -> EquationRow:
    layout, claim = facts.layout, facts.claim
    values = [_at_most(Fraction(value)) for _, value in curve.constants]
    product = math.prod((Fraction(value) for _, value in curve.constants), start=Fraction(1))
    middle: list[Box] = [values[0]]
    for number in values[1:]:
        middle += [Operator("×"), number]
    verdict = "below 1: vanishes for all inputs" if product < 1 else "not below 1: undecided"
    gain = row("g", "=", Number(f"{curve.gain:g}"))
    return EquationRow(
        layout.of(claim.rate), row(*middle), sign="≤",
        note=facts.say("at {0}; at most {1}, " + verdict, gain, _at_most(product)),
    )  # fmt: skip


def _at_most(value: Fraction) -> Box:
    """A number rounded up, with as many figures as show that it is below 1 if it is."""
    if value.denominator == 1 and value < _WHOLE:
        return Number(str(value))
    return figures(value, UP) if value >= 1 else below(value, Fraction(1))[0]


def _table(facts: Facts, measured: Measurement) -> Table:
    say = facts.say
    lags = [lag for lag in _SHOWN_LAGS if lag <= measured.steps]
    rows: list[tuple[Inlines, ...]] = [
        (say("{0}", Number(f"{curve.gain:g}")) if lag == lags[0] else (), say(str(lag)),
         say("{0}", places(curve.log10_measured[lag - 1], 1)),
         say("{0}", places(curve.log10_upper[lag - 1], 1, UP)),
         say("{0}", places(curve.log10_upper[lag - 1] - curve.log10_measured[lag - 1], 1, UP)))
        for curve in measured.curves for lag in lags
    ]  # fmt: skip
    head: tuple[Inlines, ...] = (
        say("gain {0}", Symbol("g")), say("lag {0}", row("t", "−", "k")), say("measured"),
        say("bound"), say("decades between"),
    )  # fmt: skip
    if len(measured.curves) == 1:
        rows, head = [cells[1:] for cells in rows], head[1:]
    return Table(
        2, say("Measured norm and bound, as decimal logarithms, and the decades between them."),
        head, tuple(rows), "r" * len(head),
    )  # fmt: skip
