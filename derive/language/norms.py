"""Norms as expression nodes: ‖M‖₂, ‖v‖_∞, suprema over steps, named bounds on blocks.

In: matrix expressions. Out: SymPy expressions that `scalars` writes and theorems state.
"""

from __future__ import annotations

import math
from typing import cast

from sympy import Basic, Expr, MatrixExpr, Symbol, sympify
from sympy.core.symbol import Str

from derive.language.expr import Broadcast


class _Nonnegative(Expr):  # type: ignore[misc]
    """A real number that is not negative."""

    is_commutative = True
    is_real = True
    is_nonnegative = True


class Norm(_Nonnegative):
    """‖M‖₂, the largest singular value; the Euclidean length of a column."""

    def __new__(cls, matrix: MatrixExpr) -> Norm:
        return cast("Norm", Basic.__new__(cls, matrix))


class MaxAbs(_Nonnegative):
    """‖v‖_∞ = max_i |v_i| of a column v, which is ‖diag(v)‖₂; one number in all is bare."""

    def __new__(cls, column: MatrixExpr) -> MaxAbs:
        if isinstance(column, Broadcast) and column.args[0].shape == (1, 1):
            column = column.args[0]
        return cast("MaxAbs", Basic.__new__(cls, column))


class BlockBound(_Nonnegative):
    """N_ab at a step: a number that ‖∂a/∂b‖₂ of that step does not exceed."""

    def __new__(cls, of: str | Str, by: str | Str, time: Expr) -> BlockBound:
        names = (name if isinstance(name, Str) else Str(name) for name in (of, by))
        return cast("BlockBound", Basic.__new__(cls, *names, sympify(time)))


class Largest(_Nonnegative):
    """The least upper bound of |φ′| over all real numbers, by the name of the function."""

    def __new__(cls, function: str | Str) -> Largest:
        name = function if isinstance(function, Str) else Str(function)
        return cast("Largest", Basic.__new__(cls, name))


class Radius(_Nonnegative):
    """ρ(M), the spectral radius: the largest absolute value of an eigenvalue."""

    def __new__(cls, matrix: MatrixExpr) -> Radius:
        return cast("Radius", Basic.__new__(cls, matrix))


class Determinant(Expr):  # type: ignore[misc]
    """Det(M) of a square matrix."""

    is_commutative = True

    def __new__(cls, matrix: MatrixExpr) -> Determinant:
        return cast("Determinant", Basic.__new__(cls, matrix))


class EntryProduct(Expr):  # type: ignore[misc]
    """∏_i v_i over the entries of a column, which is det diag(v)."""

    is_commutative = True

    def __new__(cls, column: MatrixExpr) -> EntryProduct:
        return cast("EntryProduct", Basic.__new__(cls, column))


class Supremum(_Nonnegative):
    """The supremum of a number over all admissible steps t."""

    def __new__(cls, body: Expr) -> Supremum:
        return cast("Supremum", Basic.__new__(cls, body))


class Infimum(_Nonnegative):
    """The infimum of a number over all admissible steps t."""

    def __new__(cls, body: Expr) -> Infimum:
        return cast("Infimum", Basic.__new__(cls, body))


class Smallest(Expr):  # type: ignore[misc]
    """min_i v_i of a column v."""

    is_commutative = True
    is_real = True

    def __new__(cls, column: MatrixExpr) -> Smallest:
        return cast("Smallest", Basic.__new__(cls, column))


class MinAbs(_Nonnegative):
    """min_i |v_i| of a column v, which is σ_min(diag(v))."""

    def __new__(cls, column: MatrixExpr) -> MinAbs:
        return cast("MinAbs", Basic.__new__(cls, column))


class SingularMin(_Nonnegative):
    """σ_min(M), the smallest singular value of a square matrix."""

    def __new__(cls, matrix: MatrixExpr) -> SingularMin:
        return cast("SingularMin", Basic.__new__(cls, matrix))


class RowNorm(_Nonnegative):
    """‖M‖_∞ = max_i Σ_j |M_ij| of a matrix."""

    def __new__(cls, matrix: MatrixExpr) -> RowNorm:
        return cast("RowNorm", Basic.__new__(cls, matrix))


class Component(_Nonnegative):
    """v_a: the entry of a vector that belongs to the state a."""

    def __new__(cls, vector: str | Str, state: str | Str) -> Component:
        names = (name if isinstance(name, Str) else Str(name) for name in (vector, state))
        return cast("Component", Basic.__new__(cls, *names))


class BlockSup(_Nonnegative):
    """N_ab: a number that ‖∂a/∂b‖₂ exceeds at no admissible step."""

    def __new__(cls, of: str | Str, by: str | Str) -> BlockSup:
        names = (name if isinstance(name, Str) else Str(name) for name in (of, by))
        return cast("BlockSup", Basic.__new__(cls, *names))


class Extreme(_Nonnegative):
    """The largest ("max") or smallest ("min") of a nonnegative number over an index."""

    def __new__(cls, kind: str | Str, index: Symbol, body: Expr) -> Extreme:
        name = kind if isinstance(kind, Str) else Str(kind)
        return cast("Extreme", Basic.__new__(cls, name, index, body))


class StepProduct(_Nonnegative):
    """∏ of nonnegative numbers over steps, index from `latest` down to `earliest`."""

    def __new__(cls, body: Expr, index: Symbol, latest: Expr, earliest: Expr) -> StepProduct:
        return cast(
            "StepProduct", Basic.__new__(cls, body, index, sympify(latest), sympify(earliest))
        )


class Entries(MatrixExpr):  # type: ignore[misc]
    """A k×k matrix of numbers, row by row."""

    def __new__(cls, *entries: Expr) -> Entries:
        return cast("Entries", Basic.__new__(cls, *entries))

    @property
    def order(self) -> int:
        return math.isqrt(len(self.args))

    @property
    def shape(self) -> tuple[Expr, Expr]:
        return sympify(self.order), sympify(self.order)


class EntrywiseAbs(MatrixExpr):  # type: ignore[misc]
    """|M|: the absolute value of every entry."""

    def __new__(cls, matrix: MatrixExpr) -> EntrywiseAbs:
        return cast("EntrywiseAbs", Basic.__new__(cls, matrix))

    @property
    def shape(self) -> tuple[Expr, Expr]:
        return cast("tuple[Expr, Expr]", self.args[0].shape)


class EntrywiseSup(EntrywiseAbs):
    """The supremum of |v| over all admissible steps, entry by entry."""


class Immediate(MatrixExpr):  # type: ignore[misc]
    """∂⁺u/∂θ: the derivative within one step, the states before it held fixed."""

    def __new__(cls, of: MatrixExpr, by: MatrixExpr) -> Immediate:
        return cast("Immediate", Basic.__new__(cls, of, by))

    @property
    def shape(self) -> tuple[Expr, Expr]:
        return self.args[0].shape[0], self.args[1].shape[0]
