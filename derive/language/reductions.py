"""Numbers made of vectors, and what is defined by them: sums, means, norms, normalisations.

In: columns of the expression language. Out: expressions in its own terms. A sum is 𝟙ᵀa; a mean
divides it by the size, which is a constant of the language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from sympy import Basic, Expr, MatrixExpr, Number, OneMatrix, S, sympify

from derive.language.expr import (
    SCALAR,
    Elementwise,
    Shape,
    add,
    broadcast,
    hadamard,
    negate,
    product,
    quotient,
    scale,
)


class Extent(MatrixExpr):  # type: ignore[misc]
    """The number of entries of a column, as a 1×1 matrix."""

    def __new__(cls, extent: Expr) -> Extent:
        return cast("Extent", Basic.__new__(cls, sympify(extent)))

    @property
    def shape(self) -> Shape:
        return SCALAR


@dataclass(frozen=True)
class Reduction:
    """How a function of whole columns is written in the language.

    `write(columns, number)`: the columns, and the number that may follow them, 0 if none does.
    """

    name: str
    columns: int
    is_scalar: bool
    write: Callable[[tuple[MatrixExpr, ...], Number], MatrixExpr]
    takes_number: bool = False


def total(column: MatrixExpr) -> MatrixExpr:
    """𝟙ᵀa."""
    return product(OneMatrix(1, column.shape[0]), column)


def mean(column: MatrixExpr) -> MatrixExpr:
    """𝟙ᵀa / n."""
    return quotient(total(column), Extent(column.shape[0]))


def norm(column: MatrixExpr) -> MatrixExpr:
    """√(aᵀa)."""
    return Elementwise("sqrt", total(hadamard(column, column)))


def _divided(column: MatrixExpr, square: MatrixExpr, number: Number) -> MatrixExpr:
    """The column over the root of a number and what is added to it."""
    inside = square if number == 0 else add(square, scale(number, OneMatrix(1, 1)))
    return quotient(column, broadcast(Elementwise("sqrt", inside), column.shape))


def l2norm(column: MatrixExpr, number: Number = S.Zero) -> MatrixExpr:
    """A / √(aᵀa + ε)."""
    return _divided(column, total(hadamard(column, column)), number)


def rms_norm(column: MatrixExpr, number: Number = S.Zero) -> MatrixExpr:
    """A / √(mean(a²) + ε).

    Source: Zhang and Sennrich 2019, equation 4.
    """
    return _divided(column, mean(hadamard(column, column)), number)


def layer_norm(column: MatrixExpr, number: Number = S.Zero) -> MatrixExpr:
    """C / √(mean(c²) + ε) of c = a − mean(a).

    Source: Ba, Kiros and Hinton 2016, equation 4.
    """
    centred = add(column, negate(broadcast(mean(column), column.shape)))
    return rms_norm(centred, number)


REDUCTIONS: Final[dict[str, Reduction]] = {
    row.name: row
    for row in (
        Reduction("sum", 1, True, lambda columns, number: total(columns[0])),
        Reduction("dot", 2, True, lambda columns, number: total(hadamard(*columns))),
        Reduction("mean", 1, True, lambda columns, number: mean(columns[0])),
        Reduction("norm", 1, True, lambda columns, number: norm(columns[0])),
        Reduction("l2norm", 1, False, lambda columns, number: l2norm(columns[0], number), True),
        Reduction("rms_norm", 1, False, lambda columns, number: rms_norm(columns[0], number), True),
        Reduction(
            "layer_norm", 1, False, lambda columns, number: layer_norm(columns[0], number), True
        ),
    )
}
