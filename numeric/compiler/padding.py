"""Program → Program: no sum over samples sees what stands where a sample has ended.

In: a network's program after its passes. Out: the same, with zeros there in each operand of a
product or sum that runs over the batch. A cell may make NaN of padding (0/0, say), and 0 · NaN is
no zero: so both factors are replaced, not multiplied by a mask. Everything else in a program goes
row by row, and one sample's rows never meet another's.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Final

from numeric.compiler.program import BATCH, Block, Dims, Operand, Program, Statement

OUTSIDE: Final = "outside"
OUTSIDE_EACH: Final = "outside_each"  # the same with an axis more, for a matrix of each sample
INSIDE: Final = "inside"
_SUMMED: Final = frozenset({"outer", "gather", "scatter"})


def masked(program: Program) -> Program:
    """The program with zeros outside the samples in what it sums over them."""
    dims = dict(program.dims)
    zero = _zero_outside(program)
    blocks: list[Block] = []
    for block in program.blocks:
        made: dict[Operand, str] = {}
        statements: list[Statement] = []
        for statement in block.statements:
            for name in statement.reads if statement.op in _SUMMED else ():
                at_once = _rows(program, block, name)
                if at_once and name not in made and name not in zero:
                    matrix = len(program.dims[name]) - program.is_sequence(name) > 2
                    mask = OUTSIDE_EACH if matrix else OUTSIDE
                    made[name] = _fresh(name, dims)
                    dims[made[name]] = at_once
                    statements.append(Statement(made[name], INSIDE, (name, mask)))
            if statement.op in _SUMMED:
                operands = tuple(made.get(operand, operand) for operand in statement.operands)
                statement = replace(statement, operands=operands)
            statements.append(statement)
        blocks.append(replace(block, statements=tuple(statements)))
    return replace(program, blocks=tuple(blocks), dims=dims)


def _rows(program: Program, block: Block, name: str) -> Dims:
    """The dimensions of an array as the block reads it; none if no row of it is outside."""
    dims, sequence = program.dims[name], program.is_sequence(name)
    step = dims[1:] if sequence else dims
    if len(step) < 2 or step[0] != BATCH or not (sequence or block.loop):
        return ()
    return step if block.loop else dims


def _zero_outside(program: Program) -> set[str]:
    """The arrays that are zero there by how they are made."""
    found: set[str] = set()
    for block in program.blocks:
        for s in block.statements:
            zeros = s.op == INSIDE or (s.op == "cross_entropy_slope" and OUTSIDE in s.operands)
            zeros = zeros or (s.op == "select" and s.operands[:2] == (OUTSIDE, 0))
            factors = [o for o in s.operands if isinstance(o, str)]
            zeros = zeros or (s.op == "multiply" and bool(factors) and found.issuperset(factors))
            if zeros:
                found.add(s.target)
    return found


def _fresh(name: str, taken: Container[str]) -> str:
    """A name for the masked array that none has."""
    made = f"{name}_inside"
    while made in taken:
        made += "_again"
    return made
