"""Expressions as functions of values that have a matrix for each sample.

In: an expression of `derive.language.expr`. Out: a function of the values of its symbols, of shapes
(…, rows, columns): what time and batch do not change has no leading axes, and broadcasts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any, Final

import numpy as np
from sympy import MatAdd, MatMul, MatrixExpr, MatrixSymbol, OneMatrix, Transpose, ZeroMatrix
from sympy.matrices.expressions import HadamardProduct

from derive.language.expr import (
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    Softmax,
    VectorFunction,
    operands,
    split_coefficient,
)
from numeric.meaning.interpret import NODES, Step, scalar
from numeric.meaning.sizes import extent_of
from numeric.numbers.arithmetic import FLOATS

Array = Any
Values = Mapping[str, Array]
Function = Callable[[Values, Mapping[str, int]], Array]


@lru_cache(maxsize=65536)
def compiled(node: MatrixExpr) -> Function:
    """The expression as a function of the values of its symbols; shapes (…, rows, columns).

    Raises:
        TypeError: if the node has no meaning here.
    """
    if isinstance(node, MatrixSymbol):
        name = node.name
        return lambda values, sizes: values[name]
    number, rest = split_coefficient(node)
    if number != 1:
        inner, factor = compiled(rest), float(number)
        return lambda values, sizes: factor * inner(values, sizes)
    if isinstance(node, (OneMatrix, ZeroMatrix)):
        value, shape = float(isinstance(node, OneMatrix)), node.shape
        return lambda values, sizes: np.full([extent_of(e, sizes) for e in shape], value)
    parts = tuple(map(compiled, operands(node)))
    if type(node) in _FOLDED:
        return _folded(_FOLDED[type(node)], parts)
    if isinstance(node, (Elementwise, Slope)):
        row = node.function
        formula = row.bind(row.formula if isinstance(node, Elementwise) else row.slope,
                           node.parameters)  # fmt: skip
        return lambda values, sizes: (
            scalar(formula, argument := parts[0](values, sizes), FLOATS) + 0 * argument
        )
    if isinstance(node, VectorFunction) and type(node) not in _WHOLE and type(node) in NODES:
        return lambda values, sizes: NODES[type(node)](node, _Samples(values, sizes, FLOATS))
    if type(node) not in _WHOLE:
        raise TypeError(f"no number for the node {type(node).__name__}: {node}")
    make = _WHOLE[type(node)]
    return lambda values, sizes: make([p(values, sizes) for p in parts], node, sizes)


class _Samples(Step):
    """The interpreter's step on values with leading axes, for rules that count axes from behind."""

    def __call__(self, node: MatrixExpr) -> Array:
        return compiled(node)(self.values, self.sizes)


def _folded(join: Callable[[Array, Array], Array], parts: tuple[Function, ...]) -> Function:
    if len(parts) == 2:
        one, two = parts
        return lambda values, sizes: join(one(values, sizes), two(values, sizes))
    return lambda values, sizes: reduce(join, [part(values, sizes) for part in parts])


def _concat(parts: list[Array], node: MatrixExpr, sizes: Mapping[str, int]) -> Array:
    lead = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
    full = [np.broadcast_to(part, (*lead, *part.shape[-2:])) for part in parts]
    return np.concatenate(full, axis=-2)


def _rows(parts: list[Array], node: MatrixExpr, sizes: Mapping[str, int]) -> Array:
    start, size = (extent_of(extent, sizes) for extent in node.args[1:])
    return parts[0][..., start : start + size, :]


def _softmax(parts: list[Array], node: MatrixExpr, sizes: Mapping[str, int]) -> Array:
    powers = np.exp(parts[0] - parts[0].max(axis=-2, keepdims=True))
    return powers / powers.sum(axis=-2, keepdims=True)


def _spread(parts: list[Array], node: MatrixExpr, sizes: Mapping[str, int]) -> Array:
    return parts[0] * np.ones([extent_of(extent, sizes) for extent in node.shape])


_FOLDED: Final[Mapping[type, Callable[[Array, Array], Array]]] = {
    MatAdd: operator.add, MatMul: operator.matmul, HadamardProduct: operator.mul,
    Quotient: operator.truediv,
}  # fmt: skip
_WHOLE: Final[Mapping[type, Callable[[list[Array], Any, Mapping[str, int]], Array]]] = {
    Transpose: lambda parts, node, sizes: np.swapaxes(parts[0], -1, -2),
    Concat: _concat, Rows: _rows, Softmax: _softmax, Broadcast: _spread,
}  # fmt: skip
