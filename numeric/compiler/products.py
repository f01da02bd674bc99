"""Matrix products as statements on rows of samples: what each form of factors becomes.

In: the factors of a product, per sample and in columns, and what writes statements. Out: the
name of the product: `W x → x Wᵀ`, `Wᵀ u → u W`, matrices of each sample on an axis of their own;
and for a parameter's gradient `u vᵀ → uᵀ v`, summed over the batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sympy import MatMul, MatrixExpr, OneMatrix, Transpose
from sympy.matrices.expressions import DiagMatrix

from derive.language.expr import scale, split_coefficient, transpose
from numeric.compiler.program import Dims, Operand


class Lowering(Protocol):
    """What writes the statements of a block."""

    def is_timeless(self, expr: MatrixExpr) -> bool:
        """Whether neither time nor the batch changes the expression."""

    def layout(self, expr: MatrixExpr) -> Dims:
        """The dimensions of an expression's array."""

    def emit(
        self, op: str, operands: Iterable[Operand], dims: Dims, *settings: object, name: str = ""
    ) -> str:
        """A statement; its target."""

    def value(self, expr: MatrixExpr, name: str = "") -> Operand:
        """The operand that holds the expression."""

    def full(self, expr: MatrixExpr) -> Operand:
        """The operand in its full shape."""

    def rows(self, expr: MatrixExpr) -> Operand:
        """The operand with one row for each sample."""


def product(work: Lowering, factors: tuple[MatrixExpr, ...], dims: Dims, name: str) -> str:
    """A chain of matrix factors, two at a time: first where the inner size is 1."""
    places = range(1, len(factors))
    place = next((k for k in places if factors[k].shape[0] == 1), 1)
    if factors[place].shape[0] != 1 and factors[0].shape[0] == 1 != factors[-1].shape[1]:
        place = len(factors) - 1
    left, right = _chain(factors[:place]), _chain(factors[place:])
    if left.shape[1] == 1:
        if left.shape[0] == 1 or right.shape[1] == 1:
            operands = [work.value(left), work.value(right)]
            return work.emit("multiply", operands, dims, name=name)
        op = "outer" if work.is_timeless(left) and work.is_timeless(right) else "each_outer"
        return work.emit(op, [work.full(left), work.full(transpose(right))], dims, name=name)
    if left.shape[0] == 1:
        if right.shape[1] != 1:
            return vector(work, transpose(right), transpose(left), dims, name)
        entries = work.full(right)
        if not isinstance(left, OneMatrix):
            both = [work.full(transpose(left)), entries]
            moving = transpose(left) if work.is_timeless(right) else right
            entries = work.emit("multiply", both, work.layout(moving))
        return work.emit("total" if dims else "gather", [entries], dims, name=name)
    if right.shape[1] == 1:
        return vector(work, left, right, dims, name)
    if isinstance(left, DiagMatrix):
        operands = [work.full(left.args[0]), work.full(right)]
        return work.emit("scale_rows", operands, dims, name=name)
    if isinstance(right, DiagMatrix):
        operands = [work.full(left), work.full(right.args[0])]
        return work.emit("scale_columns", operands, dims, name=name)
    return work.emit("product", [work.full(left), work.full(right)], dims, name=name)


def vector(work: Lowering, matrix: MatrixExpr, column: MatrixExpr, dims: Dims, name: str) -> str:
    """A matrix times a column; sums of rows or columns where that is all ones."""
    turned = isinstance(matrix, Transpose)
    inner = matrix.arg if turned else matrix
    if isinstance(matrix, DiagMatrix):
        operands = [work.value(matrix.args[0]), work.value(column)]
        return work.emit("multiply", operands, dims, name=name)
    if work.is_timeless(matrix):
        op = "pull" if turned else "apply"
        return work.emit(op, [work.full(column), work.value(inner)], dims, name=name)
    if isinstance(column, OneMatrix):
        op = "sum_rows" if turned else "sum_columns"
        return work.emit(op, [work.full(inner)], dims, name=name)
    if turned:
        return work.emit("each_pull", [work.full(column), work.full(inner)], dims, name=name)
    return work.emit("each_apply", [work.full(inner), work.full(column)], dims, name=name)


def summed(work: Lowering, expr: MatrixExpr) -> str | None:
    """Σ A B over the samples as one product, rows being samples and what A and B share.

    None where the product is of another form.
    """
    number, rest = split_coefficient(expr)
    if not isinstance(rest, MatMul) or 1 in rest.shape:
        return None
    factors = rest.args
    place = next((k for k in range(1, len(factors)) if factors[k].shape[0] == 1), 0)
    if place:
        left, right = _chain(factors[:place]), _chain(factors[place:])
        operands = [work.rows(scale(number, left)), work.rows(transpose(right))]
        return work.emit("outer", operands, tuple(rest.shape))
    left, right = transpose(factors[0]), _chain(factors[1:])
    if any(isinstance(side, DiagMatrix) or work.is_timeless(side) for side in (left, right)):
        return None
    operands = [work.full(scale(number, left)), work.full(right)]
    return work.emit("outer", operands, tuple(rest.shape))


def _chain(factors: tuple[MatrixExpr, ...]) -> MatrixExpr:
    return factors[0] if len(factors) == 1 else MatMul(*factors)
