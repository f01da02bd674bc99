"""Expressions over intervals: what every value of the symbols' boxes can make of them.

In: expressions of the language, and an `Interval` for each symbol. Out: an `Interval` that
contains the value for every choice in the boxes. The rules are the interpreter's, on intervals;
functions and slopes have rules of their own (`enclose_functions.py`), and a sum that is affine
in a symbol is taken at that symbol's two ends, so that (1 − z) ⊙ a + z ⊙ b stays between a and b.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from sympy import (
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    preorder_traversal,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import Broadcast, Elementwise, Slope, Softmax
from derive.language.expr import replace as exchange
from derive.language.functions import function_of, unprimed
from derive.language.maps import LinearMap, Vec
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from numeric.meaning.enclose_curvature import curvature_on
from numeric.meaning.enclose_functions import number, slope_on, value_on
from numeric.meaning.interpret import Walk, columns_of
from numeric.numbers import intervals as iv
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.intervals import Interval, interval

Array = Any
_PIVOTS: Final = 3


class _Boxes(Arithmetic):
    """Numbers as intervals."""

    def full(self, rows: int, columns: int, value: Number) -> Interval:
        """The matrix that holds the number everywhere."""
        found = number(value)
        lo = np.full((rows, columns), found.lo)
        return Interval(lo, lo if found.exact else np.full((rows, columns), found.hi))


BOXES: Final = _Boxes(
    namespace=SimpleNamespace(exp=iv.exp, concatenate=iv.stacked, broadcast_to=iv.repeated),
    number=number,
)


def _softmax(node: Softmax, step: _Enclosing) -> Interval:
    argument = step(node.args[0])
    shift = argument.hi.max(axis=0, keepdims=True)
    powers = iv.exp(argument - shift)
    found = powers / powers.sum(axis=0, keepdims=True)
    return Interval(np.clip(found.lo, 0.0, 1.0), np.clip(found.hi, 0.0, 1.0))


def _identity(node: Identity, step: _Enclosing) -> Interval:
    return interval(np.eye(step.size(node.shape[0])))


def _diagonal(node: DiagMatrix, step: _Enclosing) -> Interval:
    column = step(node.args[0])
    if column.shape[-1] != 1:
        raise ValueError(f"{node} differs from step to step: it is no one matrix")
    return interval(np.eye(column.shape[-2])).__mul__(column)


@lru_cache(maxsize=4096)
def _powers(node: HadamardProduct) -> tuple[tuple[MatrixExpr, int], ...]:
    """The factors, each with how often it stands there."""
    return tuple(Counter(node.args).items())


def _hadamard(node: HadamardProduct, step: _Enclosing) -> Interval:
    """Equal factors as a square, which is not negative."""
    found: Interval | None = None
    for factor, count in _powers(node):
        value = step(factor)
        power = value.square() if count == 2 else value
        for _ in range(count - 1 if count > 2 else 0):
            power = power * value
        found = power if found is None else found * power
    assert found is not None
    return found


def _slope(node: Slope, step: _Enclosing) -> Interval:
    argument = step(node.argument)
    if (of := unprimed(node.function.name)) is not None:
        return curvature_on(function_of(of), node.parameters, argument)
    return slope_on(node.function, node.parameters, argument)


def _linear_map(node: LinearMap, step: _Enclosing) -> Interval:
    """The matrix of the map: what becomes of each change of one entry."""
    body, change = node.args
    rows, columns = (step.size(extent) for extent in change.shape)
    moved = interval(np.eye(rows * columns).reshape((-1, rows, columns)))
    found = replace(step, values={**step.values, change.name: moved})(body)
    count = step.size(node.shape[0])
    return Interval(columns_of(found.lo, count), columns_of(found.hi, count))


def _vec(node: Vec, step: _Enclosing) -> Interval:
    found = step(node.args[0])
    return Interval(found.lo.reshape((-1, 1)), found.hi.reshape((-1, 1)))


def _chosen(node: MatrixExpr, step: _Enclosing) -> Interval:
    """Larger or smaller at both ends: either rises with each of its two."""
    pick = np.maximum if isinstance(node, Maximum) else np.minimum
    one, two = map(step, node.args)
    return Interval(pick(one.lo, two.lo), pick(one.hi, two.hi))


def _at_least(node: AtLeast, step: _Enclosing) -> Interval:
    one, two = map(step, node.args)
    return Interval(np.where(one.lo >= two.hi, 1.0, 0.0), np.where(one.hi >= two.lo, 1.0, 0.0))


def _below(node: Below, step: _Enclosing) -> Interval:
    one, two = map(step, node.args)
    return Interval(np.where(one.hi < two.lo, 1.0, 0.0), np.where(one.lo < two.hi, 1.0, 0.0))


_OWN: Final[dict[type, Callable[[Any, Any], Interval]]] = {
    Elementwise: lambda node, step: value_on(node.function, node.parameters, step(node.argument)),
    Slope: _slope,
    Maximum: _chosen, Minimum: _chosen, AtLeast: _at_least, Below: _below,
    Softmax: _softmax, Identity: _identity, DiagMatrix: _diagonal, HadamardProduct: _hadamard,
    LinearMap: _linear_map, Vec: _vec,
}  # fmt: skip


# ---- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Enclosing(Walk):
    """The interpreter's step, on intervals; a part is enclosed when its value is asked for."""

    def __call__(self, node: MatrixExpr) -> Interval:
        if isinstance(node, MatAdd):
            for name in affine_symbols(node):
                if not (held := self.values[name]).exact:
                    ends = (replace(self, values={**self.values, name: interval(end)})
                            for end in (held.lo, held.hi))  # fmt: skip
                    low, high = (end(node) for end in ends)
                    return low.hull(high)
        if (own := _OWN.get(type(node))) is not None:
            return own(node, self)
        found: Interval = super().__call__(node)
        return found


def enclose(
    expression: MatrixExpr, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> Interval:
    """An interval that contains the expression's value for all values in the boxes.

    Raises:
        TypeError: if a node has no meaning on intervals.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        return _Enclosing(values, sizes, BOXES)(expression)


@lru_cache(maxsize=4096)
def affine_symbols(node: MatrixExpr) -> tuple[str, ...]:
    """The symbols that occur at least twice, in each entry affinely and only there.

    Then each entry of the value is affine in the symbol's entry of the same place, its extremes
    lie at the ends, and taking the other symbols as independent only widens the result.
    """
    counts = Counter(s for s in preorder_traversal(node) if isinstance(s, MatrixSymbol))
    repeated = [s for s, count in counts.items() if count > 1 and s.shape == node.shape]
    return tuple(s.name for s in repeated if _degree(node, s) <= 1)[:_PIVOTS]


def _degree(node: MatrixExpr, symbol: MatrixSymbol) -> int:
    """The degree of an entry in the symbol's entry of the same place; 2 stands for anything."""
    if node == symbol:
        return 1
    if not node.has(symbol):
        return 0
    if isinstance(node, MatAdd):
        return max(_degree(part, symbol) for part in node.args)
    if isinstance(node, HadamardProduct):
        return min(2, sum(_degree(part, symbol) for part in node.args))
    if isinstance(node, MatMul) and len(node.args) == 2 and isinstance(node.args[0], Number):
        return _degree(node.args[1], symbol)
    return 2


def plain_equations(pairs: Iterator[tuple[Any, Any]]) -> tuple[tuple[Any, MatrixExpr], ...]:
    """The equations with names of affine parts, as f = 1 − i, written out where they are used.

    Otherwise z ⊙ i + c ⊙ f forgets that f and i belong together.
    """
    written: dict[MatrixExpr, MatrixExpr] = {}
    found = []
    for target, value in pairs:
        value = exchange(value, written)
        found.append((target, value))
        inner = {s for s in preorder_traversal(value) if isinstance(s, MatrixSymbol)}
        plain = not any(isinstance(p, (Elementwise, Slope, Softmax, Broadcast))
                        for p in preorder_traversal(value))  # fmt: skip
        if len(inner) == 1 and plain and isinstance(value, MatAdd):
            (symbol,) = inner
            if symbol.shape == value.shape and _degree(value, symbol) == 1:
                written[target] = value
    return tuple(found)
