"""The shape of the step Jacobian, read from its symbols: diagonal, block by unit, or dense.

In: a derivation. Out: one of three words. It decides what a parallel scan over the steps costs:
n, n times the square of the number of states, or n³ operations for each pair of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sympy import Expr, MatrixExpr, Number, ZeroMatrix

from derive.calculus.fold import Algebra
from derive.calculus.through_time import Derivation
from derive.language.expr import SCALAR, Partial

DIAGONAL: Final = "diagonal"
BLOCK: Final = "block"
DENSE: Final = "dense"


@dataclass(frozen=True)
class _Flat(Algebra[bool]):
    """Whether a block is diagonal whatever the weights are."""

    named_blocks: Mapping[MatrixExpr, MatrixExpr]

    def zero(self, block: ZeroMatrix) -> bool:
        return True

    def identity(self, extent: Expr) -> bool:
        return True

    def diagonal(self, column: MatrixExpr) -> bool:
        return True

    def named(self, block: Partial) -> bool:
        return self.of(self.named_blocks[block])

    def sum(self, terms: Sequence[bool]) -> bool:
        return all(terms)

    def stack(self, parts: Sequence[bool]) -> bool:
        return False

    def product(self, number: Number, factors: Sequence[bool]) -> bool:
        return all(factors)

    def matrix(self, block: MatrixExpr) -> bool:
        return bool(block.shape == SCALAR)


def structure(derivation: Derivation) -> str:
    """DIAGONAL: all entries apart; BLOCK: the units apart, their states together; else DENSE."""
    jacobian = derivation.step_jacobian
    flat = _Flat(dict(jacobian.named))
    if not all(flat.of(block) for block in jacobian.blocks.values()):
        return DENSE
    apart = all(a == b or isinstance(block, ZeroMatrix)
                for (a, b), block in jacobian.blocks.items())  # fmt: skip
    return DIAGONAL if apart else BLOCK
