"""The parts of a cell by name, and what its gates do at their ends.

In: `Facts`. Out: notes and blocks of the section on the forward pass; formulas are those of
`derive.calculus.gates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sympy import Identity, ZeroMatrix

from derive.calculus.gates import End, ends, gates
from reports.document.model import EquationRow, Equations, Inlines, Paragraph
from reports.sections.facts import Facts


def part_note(facts: Facts, target: str) -> Inlines:
    """What the cell calls a target; nothing where it says nothing."""
    name = facts.derivation.cell.parts.get(target, "")
    return facts.say("{0}", facts.say.phrase(name)) if name else ()


def at_ends(
    facts: Facts, targets: Sequence[str], *, again: bool = False
) -> Iterator[Paragraph | Equations]:
    """What each gate among the targets does near 0 and near 1; if `again`, without a sentence."""
    cell = facts.derivation.cell
    found = [end for gate in gates(cell) if gate.name in targets for end in ends(cell, gate)]
    if found:
        if not again:
            yield Paragraph(facts.say.sentence("gates.opening"))
        yield Equations(tuple(_row(facts, end) for end in found))


def _row(facts: Facts, end: End) -> EquationRow:
    layout = facts.layout
    return EquationRow(layout.of(end.target), layout.of(end.becomes), note=_note(facts, end),
                       sign="≈")  # fmt: skip


def _note(facts: Facts, end: End) -> Inlines:
    say, gate, value = facts.say, end.gate, str(end.value)
    if end.direct is not None:
        before, derivative = end.direct
        if isinstance(derivative, ZeroMatrix):
            return say.sentence("gates.near_cut", gate, value, before)
        if isinstance(derivative, Identity):
            return say.sentence("gates.near_whole", gate, value, before, derivative)
    return say.sentence("gates.near", gate, value)
