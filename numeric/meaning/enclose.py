"""Expressions over intervals: what every value of the symbols' boxes can make of them.

In: expressions of the language, and an `Interval` for each symbol. Out: an `Interval` that
contains the value for every choice in the boxes. The rules are the interpreter's, on intervals;
functions and slopes have rules of their own (`enclose_functions.py`), and a sum that is affine
in a symbol is taken at that symbol's two ends, so that (1 − z) ⊙ a + z ⊙ b stays between a and b.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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
from numeric.meaning.interpret import NODES, Meaning, Step, Valued, columns_of, of_argument
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


def _softmax(argument: Interval) -> Interval:
    shift = argument.hi.max(axis=0, keepdims=True)
    powers = iv.exp(argument - shift)
    found = powers / powers.sum(axis=0, keepdims=True)
    return Interval(np.clip(found.lo, 0.0, 1.0), np.clip(found.hi, 0.0, 1.0))


def _identity(node: Identity, of: Meaning) -> Valued:
    return lambda step: interval(np.eye(step.size(node.shape[0])))


def _diagonal(node: DiagMatrix, of: Meaning) -> Valued:
    inner = of(node.args[0])

    def value(step: Step) -> Interval:
        column = inner(step)
        if column.shape[-1] != 1:
            raise ValueError(f"{node} differs from step to step: it is no one matrix")
        return interval(np.eye(column.shape[-2])).__mul__(column)

    return value


def _hadamard(node: HadamardProduct, of: Meaning) -> Valued:
    """Equal factors as a square, which is not negative."""
    factors = [(of(factor), count) for factor, count in Counter(node.args).items()]

    def value(step: Step) -> Interval:
        found: Interval | None = None
        for factor, count in factors:
            value = factor(step)
            power = value.square() if count == 2 else value
            for _ in range(count - 1 if count > 2 else 0):
                power = power * value
            found = power if found is None else found * power
        assert found is not None
        return found

    return value


def _elementwise(node: Elementwise, of: Meaning) -> Valued:
    rule, inner = value_on(node.function, node.parameters), of(node.argument)
    return lambda step: rule(inner(step))


def _slope(node: Slope, of: Meaning) -> Valued:
    inner, parameters = of(node.argument), node.parameters
    if (name := unprimed(node.function.name)) is not None:
        function = function_of(name)
        return lambda step: curvature_on(function, parameters, inner(step))
    rule = slope_on(node.function, parameters)
    return lambda step: rule(inner(step))


def _linear_map(node: LinearMap, of: Meaning) -> Valued:
    """The matrix of the map: what becomes of each change of one entry."""
    body, change = node.args
    inner = of(body)

    def value(step: Step) -> Interval:
        rows, columns = (step.size(extent) for extent in change.shape)
        moved = interval(np.eye(rows * columns).reshape((-1, rows, columns)))
        found = inner(Step({**step.values, change.name: moved}, step.sizes))
        count = step.size(node.shape[0])
        return Interval(columns_of(found.lo, count), columns_of(found.hi, count))

    return value


def _vec(found: Interval) -> Interval:
    return Interval(found.lo.reshape((-1, 1)), found.hi.reshape((-1, 1)))


def _of_two(join: Callable[[Interval, Interval], Interval]) -> Callable[[Any, Meaning], Valued]:
    def rule(node: MatrixExpr, of: Meaning) -> Valued:
        one, two = map(of, node.args)
        return lambda step: join(one(step), two(step))

    return rule


def _chosen(pick: Callable[[Array, Array], Array]) -> Callable[[Interval, Interval], Interval]:
    """Larger or smaller at both ends: either rises with each of its two."""
    return lambda one, two: Interval(pick(one.lo, two.lo), pick(one.hi, two.hi))


def _at_least(one: Interval, two: Interval) -> Interval:
    return Interval(np.where(one.lo >= two.hi, 1.0, 0.0), np.where(one.hi >= two.lo, 1.0, 0.0))


def _below(one: Interval, two: Interval) -> Interval:
    return Interval(np.where(one.hi < two.lo, 1.0, 0.0), np.where(one.lo < two.hi, 1.0, 0.0))


_OWN: Final[dict[type, Callable[[Any, Meaning], Valued]]] = {
    Elementwise: _elementwise, Slope: _slope,
    Maximum: _of_two(_chosen(np.maximum)), Minimum: _of_two(_chosen(np.minimum)),
    AtLeast: _of_two(_at_least), Below: _of_two(_below),
    Softmax: of_argument(_softmax), Identity: _identity, DiagMatrix: _diagonal,
    HadamardProduct: _hadamard, LinearMap: _linear_map, Vec: of_argument(_vec),
}  # fmt: skip


# ---- expressions -----------------------------------------------------------------------------


class _Compiling:
    """The meaning of every node on intervals, made once."""

    arithmetic = BOXES

    def __call__(self, node: MatrixExpr) -> Valued:
        return enclosing(node)


@lru_cache(maxsize=65536)
def enclosing(node: MatrixExpr) -> Valued:
    """The node as a function of a step whose values are intervals; NumPy's warnings are not told.

    Raises:
        TypeError: if a node has no meaning on intervals.
    """
    rule = _OWN.get(type(node)) or NODES.get(type(node))
    if rule is None:
        raise TypeError(f"no interval for the node {type(node).__name__}: {node}")
    made = rule(node, _Compiling())
    names = affine_symbols(node) if isinstance(node, MatAdd) else ()
    return _at_the_ends(names, made) if names else made


def _at_the_ends(names: tuple[str, ...], made: Valued) -> Valued:
    """The value at both ends of each of these symbols that is no single number."""

    def value(step: Step) -> Interval:
        for name in names:
            held = step.values[name]
            if not held.exact:
                low, high = (value(Step({**step.values, name: end}, step.sizes))
                             for end in held.both_ends())  # fmt: skip
                return low.hull(high)
        found: Interval = made(step)
        return found

    return value


def enclose(
    expression: MatrixExpr, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> Interval:
    """An interval that contains the expression's value for all values in the boxes.

    Raises:
        TypeError: if a node has no meaning on intervals.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        found: Interval = enclosing(expression)(Step(values, sizes))
        return found


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
