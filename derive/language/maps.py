"""Matrices that change with time: their entries as a column, and Jacobians by what they do.

In: matrix expressions. Out: the nodes `Vec` and `LinearMap`, and whether an equation has such a
matrix, or a row, at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from sympy import Basic, MatrixExpr, MatrixSymbol, S, preorder_traversal

from derive.language.expr import Shape, entries, symbols_of


class Vec(MatrixExpr):  # type: ignore[misc]
    """vec(A): the entries of a matrix as one column, row after row; a column is itself."""

    def __new__(cls, argument: MatrixExpr) -> Vec:
        return cast("Vec", Basic.__new__(cls, argument))

    @property
    def shape(self) -> Shape:
        return entries(self.args[0]), S.One


class LinearMap(MatrixExpr):  # type: ignore[misc]
    """The map D ↦ body of a change D, which the body is linear in: a Jacobian by its action.

    As a matrix it takes vec(D) to vec(body).
    """

    def __new__(cls, body: MatrixExpr, change: MatrixExpr) -> LinearMap:
        return cast("LinearMap", Basic.__new__(cls, body, change))

    @property
    def shape(self) -> Shape:
        return entries(self.args[0]), entries(self.args[1])


def has_moving_matrix(values: Iterable[MatrixExpr], fixed: frozenset[MatrixSymbol]) -> bool:
    """Whether an expression holds a matrix of more than one column, or a row, that is not fixed."""
    return any(
        isinstance(node, MatrixExpr)
        and node.shape[1] != 1
        and not fixed.issuperset(symbols_of(node))
        for value in values
        for node in preorder_traversal(value)
    )
