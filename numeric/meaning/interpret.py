"""The expression language over any arithmetic: what a cell's equations mean in numbers.

In: expressions of the language and arrays. Out: arrays. Floats, boxes of a differentiation
tool, multi-precision numbers and field elements all go the same road: `NODES` gives each node
its meaning, `SCALARS` each part of a function's formula. The oracles stand on this file, so it
shares nothing with the lowering, the emitter or the rules of differentiation.

Columns: a vector of one sample is a column, the batch lies side by side, (n, B); what time does
not change has one column, (n, 1), and broadcasts; a scalar is (1, 1) or (1, B).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, Final

import numpy as np
from sympy import (
    Add,
    And,
    Basic,
    Expr,
    Function,
    GreaterThan,
    Heaviside,
    Identity,
    Integer,
    LessThan,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Max,
    Min,
    Mul,
    OneMatrix,
    Or,
    Piecewise,
    Pow,
    StrictGreaterThan,
    StrictLessThan,
    Transpose,
    ZeroMatrix,
)
from sympy.logic.boolalg import BooleanTrue
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.cell import Cell, previous
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
from derive.language.functions import X
from numeric.meaning.sizes import extent_of, sizes_of
from numeric.numbers.arithmetic import FLOATS, Arithmetic
from numeric.numbers.primitives import ufunc_name

Array = Any


@dataclass(frozen=True)
class Step:
    """The values known at one time step, and the sizes."""

    values: Mapping[str, Array]
    sizes: Mapping[str, int]
    arithmetic: Arithmetic

    def __call__(self, node: MatrixExpr) -> Array:
        """The value of a node.

        Raises:
            TypeError: for a node that has no meaning in `NODES`.
        """
        try:
            rule = NODES[type(node)]
        except KeyError:
            raise TypeError(f"no number for the node {type(node).__name__}: {node}") from None
        return rule(node, self)

    def all(self, nodes: Sequence[MatrixExpr]) -> list[Array]:
        """The values of several nodes."""
        return [self(node) for node in nodes]

    def size(self, extent: Expr) -> int:
        """The number that an extent is."""
        return extent_of(extent, self.sizes)


# ---- matrices --------------------------------------------------------------------------------


def _symbol(node: MatrixSymbol, step: Step) -> Array:
    return step.values[node.name]


def _sum(node: MatAdd, step: Step) -> Array:
    return reduce(operator.add, step.all(node.args))


def _product(node: MatMul, step: Step) -> Array:
    number, rest = split_coefficient(node)
    factors = rest.args if isinstance(rest, MatMul) else (rest,)
    value = reduce(operator.matmul, step.all(factors))
    return value if number == 1 else step.arithmetic.number(number) * value


def _hadamard(node: HadamardProduct, step: Step) -> Array:
    return reduce(operator.mul, step.all(node.args))


def _quotient(node: Quotient, step: Step) -> Array:
    return step(node.args[0]) / step(node.args[1])


def _transpose(node: Transpose, step: Step) -> Array:
    return step(node.arg).T


def _constant(number: int) -> Callable[[MatrixExpr, Step], Array]:
    def rule(node: MatrixExpr, step: Step) -> Array:
        rows, columns = map(step.size, node.shape)
        return step.arithmetic.full(rows, columns, Integer(number))

    return rule


def _identity(node: Identity, step: Step) -> Array:
    rows = step.size(node.shape[0])
    zero, one = (step.arithmetic.full(rows, rows, Integer(number)) for number in (0, 1))
    return np.where(np.eye(rows, dtype=bool), one, zero)


def _diagonal(node: DiagMatrix, step: Step) -> Array:
    vector = step(node.args[0])
    if vector.shape[1] != 1:
        raise ValueError(f"{node} differs from sample to sample: it is no one matrix")
    return _identity(Identity(node.shape[0]), step) * vector


def _broadcast(node: Broadcast, step: Step) -> Array:
    rows, columns = map(step.size, node.shape)
    return step.arithmetic.full(rows, columns, Integer(1)) * step(node.args[0])


def _concat(node: Concat, step: Step) -> Array:
    parts = step.all(node.args)
    columns = max(part.shape[1] for part in parts) if all(p.shape[1] for p in parts) else 0
    ones = step.arithmetic.full(1, columns, Integer(1))
    wide = [part if part.shape[1] == columns else part[:, :1] * ones for part in parts]
    return step.arithmetic.namespace.concatenate(wide)


def _rows(node: Rows, step: Step) -> Array:
    start, size = map(step.size, node.args[1:])
    return step(node.args[0])[start : start + size]


def _columns(node: Columns, step: Step) -> Array:
    start, size = map(step.size, node.args[1:])
    return step(node.args[0])[:, start : start + size]


def _softmax(node: Softmax, step: Step) -> Array:
    argument = step(node.args[0])
    if step.arithmetic.shifted and argument.size:
        argument = argument - argument.max(axis=0, keepdims=True)
    powers = step.arithmetic.namespace.exp(argument)
    return powers / powers.sum(axis=0, keepdims=True)


def _elementwise(node: Elementwise, step: Step) -> Array:
    formula = node.function.bind(node.function.formula, node.parameters)
    return scalar(formula, step(node.argument), step.arithmetic)


def _slope(node: Slope, step: Step) -> Array:
    slope = node.function.bind(node.function.slope, node.parameters)
    argument = step(node.argument)
    value = scalar(slope, argument, step.arithmetic)
    return value if np.ndim(value) else argument * step.arithmetic.number(Integer(0)) + value


NODES: Final[dict[type, Callable[[Any, Step], Array]]] = {
    MatrixSymbol: _symbol, MatAdd: _sum, MatMul: _product, HadamardProduct: _hadamard,
    Quotient: _quotient, Transpose: _transpose, OneMatrix: _constant(1), ZeroMatrix: _constant(0),
    Identity: _identity, DiagMatrix: _diagonal, Broadcast: _broadcast, Concat: _concat,
    Rows: _rows, Columns: _columns, Softmax: _softmax, Elementwise: _elementwise, Slope: _slope,
}  # fmt: skip


# ---- formulas of one variable ----------------------------------------------------------------


def scalar(formula: Basic, x: Array, arithmetic: Arithmetic) -> Array:
    """The formula of one variable x at every entry.

    Raises:
        TypeError: if the formula holds a part without a meaning here.
    """
    if formula == X:
        return x
    if _is_number(formula):
        return arithmetic.number(formula)
    for kind, rule in SCALARS.items():
        if isinstance(formula, kind):
            return rule(formula, x, arithmetic)
    raise TypeError(f"no number for {type(formula).__name__}: {formula}")


@lru_cache(maxsize=4096)
def _is_number(formula: Basic) -> bool:
    return not formula.free_symbols and not isinstance(formula, BooleanTrue)


def _fold(join: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def rule(formula: Expr, x: Array, arithmetic: Arithmetic) -> Array:
        return reduce(join, (scalar(part, x, arithmetic) for part in _gather(formula)))

    return rule


@lru_cache(maxsize=1024)
def _gather(formula: Expr) -> tuple[Expr, ...]:
    """The operands; the irrational constants of a product as one, the rational as another."""
    if not isinstance(formula, Mul):
        return tuple(formula.args)
    constants = [part for part in formula.args if not part.free_symbols]
    rational = Mul(*(part for part in constants if part.is_Rational))
    irrational = Mul(*(part for part in constants if not part.is_Rational))
    rest = [part for part in formula.args if part.free_symbols]
    return (*(part for part in (rational, irrational) if part != 1), *rest)


def _power(formula: Pow, x: Array, arithmetic: Arithmetic) -> Array:
    base, exponent = scalar(formula.base, x, arithmetic), int(formula.exp)
    raised = reduce(operator.mul, [base] * abs(exponent))
    return raised if exponent > 0 else arithmetic.number(Integer(1)) / raised


def _function(formula: Function, x: Array, arithmetic: Arithmetic) -> Array:
    """Any function that NumPy knows, by its name there.

    Raises:
        TypeError: for a function that NumPy, or the arithmetic, does not know.
    """
    name = ufunc_name(type(formula).__name__)
    rule = getattr(arithmetic.namespace, name, None)
    if rule is None:
        raise TypeError(f"no number for the function {name}: {formula}")
    return rule(scalar(formula.args[0], x, arithmetic))


def _extreme(sign: int) -> Callable[..., Array]:
    """Max or Min; where both are equal the constant wins: the slope at a kink is that of flat."""

    def rule(formula: Expr, x: Array, arithmetic: Arithmetic) -> Array:
        *others, last = sorted(formula.args, key=lambda part: not part.free_symbols)
        value = scalar(last, x, arithmetic)
        for other in reversed(others):
            left = scalar(other, x, arithmetic)
            wins = arithmetic.decide(left) * sign > arithmetic.decide(value) * sign
            value = arithmetic.namespace.where(wins, left, value)
        return value

    return rule


def _piecewise(formula: Piecewise, x: Array, arithmetic: Arithmetic) -> Array:
    *pieces, (otherwise, _) = formula.args
    value = scalar(otherwise, x, arithmetic)
    for piece, condition in reversed(pieces):
        holds = scalar(condition, x, arithmetic)
        value = arithmetic.namespace.where(holds, scalar(piece, x, arithmetic), value)
    return value


def _compare(test: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def rule(formula: Basic, x: Array, arithmetic: Arithmetic) -> Array:
        sides = (arithmetic.decide(scalar(side, x, arithmetic)) for side in formula.args)
        return test(*sides)

    return rule


def _heaviside(formula: Heaviside, x: Array, arithmetic: Arithmetic) -> Array:
    zero, one = arithmetic.number(Integer(0)), arithmetic.number(Integer(1))
    decided = arithmetic.decide(scalar(formula.args[0], x, arithmetic))
    return arithmetic.namespace.where(decided > 0, one, zero)


SCALARS: Final[dict[type, Callable[..., Array]]] = {
    Add: _fold(operator.add), Mul: _fold(operator.mul), Pow: _power,
    Max: _extreme(1), Min: _extreme(-1), Piecewise: _piecewise, Heaviside: _heaviside,
    StrictGreaterThan: _compare(operator.gt), StrictLessThan: _compare(operator.lt),
    GreaterThan: _compare(operator.ge), LessThan: _compare(operator.le),
    And: _fold(operator.and_), Or: _fold(operator.or_), Function: _function,
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
    return Step(values, sizes, arithmetic)(expression)


def as_columns(value: Array) -> Array:
    """A parameter or fixed constant as a matrix: a vector (n,) one column, a number (1, 1)."""
    return value if np.ndim(value) == 2 else value.reshape((-1, 1))


def _of_step(symbol: MatrixSymbol, now: Array) -> Array:
    """A sequence's value at one step in columns, one for all samples or one for each."""
    if symbol.shape[0] == 1:
        return np.reshape(now, (1, -1))
    return now.reshape((-1, 1)) if np.ndim(now) == 1 else now.T


def run(
    cell: Cell,
    parameters: Mapping[str, Array],
    inputs: Mapping[str, Array],
    initial: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    arithmetic: Arithmetic = FLOATS,
) -> dict[str, list[Array]]:
    """s_t = F(s_{t−1}, x_t; θ) for t = 1…T by the author's own equations.

    Shapes: inputs (T, B, m), initial (B, n), parameters as in the module interface; the result
    is a list over time of (B, n) for each state.
    """
    constants = constants or {}
    sizes = sizes_of(cell, {**constants, **initial, **inputs, **parameters})
    fixed = {name: as_columns(value) for name, value in parameters.items()}
    fixed |= {n: as_columns(v) for n, v in constants.items() if n not in cell.sequences}
    state = {symbol.name: initial[symbol.name].T for symbol in cell.states}
    steps, batch = np.shape(inputs[cell.inputs[0].name])[:2]
    over_time: dict[str, list[Array]] = {symbol.name: [] for symbol in cell.states}
    for t in range(steps):
        values = {**fixed, **{name: value[t].T for name, value in inputs.items()}}
        for symbol in cell.constants:
            if symbol.name in cell.sequences:
                values[symbol.name] = _of_step(symbol, constants[symbol.name][t])
        values |= {previous(symbol).name: state[symbol.name] for symbol in cell.states}
        for equation in cell.equations:
            values[equation.target.name] = evaluate(equation.value, values, sizes, arithmetic)
        for symbol in cell.states:
            value = values[symbol.name]
            if value.shape[1] != batch:
                value = value * arithmetic.full(1, batch, Integer(1))
            state[symbol.name] = value
            over_time[symbol.name].append(value.T)
    return over_time
