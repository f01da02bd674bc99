"""Matrices that change with time: their entries as a column, and Jacobians by what they do.

In: matrix expressions. Out: the nodes `Vec` and `LinearMap`, and whether an equation has such a
matrix, or a row, at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from sympy import MatrixExpr, MatrixSymbol, S, preorder_traversal

from derive.language.expr import Expression, Shape, entries, symbols_of


class Vec(Expression):
    """vec(A): the entries of a matrix as one column, row after row; a column is itself."""

    @property
    def shape(self) -> Shape:
        return entries(self.args[0]), S.One


class LinearMap(Expression):
    """The map D ↦ body of a change D, which the body is linear in: a Jacobian by its action.

    As a matrix it takes vec(D) to vec(body).
    """

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
