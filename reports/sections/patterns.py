"""Gradients that differ in their last factor alone, as one line: [W̄ Ū b̄] = Σ ā [hᵀ xᵀ 1].

In: numbered steps, each a sum over time. Out: rows of equations, a row for each left factor, in
the order of the steps; what has a form of its own stays a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sympy import MatMul, MatrixExpr, Transpose

from derive.calculus.through_time import Step
from derive.language.expr import At, TimeSum, product, split_coefficient
from derive.typeset.boxes import Box, Grid, Number, row
from reports.document.model import EquationRow, Inlines
from reports.sections.facts import Facts

_ONE: Final = Number("1")
Sums = tuple[tuple[object, ...], ...]


def split(value: MatrixExpr) -> tuple[Sums, MatrixExpr, MatrixExpr | None] | None:
    """The sums, the left factor and the transposed column that stands last; None of another form.

    The column is None where there is none, as for a bias.
    """
    sums: list[tuple[object, ...]] = []
    while isinstance(value, TimeSum):
        sums.append(value.args[1:])
        value = value.args[0]
    if not sums or value.is_MatAdd or split_coefficient(value)[0] != 1:
        return None
    if isinstance(value, MatMul) and isinstance(value.args[-1], Transpose):
        last = value.args[-1]
        if isinstance(last.arg, At):
            left = product(*value.args[:-1])
            return None if left.is_MatAdd else (tuple(sums), left, last)
    return tuple(sums), value, None


def groups(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """Neighbours with the same sums and the same left factor, together."""
    held: list[Step] = []
    for step in steps:
        mine, before = split(step.equation.value), split(held[-1].equation.value) if held else None
        if held and not (mine and before and mine[:2] == before[:2]):
            yield tuple(held)
            held = []
        held.append(step)
    if held:
        yield tuple(held)


def pattern_row(facts: Facts, steps: Sequence[Step]) -> EquationRow:
    """The steps of a group as one equation between rows of matrices."""
    layout, say = facts.layout, facts.say
    first, last = steps[0], steps[-1]
    parts = [split(step.equation.value) for step in steps]
    assert parts[0] is not None
    sums, left, _ = parts[0]
    for sum_ in reversed(sums):
        left = TimeSum(left, *sum_)
    columns: list[Box] = [
        _ONE if part is None or part[2] is None else layout.of(part[2]) for part in parts
    ]
    targets = tuple(layout.of(step.equation.target) for step in steps)
    sources = dict.fromkeys(k for step in steps for _, k in step.terms if k)
    note: Inlines = ()
    if sources:
        note = say.sentence("patterns.source", say.listed([say("({0})", k) for k in sources]))
    return EquationRow(Grid((targets,)), row(layout.of(left), Grid((tuple(columns),))),
                       first.number, note, last=last.number)  # fmt: skip
