"""Gradients of parameters beside those of states: ‖∂s_T/∂θ‖₂ by parameter, in a table.

In: `Pages`. Out: blocks of the chapter along one sequence.
"""

from __future__ import annotations

from collections.abc import Iterator

from derive.typeset.boxes import Fenced, row, sub
from numeric.bounds.sensitivity import ill_conditioned, sensitivity
from reports.document.model import Block, Inlines, Paragraph
from reports.document.numerals import DOWN, NEAR, UP, places
from reports.sections.numbering import Pages


def parameters(pages: Pages) -> Iterator[Block]:
    """The table, and the verdict where a parameter is ill-conditioned."""
    one, facts = pages.study.one, pages.facts
    say, found = facts.say, sensitivity(one)
    rows: list[tuple[Inlines, ...]] = []
    for name, held in found.items():
        along = held.along
        if along is None:
            continue
        above = () if held.all_inputs is None else say("{0}", places(held.all_inputs, 2, UP))
        rows.append((
            say("{0}", facts.symbol(name)), say("{0}", places(along.measured, 2, NEAR)),
            say("{0}", places(along.upper, 2, UP)), say("{0}", places(along.lower, 2, DOWN)),
            above, say("{0}", places(along.amplification, 2, DOWN)),
        ))  # fmt: skip
    if not rows:
        return
    norm = sub(Fenced(row("∂", sub("s", "T"), "/", "∂", "theta"), "‖", "‖"), "2")
    loss = Fenced(row("∂", "L", "/", "∂", "theta"), "‖", "‖")
    head = say.heads("bounds.parameter", "growth.measured", "all_inputs.at_most",
                     "one_sequence.at_least", "bounds.every_input", "bounds.times_own")  # fmt: skip
    align = "lrrrrr"
    if not any(cells[4] for cells in rows):
        head, align = (*head[:4], *head[5:]), align[:-1]
        rows = [(*cells[:4], *cells[5:]) for cells in rows]
    yield pages.table(say.sentence("one_sequence.parameters", norm, loss), head, rows, align)
    worst = ill_conditioned(one, found)
    if worst is not None:
        most = places(found[worst].amplification or 0.0, 1, DOWN)
        yield Paragraph(say.sentence("one_sequence.ill", facts.symbol(worst), most))
