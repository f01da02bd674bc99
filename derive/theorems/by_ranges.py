"""What the ranges of the functions alone prove of ‖∂s_t/∂s_k‖, whatever the weights and inputs.

In: a `Derivation` of which no bound (γ‖M‖₂)^{t−k} is known. Out: numbers that no block of a step
Jacobian exceeds, and one that every change keeps; the verdict and the advice that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sympy import (
    Expr,
    Identity,
    Integer,
    Matrix,
    MatrixExpr,
    Max,
    Number,
    OneMatrix,
    Pow,
    S,
    Transpose,
    ones,
)
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.lengths import erases_at_most_twice
from derive.calculus.ranges import Ranges
from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Partial, add, split_coefficient
from derive.language.maps import LinearMap
from derive.language.norms import BlockBound, Entries
from derive.theorems.claims import Line, Relation
from derive.theorems.one_sequence import bounding_matrix, chain_norm
from derive.theorems.suprema import Dominated

_VANISHING: Final = (Line("shared.advice_vanishing"),)


class Largest(Dominated):
    """Numbers that ‖block‖₂ exceeds for no weights and inputs; infinite where there is none."""

    evaluate = True

    def __init__(self, derivation: Derivation) -> None:
        self.ranges, self.forward = Ranges(derivation.forward), derivation.forward
        self.meant = dict(derivation.step_jacobian.named)

    def product(self, number: Number, factors: Sequence[Expr]) -> Expr:
        """|c| ‖A‖ ‖B‖; 0 if a factor is 0, whatever the others."""
        return S.Zero if S.Zero in factors else super().product(number, factors)

    def diagonal(self, column: MatrixExpr) -> Expr:
        """The largest that an entry can be."""
        return self.ranges.largest(column)

    def erasing(self, strength: MatrixExpr) -> Expr:
        """1 where the strength lies in [−2, 0]."""
        if erases_at_most_twice(strength, self.forward, self.ranges.short):
            return S.One
        return Max(S.One, self.diagonal(add(OneMatrix(*strength.shape), strength)))

    def named(self, block: Partial) -> Expr:
        """What its own line gives."""
        return self.of(self.meant[block])

    def matrix(self, block: MatrixExpr) -> Expr:
        """1 for a column no longer than that, or for its row; a weight is as large as it likes."""
        column = block.arg if isinstance(block, Transpose) else block
        return S.One if column in self.ranges.short else S.Infinity


@dataclass(frozen=True)
class Foretold:
    """What holds whatever the weights and inputs; `settled` if nothing is left to decide."""

    verdict: tuple[Line, ...]
    advice: tuple[Line, ...]
    settled: bool


def foretold(derivation: Derivation) -> Foretold | None:
    """The verdict by the ranges of the functions; None where they decide nothing."""
    names = [state.name for state in derivation.cell.states]
    jacobian, largest = derivation.step_jacobian, Largest(derivation)
    rows = [[largest.of(jacobian.blocks[a, b]) for b in names] for a in names]
    if len(names) == 1:
        return _of_one(derivation, rows[0][0], largest)
    return _of_several(derivation, rows)


def _of_one(derivation: Derivation, most: Expr, largest: Largest) -> Foretold | None:
    norm, _ = chain_norm(derivation)
    name = derivation.cell.states[0].name
    pair, below = Relation(EARLIER, "<", TIME), BlockBound(name, name, TIME)
    sign = "=" if most == 0 else "≤"
    limit = most if most in {S.Zero, S.One} else Pow(most, LAG, evaluate=False)
    slots = Relation(below, sign, most), Relation(norm, sign, limit), pair
    if most < 1:
        return Foretold((Line("stepwise.vanishes", slots),), _VANISHING, settled=True)
    if most == 1:
        return Foretold((Line("stepwise.bounded", slots),), bounded_advice(derivation),
                        settled=False)  # fmt: skip
    least = _kept(derivation.step_jacobian.blocks[name, name], largest)
    if least > 1:
        grows = Relation(norm, "≥", Pow(least, LAG, evaluate=False))
        return Foretold((Line("stepwise.explodes", (least, grows)),),
                        (Line("shared.advice_exploding", (norm,)),), settled=True)  # fmt: skip
    return None


def _of_several(derivation: Derivation, rows: list[list[Expr]]) -> Foretold | None:
    """From N_t ≤ N̂: the powers of N̂ tend to 0, or its rows or its columns add up to at most 1."""
    if not all(entry.is_finite for row in rows for entry in row):
        return None
    order, fixed = len(rows), Matrix(rows)
    (norm, _), pair = chain_norm(derivation), Relation(EARLIER, "<", TIME)
    bounding = At(bounding_matrix(derivation), TIME)
    below = Relation(bounding, "≤", Entries(*fixed))
    if tends_to_zero(fixed):
        verdict = Line("block_domination.vanishes", (below,))
        return Foretold((verdict,), _VANISHING, settled=True)
    by_rows = all(sum(row) <= 1 for row in rows)
    by_columns = all(sum(column) <= 1 for column in zip(*rows, strict=True))
    if not by_rows and not by_columns:
        return None
    most = S.One if by_rows and by_columns else Integer(order)
    slots = below, Relation(norm, "≤", most), pair
    return Foretold((Line("block_domination.bounded", slots),), bounded_advice(derivation),
                    settled=False)  # fmt: skip


def tends_to_zero(fixed: Matrix) -> bool:
    """Whether a nonnegative matrix has ρ < 1: whether v > 0 solves (I − N)v = 𝟙."""
    rest = Matrix.eye(fixed.rows) - fixed
    return bool(rest.det() != 0) and all(entry > 0 for entry in rest.LUsolve(ones(fixed.rows, 1)))


def _kept(block: MatrixExpr, largest: Largest) -> Number:
    """What each entry of a diagonal block reaches in absolute value; 0 of another block."""
    number, rest = split_coefficient(block)
    match rest:
        case Identity():
            return abs(number)
        case DiagMatrix(args=(column,)):
            return abs(number) * largest.ranges.smallest(column)
        case LinearMap(args=(body, change)) if split_coefficient(body)[1] == change:
            return abs(number * split_coefficient(body)[0])
    return S.Zero


def bounded_advice(derivation: Derivation) -> tuple[Line, ...]:
    """What to do where nothing explodes."""
    return (Line("shared.advice_bounded", chain_norm(derivation)[:1]),)
