"""Program → Program: sums over samples skip the rows of those that have ended.

In: a network's program, whose sums are over copies with zeros outside the samples (`padding`).
Out: the same sums over the arrays themselves, with the mask as one more operand: C sums runs of
rows, so that where nothing has ended there is nothing to copy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from numeric.compiler.padding import INSIDE, OUTSIDE
from numeric.compiler.program import Operand, Program

SUMS: Final = frozenset({"outer", "gather", "scatter"})


def skipping(program: Program) -> Program:
    """The program without the copies that only sums read."""
    masked: dict[Operand, Operand] = {
        s.target: s.operands[0]
        for block in program.blocks
        for s in block.statements
        if s.op == INSIDE
    }
    results = {result.name for result in program.results}
    blocks = []
    for block in program.blocks:
        statements = []
        for s in block.statements:
            if s.op in SUMS and masked.keys() & {*s.operands}:
                operands = (*(masked.get(o, o) for o in s.operands), OUTSIDE)
                s = replace(s, operands=operands)
            statements.append(s)
        blocks.append(replace(block, statements=tuple(statements)))
    read = results | {name for b in blocks for s in b.statements for name in s.reads}
    kept = [
        replace(b, statements=tuple(s for s in b.statements if s.op != INSIDE or s.target in read))
        for b in blocks
    ]
    return replace(program, blocks=tuple(b for b in kept if b.statements))
