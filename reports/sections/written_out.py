"""The loss at one step: which gradient needs no long chain, and the long ones written out.

In: `Facts`. Out: blocks of the section on the step Jacobian.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from derive.calculus.written_out import readout_of, written_out
from derive.typeset.boxes import Box, Fraction, row, sub
from derive.typeset.layout import Layout
from reports.document.model import EquationRow, Equations, Paragraph
from reports.sections.facts import Facts

_STEP: Final = 3
_SHOWN: Final = 2


def short_and_long(facts: Facts) -> Iterator[Paragraph | Equations]:
    """A readout's gradient by one step; those of the cell by all before, for three steps."""
    derivation, say = facts.derivation, facts.say
    every = written_out(derivation, _STEP)
    found = every[:_SHOWN]
    if not found:
        return
    loss = sub(facts.loss, "t")
    if facts.flags:
        said = say.sentence("written_out.short_in_network", loss, row("t"))
        yield Paragraph(said, say.words("written_out.lead"))
    elif (readout := readout_of(derivation)) is not None:
        layout = Layout(readout.joined.notation)
        matrix = layout.of(readout.joined.free["V"])
        yield Paragraph(
            say.sentence("written_out.short", matrix, loss, row("t")), say.words("written_out.lead")
        )
        yield Equations((
            EquationRow(layout.of(readout.output.target), layout.of(readout.output.value)),
            EquationRow(_by(loss, matrix), layout.of(readout.gradient.value)),
        ))  # fmt: skip
    last = sub(facts.loss, str(_STEP))
    yield Paragraph(say.sentence("written_out.long", last, str(_STEP)))
    yield Equations(tuple(
        EquationRow(_by(last, facts.layout.of(symbol)), facts.layout.of(value))
        for symbol, value in found
    ))  # fmt: skip
    if len(derivation.cell.parameters) == len(every) > len(found):
        yield Paragraph(say.sentence("written_out.others"))


def _by(of: Box, by: Box) -> Box:
    return Fraction(row("∂", of), row("∂", by))
