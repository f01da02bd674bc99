"""What C does with a matrix of each sample: along which axis an operand lies, and what is a sum.

In: a program of parts. Out: the same with as few kinds of operations as C has loops for: a number
of each sample needs no axes of its own, a product with weights is one over the rows of all
matrices, and zeros outside the samples are a choice, entry by entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sympy import S

from numeric.compiler.padding import INSIDE, OUTSIDE, OUTSIDE_EACH
from numeric.compiler.program import BATCH, Operand, Program, Statement, promoted

LINE, UNIT, BOTH = "line", "unit", "both"
AXES: Final[Mapping[str, tuple[str, ...]]] = {
    "each_outer": (LINE, UNIT),
    "scale_rows": (LINE, BOTH),
    "scale_columns": (BOTH, UNIT),
    "each_apply": (BOTH, UNIT),
    "each_pull": (LINE, BOTH),
    "each_dot": (BOTH, BOTH),
    "sum_columns": (BOTH,),
    "sum_rows": (BOTH,),
}
"""Along which axis of the matrix each operand lies, where that is not entry by entry."""
WIDENING: Final = frozenset({"each_outer", "scale_rows", "scale_columns"})
ACROSS: Final = frozenset({"each_apply", "sum_columns"})  # sums over the units of a line
DOWN: Final = frozenset({"each_pull", "sum_rows"})  # sums over the lines
IN_ALL: Final = frozenset({"each_dot"})  # sums over all entries
SUMMING: Final = ACROSS | DOWN | IN_ALL
GONE: Final = frozenset({"lift"})  # what `settled` leaves none of


def settled(program: Program) -> Program:
    """The program without axes of one, its products of matrices told apart."""
    numbers: dict[Operand, Operand] = {
        s.target: s.operands[0] for b in program.blocks for s in b.statements if s.op in GONE
    }
    blocks = tuple(
        replace(
            block,
            statements=tuple(
                _settled(program, s, numbers) for s in block.statements if s.op not in GONE
            ),
        )
        for block in program.blocks
    )
    return promoted(replace(program, blocks=tuple(b for b in blocks if b.statements)))


def _settled(program: Program, s: Statement, numbers: Mapping[Operand, Operand]) -> Statement:
    operands = tuple(numbers.get(o, o) for o in s.operands)
    if s.op == INSIDE and s.operands[1] == OUTSIDE_EACH:
        return replace(s, op="select", operands=(OUTSIDE, S.Zero, operands[0]))
    if s.op == "gather" and not program.dims[str(s.operands[0])] and s.settings:
        return replace(s, op="add", operands=operands, settings=(1,))  # one number, to every entry
    if s.op == "product":
        one, other = (BATCH in program.dims[str(o)] for o in operands)
        if one and not other:
            return replace(s, op="pull", operands=operands)
    return replace(s, operands=operands)
