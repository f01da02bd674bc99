"""Expressions over intervals: what every value of the symbols' boxes can make of them.

In: expressions of the language, and an `Interval` for each symbol. Out: an `Interval` that
contains the value for every choice in the boxes. The rules are the interpreter's, on intervals;
functions and slopes go by monotonicity instead of by formula, and a sum that is affine in a
symbol is taken at that symbol's two ends, so that (1 − z) ⊙ a + z ⊙ b stays between a and b.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from sympy import (
    Expr,
    Float,
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    Rational,
    S,
    preorder_traversal,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import Broadcast, Elementwise, Slope, Softmax
from derive.language.expr import replace as exchange
from numeric.meaning.interpret import NODES, Step, scalar
from numeric.numbers import intervals as iv
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.intervals import Interval, interval

Array = Any
_PIVOTS: Final = 3
_LEAK: Final = Rational(1, 100)


def number(value: Expr) -> Interval:
    """A float interval around an exact constant."""
    if isinstance(value, Rational):
        return iv.rational(Fraction(int(value.p), int(value.q)))
    if isinstance(value, Float):
        return interval(float(value))
    found = float(value.evalf(30))
    ends = (np.asarray(np.nextafter(found, sign * np.inf)) for sign in (-1, 1))
    return Interval(*ends)


def _where(condition: Any, yes: Any, no: Any) -> Interval:
    """Refuse: kinks go by `VALUES` and `SLOPES`.

    Raises:
        TypeError: always.
    """
    raise TypeError("an interval has no one side of a kink")


class _Boxes(Arithmetic):
    """Numbers as intervals."""

    def full(self, rows: int, columns: int, value: Number) -> Interval:
        """The matrix that holds the number everywhere."""
        found = number(value)
        lo = np.full((rows, columns), found.lo)
        return Interval(lo, lo if found.exact else np.full((rows, columns), found.hi))


_NAMESPACE: Final = SimpleNamespace(
    exp=iv.exp, tanh=iv.tanh, sin=iv.sin, cos=iv.cos, where=_where, concatenate=iv.stack
)
BOXES: Final = _Boxes(namespace=_NAMESPACE, number=number)


# ---- functions of the table ----------------------------------------------------------------------


def _clipped(low: float, high: float) -> Callable[[Interval], Interval]:
    return lambda x: Interval(np.clip(x.lo, low, high), np.clip(x.hi, low, high))


def _leaky(x: Interval, alpha: Any = _LEAK) -> Interval:
    """Max(x, 0) + α min(x, 0), increasing for α ≥ 0."""
    return _clipped(0.0, np.inf)(x) + number(alpha) * _clipped(-np.inf, 0.0)(x)


def _elu(x: Interval, alpha: Any = S.One) -> Interval:
    below = _clipped(-np.inf, 0.0)(x)
    return _clipped(0.0, np.inf)(x) + number(alpha) * (iv.exp(below) - 1.0)


def _softsign(x: Interval) -> Interval:
    """X / (1 + |x|) at both ends, within ±1."""

    def at(point: Array) -> Interval:
        finite = interval(np.clip(point, -1e300, 1e300))
        return finite / (1.0 + finite.absolute())

    return Interval(np.maximum(at(x.lo).lo, -1.0), np.minimum(at(x.hi).hi, 1.0))


def _scaled_tanh(x: Interval, *given: Any) -> Interval:
    alpha, beta = map(number, (*given, *_STANH[len(given) :]))
    return alpha * iv.tanh(beta * x)


_STANH: Final = (Rational(17159, 10000), Rational(2, 3))
VALUES: Final[dict[str, Callable[..., Interval]]] = {
    "tanh": iv.tanh, "sigmoid": iv.sigmoid, "identity": lambda x: x,
    "relu": _clipped(0.0, np.inf), "leaky_relu": _leaky, "elu": _elu, "softplus": iv.softplus,
    "softsign": _softsign, "hard_sigmoid": lambda x: _clipped(0.0, 1.0)(x / 5.0 + 0.5),
    "hard_tanh": _clipped(-1.0, 1.0), "scaled_tanh": _scaled_tanh, "exp": iv.exp, "sin": iv.sin,
}  # fmt: skip


def _falling(at: Callable[[Interval], Interval]) -> Callable[[Interval], Interval]:
    """A slope that is even and falls with |x|: its largest value where |x| is smallest."""

    def rule(x: Interval) -> Interval:
        near, far = interval(x.mignitude), interval(x.magnitude)
        return Interval(np.maximum(at(far).lo, 0.0), at(near).hi)

    return rule


def _logistic_slope(distance: Interval) -> Interval:
    """σ′ = e / (1 + e)² with e = exp(−|x|), exact in relative terms for every x; at most ¼."""
    power = iv.exp(-distance)
    found = power / (1.0 + power).square()
    return Interval(found.lo, np.minimum(found.hi, 0.25))


_sigmoid_slope: Final = _falling(_logistic_slope)


def _tanh_slope(x: Interval) -> Interval:
    """Tanh′(x) = 4 σ′(2x)."""
    found = _sigmoid_slope(x * 2.0)
    return Interval(4.0 * found.lo, 4.0 * found.hi)


def _scaled_slope(x: Interval, *given: Any) -> Interval:
    alpha, beta = map(number, (*given, *_STANH[len(given) :]))
    return alpha * beta * _tanh_slope(beta * x)


def _steps(x: Interval, inside: Array, outside: Array, high: Interval, low: Interval) -> Interval:
    """`high` where certainly inside, `low` where certainly outside, both where it may be either."""
    both = high.hull(low)
    return Interval(
        np.where(inside, high.lo, np.where(outside, low.lo, both.lo)),
        np.where(inside, high.hi, np.where(outside, low.hi, both.hi)),
    )


def _half(x: Interval, low: Interval) -> Interval:
    return _steps(x, x.lo > 0, x.hi <= 0, interval(1.0), low)


def _between(x: Interval, edge: float, high: Interval) -> Interval:
    inside = (x.lo > -edge) & (x.hi < edge)
    outside = (x.hi <= -edge) | (x.lo >= edge)
    return _steps(x, inside, outside, high, interval(0.0))


def _elu_slope(x: Interval, alpha: Any = S.One) -> Interval:
    return _half(x, number(alpha) * iv.exp(_clipped(-np.inf, 0.0)(x)))


SLOPES: Final[dict[str, Callable[..., Interval]]] = {
    "tanh": _tanh_slope, "sigmoid": _sigmoid_slope,
    "identity": lambda x: interval(np.ones_like(x.lo)),
    "relu": lambda x: _half(x, interval(0.0)),
    "leaky_relu": lambda x, alpha=_LEAK: _half(x, number(alpha)),
    "elu": _elu_slope, "softplus": iv.sigmoid,
    "softsign": _falling(lambda d: reciprocal_square(1.0 + d)),
    "hard_sigmoid": lambda x: _between(x, 2.5, iv.rational(Fraction(1, 5))),
    "hard_tanh": lambda x: _between(x, 1.0, interval(1.0)),
    "scaled_tanh": _scaled_slope, "exp": iv.exp, "sin": iv.cos,
}  # fmt: skip


def reciprocal_square(x: Interval) -> Interval:
    """1 / x²."""
    return iv.reciprocal(x.square())


def _applied(node: Any, step: Step, table: Mapping[str, Callable[..., Interval]]) -> Interval:
    """By the table; a function without a row there by its formula, which is wider."""
    function, argument = node.function, step(node.argument)
    slope = isinstance(node, Slope)
    rule = table.get(function.name)
    if rule is not None and all(parameter >= 0 for parameter in node.parameters):
        found = rule(argument, *node.parameters)
    else:
        formula = function.slope if slope else function.formula
        found = scalar(function.bind(formula, node.parameters), argument, BOXES)
        found = found + interval(np.zeros(argument.shape))
    if node.parameters:
        return found
    bounds = function.slope_range if slope else function.range
    low, high = (
        -np.inf if bounds.inf.is_infinite else float(number(bounds.inf).lo),
        np.inf if bounds.sup.is_infinite else float(number(bounds.sup).hi),
    )
    return Interval(np.clip(found.lo, low, high), np.clip(found.hi, low, high))


def _softmax(node: Softmax, step: Step) -> Interval:
    argument = step(node.args[0])
    shift = argument.hi.max(axis=0, keepdims=True)
    powers = iv.exp(argument - shift)
    found = powers / powers.sum(axis=0, keepdims=True)
    return Interval(np.clip(found.lo, 0.0, 1.0), np.clip(found.hi, 0.0, 1.0))


def _identity(node: Identity, step: Step) -> Interval:
    return interval(np.eye(step.size(node.shape[0])))


def _diagonal(node: DiagMatrix, step: Step) -> Interval:
    column = step(node.args[0])
    if column.shape[1] != 1:
        raise ValueError(f"{node} differs from step to step: it is no one matrix")
    return interval(np.eye(column.shape[0])).__mul__(column)


def _hadamard(node: HadamardProduct, step: Step) -> Interval:
    """Equal factors as a square, which is not negative."""
    found: Interval | None = None
    for factor, count in Counter(node.args).items():
        value = step(factor)
        power = value.square() if count == 2 else value
        for _ in range(count - 1 if count > 2 else 0):
            power = power * value
        found = power if found is None else found * power
    assert found is not None
    return found


_OWN: Final[dict[type, Callable[[Any, Step], Interval]]] = {
    Elementwise: lambda node, step: _applied(node, step, VALUES),
    Slope: lambda node, step: _applied(node, step, SLOPES),
    Softmax: _softmax, Identity: _identity, DiagMatrix: _diagonal, HadamardProduct: _hadamard,
}  # fmt: skip


# ---- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Enclosing(Step):
    """The interpreter's step, on intervals."""

    def __call__(self, node: MatrixExpr) -> Interval:
        if isinstance(node, MatAdd):
            for name in affine_symbols(node):
                if not (held := self.values[name]).exact:
                    ends = (replace(self, values={**self.values, name: interval(end)})
                            for end in (held.lo, held.hi))  # fmt: skip
                    low, high = (end(node) for end in ends)
                    return low.hull(high)
        rule = _OWN.get(type(node)) or NODES.get(type(node))
        if rule is None:
            raise TypeError(f"no enclosure for the node {type(node).__name__}: {node}")
        found: Interval = rule(node, self)
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
