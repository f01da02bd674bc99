"""The expression language over any arithmetic: what a cell's equations mean in numbers.

In: expressions of the language. Out: functions of arrays, each made once for an arithmetic.
Floats, boxes of a differentiation tool, multi-precision numbers and field elements all go the
same road: `NODES` gives each node its meaning, `formulas` each function. The oracles stand on
this file, so it shares nothing with the lowering, the emitter or the rules of differentiation.

Shapes: (…, rows, columns). Either a vector of one sample is a column, the batch lies side by side,
(n, B), and what time does not change has one column, (n, 1), and broadcasts; or samples and steps
have leading axes, and what they do not change has none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
from sympy import (
    Expr,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import (
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    Softmax,
    split_coefficient,
)
from derive.language.maps import LinearMap, Vec
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from derive.language.reductions import Extent
from numeric.meaning.formulas import Scalar, formula_of, function_of, joined
from numeric.meaning.sizes import extent_of
from numeric.numbers.arithmetic import FLOATS, Arithmetic

Array = Any


@dataclass(frozen=True)
class Step:
    """The values known, at one time step or at all, and the sizes."""

    values: Mapping[str, Array]
    sizes: Mapping[str, int]

    def size(self, extent: Expr) -> int:
        """The number that an extent is."""
        return extent_of(extent, self.sizes)


@dataclass(frozen=True)
class Walk(Step):
    """A step that values node by node: for what means one thing here and another elsewhere."""

    arithmetic: Arithmetic = FLOATS

    def __call__(self, node: MatrixExpr) -> Array:
        """The value of a node.

        Raises:
            TypeError: for a node that has no meaning in `NODES`.
        """
        return _walked(_rule(node), node, self.arithmetic)(self)

    def all(self, nodes: Sequence[MatrixExpr]) -> list[Array]:
        """The values of several nodes."""
        return [self(node) for node in nodes]


Valued = Callable[[Any], Array]  # the value of a node at a step


class Meaning(Protocol):
    """What a rule of `NODES` is given: an arithmetic, and the meaning of a node's parts."""

    @property
    def arithmetic(self) -> Arithmetic:
        """How numbers compute."""

    def __call__(self, node: MatrixExpr) -> Valued:
        """The node as a function of a step."""


@dataclass(frozen=True)
class _Compiling:
    """The meaning of every node, made once."""

    arithmetic: Arithmetic

    def __call__(self, node: MatrixExpr) -> Valued:
        return compiled(node, self.arithmetic)


@dataclass(frozen=True)
class _Later:
    """The meaning of a part is asked of the step itself, when its value is."""

    arithmetic: Arithmetic

    def __call__(self, node: MatrixExpr) -> Valued:
        return lambda step: step(node)


def compiled(node: MatrixExpr, arithmetic: Arithmetic = FLOATS) -> Valued:
    """The node as a function of a step, its values of shapes (…, rows, columns).

    Raises:
        TypeError: for a node that has no meaning in `NODES`.
    """
    return _made(_rule(node), node, arithmetic)


@lru_cache(maxsize=65536)
def _made(
    rule: Callable[[Any, Meaning], Valued], node: MatrixExpr, arithmetic: Arithmetic
) -> Valued:
    return rule(node, _Compiling(arithmetic))


@lru_cache(maxsize=65536)
def _walked(
    rule: Callable[[Any, Meaning], Valued], node: MatrixExpr, arithmetic: Arithmetic
) -> Valued:
    return rule(node, _Later(arithmetic))


def _rule(node: MatrixExpr) -> Callable[[Any, Meaning], Valued]:
    try:
        return NODES[type(node)]
    except KeyError:
        raise TypeError(f"no number for the node {type(node).__name__}: {node}") from None


# ---- matrices --------------------------------------------------------------------------------


def _symbol(node: MatrixSymbol, of: Meaning) -> Valued:
    name = node.name
    return lambda step: step.values[name]


def of_argument(change: Callable[[Array], Array]) -> Callable[[Any, Meaning], Valued]:
    """The rule of a node of one argument: what becomes of the argument's value."""

    def rule(node: MatrixExpr, of: Meaning) -> Valued:
        inner = of(node.args[0])
        return lambda step: change(inner(step))

    return rule


def _folded(join: Callable[[Array, Array], Array]) -> Callable[[Any, Meaning], Valued]:
    return lambda node, of: joined(join, [of(part) for part in node.args])


def _product(node: MatMul, of: Meaning) -> Valued:
    number, rest = split_coefficient(node)
    factors = rest.args if isinstance(rest, MatMul) else (rest,)
    value = joined(operator.matmul, [of(factor) for factor in factors])
    if number == 1:
        return value
    held = of.arithmetic.number(number)
    return lambda step: held * value(step)


def _transposed(array: Array) -> Array:
    return array.T if len(array.shape) == 2 else array.swapaxes(-1, -2)


def _constant(number: int) -> Callable[[MatrixExpr, Meaning], Valued]:
    def rule(node: MatrixExpr, of: Meaning) -> Valued:
        rows, columns = node.shape
        full, entry = of.arithmetic.full, Integer(number)
        return lambda step: full(step.size(rows), step.size(columns), entry)

    return rule


def _extent(node: Extent, of: Meaning) -> Valued:
    full, extent = of.arithmetic.full, node.args[0]
    return lambda step: full(1, 1, Integer(step.size(extent)))


def _identity(node: Identity, of: Meaning) -> Valued:
    full, extent = of.arithmetic.full, node.shape[0]

    def value(step: Step) -> Array:
        rows = step.size(extent)
        zero, one = (full(rows, rows, Integer(number)) for number in (0, 1))
        return np.where(np.eye(rows, dtype=bool), one, zero)

    return value


def _diagonal(node: DiagMatrix, of: Meaning) -> Valued:
    inner, ones = of(node.args[0]), _identity(Identity(node.shape[0]), of)

    def value(step: Step) -> Array:
        vector = inner(step)
        if vector.shape[-1] != 1:
            raise ValueError(f"{node} differs from sample to sample: it is no one matrix")
        return ones(step) * vector

    return value


def _broadcast(node: Broadcast, of: Meaning) -> Valued:
    ones, inner = _constant(1)(node, of), of(node.args[0])
    return lambda step: ones(step) * inner(step)


def _concat(node: Concat, of: Meaning) -> Valued:
    parts, arithmetic = [of(part) for part in node.args], of.arithmetic

    def value(step: Step) -> Array:
        found = [part(step) for part in parts]
        *lead, columns = np.broadcast_shapes(*((*p.shape[:-2], p.shape[-1]) for p in found))
        ones = arithmetic.full(1, columns, Integer(1))
        if lead:
            ones = arithmetic.namespace.broadcast_to(ones, (*lead, 1, columns))
        wide = [p if (*p.shape[:-2], p.shape[-1]) == (*lead, columns) else p * ones for p in found]
        return arithmetic.namespace.concatenate(wide, axis=-2)

    return value


def _rows(node: Rows, of: Meaning) -> Valued:
    inner, (start, size) = of(node.args[0]), node.args[1:]
    return lambda step: inner(step)[
        ..., (first := step.size(start)) : first + step.size(size), :
    ]  # fmt: skip


def _columns(node: Columns, of: Meaning) -> Valued:
    inner, (start, size) = of(node.args[0]), node.args[1:]
    return lambda step: inner(step)[..., (first := step.size(start)) : first + step.size(size)]


def _softmax(node: Softmax, of: Meaning) -> Valued:
    inner, arithmetic = of(node.args[0]), of.arithmetic

    def value(step: Step) -> Array:
        argument = inner(step)
        if arithmetic.shifted and argument.size:
            argument = argument - argument.max(axis=-2, keepdims=True)
        powers = arithmetic.namespace.exp(argument)
        return powers / powers.sum(axis=-2, keepdims=True)

    return value


def _elementwise(node: Elementwise, of: Meaning) -> Valued:
    value = function_of(node.function, node.parameters, of.arithmetic)
    return _applied(value, of(node.argument), of)


def _slope(node: Slope, of: Meaning) -> Valued:
    function = node.function
    slope = formula_of(function.bind(function.slope, node.parameters), of.arithmetic)
    return _applied(slope, of(node.argument), of)


def _applied(function: Scalar, inner: Valued, of: Meaning) -> Valued:
    """The function of every entry; a number everywhere where it does not depend on them."""
    zero = of.arithmetic.number(Integer(0))

    def value(step: Step) -> Array:
        argument = inner(step)
        found = function(argument)
        return found if np.ndim(found) else argument * zero + found

    return value


def basis(change: MatrixExpr, step: Step, full: Callable[..., Array]) -> Array:
    """Every matrix of that shape with one entry 1 and the others 0, one behind the other.

    Shapes: (p, n, k) with p = n k.
    """
    rows, columns = (step.size(extent) for extent in change.shape)
    zero, one = (full(rows * columns, rows * columns, Integer(number)) for number in (0, 1))
    eye = np.where(np.eye(rows * columns, dtype=bool), one, zero)
    return eye.reshape((-1, rows, columns))


def columns_of(images: Array, rows: int) -> Array:
    """The matrix whose columns are the images of a basis.

    Shapes: images (p, n, k), or (n, k) where all are one.
    """
    return images.reshape((-1, rows)).T


def _linear_map(node: LinearMap, of: Meaning) -> Valued:
    """As a matrix, from vec of the change to vec of the body: one sample's values alone."""
    (body, change), full = node.args, of.arithmetic.full
    inner, rows = of(body), node.shape[0]

    def value(step: Step) -> Array:
        moved = replace(step, values={**step.values, change.name: basis(change, step, full)})
        return columns_of(inner(moved), step.size(rows))

    return value


def _pair(
    compare: Callable[[Array, Array], Array], *, chooses: bool
) -> Callable[[Any, Meaning], Valued]:
    """One of two numbers by comparing them, or 1 and 0."""

    def rule(node: MatrixExpr, of: Meaning) -> Valued:
        one, two = map(of, node.args)
        decide, where = of.arithmetic.decide, of.arithmetic.namespace.where
        yes, no = (of.arithmetic.number(Integer(number)) for number in (1, 0))

        def value(step: Step) -> Array:
            a, b = one(step), two(step)
            if a.shape != b.shape:
                ones = np.ones(np.broadcast_shapes(a.shape, b.shape))
                a, b = a * ones, b * ones
            found = compare(decide(a), decide(b))
            return where(found, a, b) if chooses else where(found, yes, no)

        return value

    return rule


NODES: Final[dict[type, Callable[[Any, Meaning], Valued]]] = {
    MatrixSymbol: _symbol, MatAdd: _folded(operator.add), MatMul: _product,
    HadamardProduct: _folded(operator.mul), Quotient: _folded(operator.truediv),
    Transpose: of_argument(_transposed), OneMatrix: _constant(1), ZeroMatrix: _constant(0),
    Identity: _identity, DiagMatrix: _diagonal, Broadcast: _broadcast, Concat: _concat,
    Extent: _extent,
    Maximum: _pair(operator.ge, chooses=True), Minimum: _pair(operator.le, chooses=True),
    AtLeast: _pair(operator.ge, chooses=False), Below: _pair(operator.lt, chooses=False),
    Rows: _rows, Columns: _columns, Softmax: _softmax, Elementwise: _elementwise, Slope: _slope,
    Vec: of_argument(lambda a: a.reshape((*a.shape[:-2], -1, 1))), LinearMap: _linear_map,
}  # fmt: skip


# ---- what users of this file call ------------------------------------------------------------


def evaluate(
    expression: MatrixExpr,
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic = FLOATS,
) -> Array:
    """The value of the expression, its symbols' values given by name, vectors as columns.

    Raises:
        TypeError: if a node has no meaning in numbers.
    """
    return compiled(expression, arithmetic)(Step(values, sizes))
