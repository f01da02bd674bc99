"""Expression nodes over SymPy matrices, and the constructors that keep the author's order.

In: SymPy matrix symbols with symbolic sizes. Out: immutable trees, equal when they look equal.
SymPy's own `MatAdd`, `MatMul`, `HadamardProduct`, `Transpose`, `OneMatrix`, `ZeroMatrix`,
`Identity` and `DiagMatrix` serve where they exist; they are only ever built through the
constructors here, which simplify locally and never sort. A scalar parameter is a 1×1 matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Final, Self, cast

from sympy import (
    Basic,
    Expr,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    OneMatrix,
    S,
    Symbol,
    Transpose,
    ZeroMatrix,
    sympify,
)
from sympy.core.symbol import Str
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.functions import ElementwiseFunction, function_of

Shape = tuple[Expr, Expr]
SCALAR: Final[Shape] = (S.One, S.One)


def size(name: str) -> Symbol:
    """The symbol of a size: a positive integer known by name only."""
    return Symbol(name, integer=True, positive=True)


class _Applied(MatrixExpr):  # type: ignore[misc]
    """A function of the table, or its slope, at every entry of the argument."""

    def __new__(cls, function: Basic | str, argument: MatrixExpr, *parameters: Number) -> _Applied:
        name = function if isinstance(function, Str) else Str(str(function))
        return cast("_Applied", Basic.__new__(cls, name, argument, *map(sympify, parameters)))

    @property
    def function(self) -> ElementwiseFunction:
        return function_of(self.args[0].name)

    @property
    def argument(self) -> MatrixExpr:
        return self.args[1]

    @property
    def parameters(self) -> tuple[Number, ...]:
        return cast("tuple[Number, ...]", self.args[2:])

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.argument.shape)


class Elementwise(_Applied):
    """φ(a): the function at every entry of a."""


class Slope(_Applied):
    """φ′(a): the slope of the function at every entry of a."""


class VectorFunction(MatrixExpr):  # type: ignore[misc]
    """A function of a column as a whole, of the column's size; `name` is how it is written."""

    name: ClassVar[str]

    def __new__(cls, argument: MatrixExpr) -> Self:
        return cast("Self", Basic.__new__(cls, argument))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class Softmax(VectorFunction):
    """softmax(a) = exp(a) / 𝟙ᵀexp(a) for a column a."""

    name = "softmax"


VECTOR_FUNCTIONS: Final[dict[str, type[VectorFunction]]] = {node.name: node for node in (Softmax,)}


class Quotient(MatrixExpr):  # type: ignore[misc]
    """a ⊘ b: entry by entry, the first over the second."""

    def __new__(cls, numerator: MatrixExpr, denominator: MatrixExpr) -> Quotient:
        return cast("Quotient", Basic.__new__(cls, numerator, denominator))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class Broadcast(MatrixExpr):  # type: ignore[misc]
    """s·𝟙: a 1×1 matrix repeated to the given shape."""

    def __new__(cls, scalar: MatrixExpr, rows: Expr, cols: Expr) -> Broadcast:
        return cast("Broadcast", Basic.__new__(cls, scalar, sympify(rows), sympify(cols)))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[1:])


class Concat(MatrixExpr):  # type: ignore[misc]
    """[a; b; …]: the arguments one below the other."""

    def __new__(cls, *parts: MatrixExpr) -> Concat:
        return cast("Concat", Basic.__new__(cls, *parts))

    @property
    def shape(self) -> Shape:
        return sum((part.shape[0] for part in self.args), S.Zero), self.args[0].shape[1]


class Rows(MatrixExpr):  # type: ignore[misc]
    """The `size` rows of the argument from row `start` on."""

    def __new__(cls, argument: MatrixExpr, start: Expr, size: Expr) -> Rows:
        return cast("Rows", Basic.__new__(cls, argument, sympify(start), sympify(size)))

    @property
    def shape(self) -> Shape:
        return self.args[2], self.args[0].shape[1]


class Columns(MatrixExpr):  # type: ignore[misc]
    """The `size` columns of the argument from column `start` on."""

    def __new__(cls, argument: MatrixExpr, start: Expr, size: Expr) -> Columns:
        return cast("Columns", Basic.__new__(cls, argument, sympify(start), sympify(size)))

    @property
    def shape(self) -> Shape:
        return self.args[0].shape[0], self.args[2]


class At(MatrixExpr):  # type: ignore[misc]
    """A sequence's value at one time: h_t or h_{t−1}."""

    def __new__(cls, symbol: MatrixSymbol, time: Expr) -> At:
        return cast("At", Basic.__new__(cls, symbol, sympify(time)))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class TimeSum(MatrixExpr):  # type: ignore[misc]
    """Σ of the body for index = first, …, last."""

    def __new__(cls, body: MatrixExpr, index: Symbol, first: Expr, last: Expr) -> TimeSum:
        return cast("TimeSum", Basic.__new__(cls, body, index, sympify(first), sympify(last)))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class TimeProduct(MatrixExpr):  # type: ignore[misc]
    """∏ of square factors, index from `latest` down to `earliest`, the latest on the left."""

    def __new__(cls, body: MatrixExpr, index: Symbol, latest: Expr, earliest: Expr) -> TimeProduct:
        return cast(
            "TimeProduct", Basic.__new__(cls, body, index, sympify(latest), sympify(earliest))
        )

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class Partial(MatrixExpr):  # type: ignore[misc]
    """∂u/∂v by name: the block of a Jacobian that another line writes out; of matrices, of vec."""

    def __new__(cls, of: MatrixExpr, by: MatrixExpr) -> Partial:
        return cast("Partial", Basic.__new__(cls, of, by))

    @property
    def shape(self) -> Shape:
        return entries(self.args[0]), entries(self.args[1])


class Blocks(MatrixExpr):  # type: ignore[misc]
    """A k×k block matrix of its entries, row by row."""

    def __new__(cls, *entries: MatrixExpr) -> Blocks:
        return cast("Blocks", Basic.__new__(cls, *entries))

    @property
    def order(self) -> int:
        return math.isqrt(len(self.args))

    @property
    def shape(self) -> Shape:
        step = self.order
        rows = sum((entry.shape[0] for entry in self.args[::step]), S.Zero)
        return rows, sum((entry.shape[1] for entry in self.args[:step]), S.Zero)


def entries(expr: MatrixExpr) -> Expr:
    """How many numbers a matrix holds; of a column its size."""
    rows, cols = expr.shape
    return rows * cols


def operands(node: MatrixExpr) -> tuple[MatrixExpr, ...]:
    """The matrix arguments of a node, its numbers and names left out."""
    return tuple(argument for argument in node.args if isinstance(argument, MatrixExpr))


def split_coefficient(expr: MatrixExpr) -> tuple[Number, MatrixExpr]:
    """The number c and the matrix X with expr = c X."""
    if isinstance(expr, MatMul) and isinstance(expr.args[0], Number):
        return _split(expr)
    return S.One, expr


@lru_cache(maxsize=4096)
def _split(product: MatMul) -> tuple[Number, MatrixExpr]:
    """A product with a number in front: folds over blocks ask for its parts at every step."""
    number, *rest = product.args
    return number, rest[0] if len(rest) == 1 else MatMul(*rest)


def scale(number: Number | int, expr: MatrixExpr) -> MatrixExpr:
    """The number times the matrix."""
    inner, rest = split_coefficient(expr)
    number = sympify(number) * inner
    if number == 0 or isinstance(rest, ZeroMatrix):
        return ZeroMatrix(*rest.shape)
    if number == 1:
        return rest
    return MatMul(number, *(rest.args if isinstance(rest, MatMul) else (rest,)))


def negate(expr: MatrixExpr) -> MatrixExpr:
    """−expr."""
    return scale(-1, expr)


def add(*terms: MatrixExpr) -> MatrixExpr:
    """The sum in the order given; zeros drop out."""
    flat: list[MatrixExpr] = []
    for term in terms:
        flat.extend(term.args if isinstance(term, MatAdd) else (term,))
    kept = [term for term in flat if not isinstance(term, ZeroMatrix)]
    if not kept:
        return ZeroMatrix(*terms[0].shape)
    return kept[0] if len(kept) == 1 else MatAdd(*kept)


def hadamard(*factors: MatrixExpr) -> MatrixExpr:
    """The elementwise product in the order given; ones drop out, numbers come to the front."""
    coefficient: Number = S.One
    flat: list[MatrixExpr] = []
    for factor in factors:
        number, rest = split_coefficient(factor)
        coefficient *= number
        flat.extend(rest.args if isinstance(rest, HadamardProduct) else (rest,))
    if any(isinstance(factor, ZeroMatrix) for factor in flat):
        return ZeroMatrix(*flat[0].shape)
    kept = [factor for factor in flat if not isinstance(factor, OneMatrix)] or flat[:1]
    return scale(coefficient, kept[0] if len(kept) == 1 else HadamardProduct(*kept))


def quotient(numerator: MatrixExpr, denominator: MatrixExpr) -> MatrixExpr:
    """The elementwise quotient; a numerator's number stays in front."""
    number, rest = split_coefficient(numerator)
    if isinstance(rest, ZeroMatrix):
        return rest
    return scale(number, Quotient(rest, denominator))


def product(*factors: MatrixExpr) -> MatrixExpr:
    """The matrix product; identities drop out, [A B] times [X; Y] is AX + BY."""
    coefficient: Number = S.One
    flat: list[MatrixExpr] = []
    for factor in factors:
        number, rest = split_coefficient(factor)
        coefficient *= number
        flat.extend(rest.args if isinstance(rest, MatMul) else (rest,))
    shape = (flat[0].shape[0], flat[-1].shape[1])
    if any(isinstance(factor, ZeroMatrix) for factor in flat):
        return ZeroMatrix(*shape)
    kept = [factor for factor in flat if not isinstance(factor, Identity)]
    if not kept:
        return scale(coefficient, flat[0])
    *left, last = kept
    if left and isinstance(last, Concat) and last.shape[1] != 1:
        start: Expr = Integer(0)
        parts = []
        for part in last.args:
            columns = Columns(left[-1], start, part.shape[0])
            parts.append(product(*left[:-1], columns, part))
            start += part.shape[0]
        return scale(coefficient, add(*parts))
    merged: list[MatrixExpr] = []
    for factor in kept:
        if merged and isinstance(factor, DiagMatrix) and isinstance(merged[-1], DiagMatrix):
            merged[-1] = diagonal(hadamard(merged[-1].args[0], factor.args[0]))
        else:
            merged.append(factor)
    return scale(coefficient, merged[0] if len(merged) == 1 else MatMul(*merged))


def diagonal(vector: MatrixExpr) -> MatrixExpr:
    """diag(v), with diag(c v) = c diag(v) and diag(𝟙) = I."""
    number, rest = split_coefficient(vector)
    if isinstance(rest, ZeroMatrix):
        return ZeroMatrix(rest.shape[0], rest.shape[0])
    if isinstance(rest, OneMatrix):
        return scale(number, Identity(rest.shape[0]))
    return scale(number, DiagMatrix(rest))


def transpose(expr: MatrixExpr) -> MatrixExpr:
    """Exprᵀ, pushed inwards: (AB)ᵀ = BᵀAᵀ; a column stays whole, as one row."""
    number, rest = split_coefficient(expr)
    if number != 1:
        return scale(number, transpose(rest))
    match rest:
        case Transpose():
            return rest.arg
        case MatMul() if rest.shape[1] != 1 or rest.shape == SCALAR:
            return product(*(transpose(factor) for factor in reversed(rest.args)))
        case MatAdd() if rest.shape[1] != 1:
            return add(*(transpose(term) for term in rest.args))
        case HadamardProduct() if rest.shape[1] != 1:
            return hadamard(*(transpose(factor) for factor in rest.args))
        case DiagMatrix() | Identity():
            return rest
        case ZeroMatrix() | OneMatrix():
            return type(rest)(*reversed(rest.shape))
        case Broadcast():
            return Broadcast(rest.args[0], *reversed(rest.shape))
    return rest if rest.shape == SCALAR else Transpose(rest)


def broadcast(scalar: MatrixExpr, shape: Shape) -> MatrixExpr:
    """The 1×1 matrix repeated to the shape; itself if it has that shape already."""
    if scalar.shape == shape:
        return scalar
    number, rest = split_coefficient(scalar)
    return scale(
        number, OneMatrix(*shape) if isinstance(rest, OneMatrix) else Broadcast(rest, *shape)
    )


def replace(expr: Basic, mapping: dict[MatrixExpr, MatrixExpr]) -> MatrixExpr:
    """The expression with whole sub-expressions exchanged, order and form kept."""
    if expr in mapping:
        return mapping[expr]
    if not expr.args or isinstance(expr, MatrixSymbol):
        return expr
    args = [replace(argument, mapping) for argument in expr.args]
    return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)


def symbols_of(expr: Basic) -> Iterator[MatrixSymbol]:
    """Each matrix symbol of the expression once, in the order of reading."""
    seen: set[MatrixSymbol] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, MatrixSymbol):
            if node not in seen:
                seen.add(node)
                yield node
        else:
            stack.extend(reversed(node.args))


@lru_cache(maxsize=4096)
def size_name(extent: Expr) -> str:
    """A size as it is written: "n", "n+m", "1"; states before inputs before the rest."""
    parts: list[str] = []
    for term in extent.args if extent.is_Add else (extent,):
        count, symbol = term.as_coeff_Mul()
        parts.extend([str(symbol)] * int(count) if symbol != 1 else [str(count)])
    return "+".join(sorted(parts, key=lambda part: ("nm".find(part[0]) % 3, part)))
