"""Norms as expression nodes: ‖M‖₂, ‖v‖_∞, and the named bound on a block of a Jacobian.

In: matrix expressions. Out: scalar SymPy expressions that `layout` writes and `bounds` states.
"""

from __future__ import annotations

from typing import cast

from sympy import Basic, Expr, MatrixExpr, sympify
from sympy.core.symbol import Str


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
    """‖v‖_∞ = max_i |v_i| of a column v, which is ‖diag(v)‖₂."""

    def __new__(cls, column: MatrixExpr) -> MaxAbs:
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
