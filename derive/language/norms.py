"""Norms as expression nodes: ‖M‖₂, ‖v‖_∞, suprema over steps, named bounds on blocks.

In: matrix expressions. Out: SymPy expressions that `scalars` writes and theorems state.
"""

from __future__ import annotations

import math
from typing import Self, cast

from sympy import Basic, Expr, MatrixExpr, sympify
from sympy.core.symbol import Str

from derive.language.expr import Broadcast, Expression, Shape


class _Nonnegative(Expr):  # type: ignore[misc]
    """A real number that is not negative."""

    is_commutative = True
    is_real = True
    is_nonnegative = True


class _Named(_Nonnegative):
    """One with names, as text, or numbers among its arguments."""

    def __new__(cls, *arguments: Basic | str | int) -> Self:
        return cast("Self", Basic.__new__(cls, *(
            a if isinstance(a, Basic) else Str(a) if isinstance(a, str) else sympify(a)
            for a in arguments
        )))  # fmt: skip


class Norm(_Nonnegative):
    """‖M‖₂, the largest singular value; the Euclidean length of a column."""


class MaxAbs(_Nonnegative):
    """‖v‖_∞ = max_i |v_i| of a column v, which is ‖diag(v)‖₂; one number in all is bare."""

    def __new__(cls, column: MatrixExpr) -> MaxAbs:
        if isinstance(column, Broadcast) and column.args[0].shape == (1, 1):
            column = column.args[0]
        return cast("MaxAbs", Basic.__new__(cls, column))


class BlockBound(_Named):
    """N_ab at a step, of a, b and t: a number that ‖∂a/∂b‖₂ of that step does not exceed."""


class Largest(_Named):
    """The least upper bound of |φ′| over all real numbers, by the name of the function."""


class Radius(_Nonnegative):
    """ρ(M), the spectral radius: the largest absolute value of an eigenvalue."""


class Determinant(Expr):  # type: ignore[misc]
    """Det(M) of a square matrix."""

    is_commutative = True


class EntryProduct(Expr):  # type: ignore[misc]
    """∏_i v_i over the entries of a column, which is det diag(v)."""

    is_commutative = True


class Supremum(_Nonnegative):
    """The supremum of a number over all admissible steps t."""


class Infimum(_Nonnegative):
    """The infimum of a number over all admissible steps t."""


class Smallest(Expr):  # type: ignore[misc]
    """min_i v_i of a column v."""

    is_commutative = True
    is_real = True


class MinAbs(_Nonnegative):
    """min_i |v_i| of a column v, which is σ_min(diag(v))."""


class SingularMin(_Nonnegative):
    """σ_min(M), the smallest singular value of a square matrix."""


class RowNorm(_Nonnegative):
    """‖M‖_∞ = max_i Σ_j |M_ij| of a matrix."""


class Component(_Named):
    """v_a, of v and a: the entry of a vector that belongs to the state a."""


class BlockSup(_Named):
    """N_ab, of a and b: a number that ‖∂a/∂b‖₂ exceeds at no admissible step."""


class Extreme(_Named):
    """The largest ("max") or smallest ("min"), over an index, of a nonnegative number: in order."""


class StepProduct(_Named):
    """∏ of nonnegative numbers over an index, its latest, its earliest step: in this order."""


class Entries(Expression):
    """A k×k matrix of numbers, row by row."""

    @property
    def order(self) -> int:
        return math.isqrt(len(self.args))

    @property
    def shape(self) -> Shape:
        return sympify(self.order), sympify(self.order)


class EntrywiseAbs(Expression):
    """|M|: the absolute value of every entry."""


class EntrywiseSup(EntrywiseAbs):
    """The supremum of |v| over all admissible steps, entry by entry."""


class Immediate(Expression):
    """∂⁺u/∂θ: the derivative within one step, the states before it held fixed."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape[0], self.args[1].shape[0]
