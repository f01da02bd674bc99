"""One step of a cell and its derivatives at sixty digits, from the text of its equations alone.

In: a `Cell` for its text and shapes, and floats as the exact numbers that they are. Out: states and
step Jacobians in mpmath's numbers. The text is read by Python's own parser and differentiated
forward, number by number: nothing here knows the derivation, its rules, or what bounds are made of.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np

from derive.cell import Cell
from numeric.meaning.sizes import shape_of

MP = mpmath.MPContext()
MP.dps = 60
ZERO, ONE = MP.mpf(0), MP.mpf(1)
FAR = 10**7
LEAK, STANH = MP.mpf(1) / 100, (MP.mpf(17159) / 10000, MP.mpf(2) / 3)
Matrix = list[list[Any]]


class TooFarError(ArithmeticError):
    """A number whose exponential nobody can hold."""


@dataclass
class Dual:
    """A value, and its derivatives by every entry of the state before; None for a constant."""

    value: Any
    by: Any = None

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = dual(other)
        return Dual(self.value + other.value, _sum(self.by, other.by))

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.value, None if self.by is None else [-d for d in self.by])

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + (-dual(other))

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return dual(other) + (-self)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = dual(other)
        return Dual(self.value * other.value,
                    _sum(_scaled(self.by, other.value), _scaled(other.by, self.value)))  # fmt: skip

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = dual(other)
        found = self.value / other.value
        rest = _sum(self.by, _scaled(other.by, -found))
        return Dual(found, _scaled(rest, ONE / other.value))

    def __rtruediv__(self, other: Any) -> Any:
        return dual(other) / self

    def through(self, value: Any, slope: Any) -> Dual:
        """A function of this number, by its value and slope."""
        return Dual(value, _scaled(self.by, slope))


def dual(value: Any) -> Dual:
    """A number as it is."""
    return value if isinstance(value, Dual) else Dual(MP.mpf(value))


def _sum(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return [x + y for x, y in zip(a, b, strict=True)]


def _scaled(a: Any, factor: Any) -> Any:
    return None if a is None else [x * factor for x in a]


# ---- functions: value and slope, each exact in relative terms -----------------------------------


def _exp(x: Any) -> Any:
    if x > FAR:
        raise TooFarError(x)
    return MP.exp(x)


def _logistic(x: Any) -> tuple[Any, Any]:
    e = MP.exp(-abs(x))
    return (ONE if x >= 0 else e) / (1 + e), e / (1 + e) ** 2


def _tanh(x: Any) -> tuple[Any, Any]:
    e = MP.exp(-2 * abs(x))
    return MP.tanh(x) if abs(x) < 1 else MP.sign(x) * (1 - e) / (1 + e), 4 * e / (1 + e) ** 2


def _stanh(x: Any, a: Any = STANH[0], b: Any = STANH[1]) -> tuple[Any, Any]:
    value, slope = _tanh(b * x)
    return a * value, a * b * slope


def _gelu(x: Any) -> tuple[Any, Any]:
    root, cubic = MP.sqrt(2 / MP.pi), MP.mpf(44715) / 10**6
    value, slope = _tanh(root * (x + cubic * x**3))
    return x / 2 * (1 + value), (1 + value) / 2 + x / 2 * slope * root * (1 + 3 * cubic * x**2)


def _silu(x: Any) -> tuple[Any, Any]:
    value, slope = _logistic(x)
    return x * value, value + x * slope


def _elu(x: Any, a: Any = ONE) -> tuple[Any, Any]:
    return (x, ONE) if x > 0 else (a * MP.expm1(x), a * MP.exp(x))


def _softplus(x: Any) -> tuple[Any, Any]:
    return max(x, ZERO) + MP.log1p(MP.exp(-abs(x))), _logistic(x)[0]


def _positive(x: Any) -> Any:
    if x <= 0:
        raise TooFarError("a number that is not positive has no logarithm, and no slope of a root")
    return x


FUNCTIONS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "tanh": _tanh, "sigmoid": _logistic, "identity": lambda x: (x, ONE),
    "relu": lambda x: (x, ONE) if x > 0 else (ZERO, ZERO),
    "leaky_relu": lambda x, a=LEAK: (x, ONE) if x > 0 else (a * x, a),
    "elu": _elu, "softplus": _softplus, "softsign": lambda x: (x / (1 + abs(x)),
                                                               1 / (1 + abs(x)) ** 2),
    "hard_sigmoid": lambda x: (min(max(x / 5 + ONE / 2, ZERO), ONE),
                               ONE / 5 if abs(x) < 5 * ONE / 2 else ZERO),
    "hard_tanh": lambda x: (min(max(x, -ONE), ONE), ONE if abs(x) < 1 else ZERO),
    "scaled_tanh": _stanh, "exp": lambda x: (_exp(x), _exp(x)),
    "sin": lambda x: (MP.sin(x), MP.cos(x)), "gelu": _gelu, "silu": _silu,
    "cos": lambda x: (MP.cos(x), -MP.sin(x)), "abs": lambda x: (abs(x), MP.sign(x)),
    "log": lambda x: (MP.log(_positive(x)), 1 / x),
    "sqrt": lambda x: (MP.sqrt(_positive(x)), 1 / (2 * MP.sqrt(x))),
    "arctan": lambda x: (MP.atan(x), 1 / (1 + x * x)),
    "relu6": lambda x: (min(max(x, ZERO), 6 * ONE), ONE if 0 < x < 6 else ZERO),
    "erf": lambda x: (MP.erf(x), 2 / MP.sqrt(MP.pi) * MP.exp(-x * x)),
}  # fmt: skip
DECLARED: dict[str, Callable[..., Any]] = {  # the slope of a step
    "straight_through": lambda x: ONE,
    "rectangle": lambda x, width=ONE: 1 / width if abs(x) < width / 2 else ZERO,
    "triangle": lambda x, g=3 * ONE / 10: g * max(1 - abs(x), ZERO),
    "fast_sigmoid": lambda x, b=100 * ONE: 1 / (1 + b * abs(x)) ** 2,
    "sigmoid": lambda x, b=4 * ONE: b * _logistic(b * x)[1],
    "arctan": lambda x, b=3 * ONE: 1 / (1 + (b * x) ** 2),
}
FUNCTIONS |= {
    f"step {name}": lambda x, *given, slope=slope: (ONE if x > 0 else ZERO, slope(x, *given))
    for name, slope in DECLARED.items()
}


def _softmax(column: Any) -> Any:
    top = max(entry.value for entry in column)
    powers = [MP.exp(entry.value - top) for entry in column]
    shares = [power / sum(powers) for power in powers]
    mean: Any = None
    for share, entry in zip(shares, column, strict=True):
        mean = _sum(mean, _scaled(entry.by, share))
    return np.array([Dual(share, _scaled(_sum(entry.by, _scaled(mean, -1)), share))
                     for share, entry in zip(shares, column, strict=True)], object)  # fmt: skip


_larger = np.frompyfunc(lambda a, b: a if dual(a).value >= dual(b).value else b, 2, 1)
_smaller = np.frompyfunc(lambda a, b: a if dual(a).value <= dual(b).value else b, 2, 1)


def _root(number: Any) -> Any:
    number = dual(number)
    return number.through(*FUNCTIONS["sqrt"](number.value))


def _normed(column: Any, number: Any, square: Callable[[Any], Any]) -> Any:
    return column / _root(square(column) + number)


def _mean(column: Any) -> Any:
    return np.sum(column) / len(column)


def _diagonal(column: Any) -> Any:
    made = np.full((len(column), len(column)), Dual(ZERO), dtype=object)
    np.fill_diagonal(made, column)
    return made


def _power(base: Any, exponent: Any) -> Any:
    """a^p for a whole p as a product, else for a positive a as exp(p log a)."""
    p = dual(exponent).value

    def of(entry: Any) -> Dual:
        a = entry.value if p == MP.nint(p) else _positive(entry.value)
        return entry.through(a**p, p * a ** (p - 1))  # type: ignore[no-any-return]

    column = np.asarray(base, dtype=object)
    made = np.empty(column.size, dtype=object)
    made[:] = [of(entry) for entry in column.ravel()]
    return made.reshape(column.shape)


WHOLE: dict[str, Callable[..., Any]] = {
    "maximum": _larger, "minimum": _smaller, "sum": np.sum, "mean": _mean,
    "outer": np.multiply.outer, "diag": _diagonal, "power": _power,
    "dot": lambda a, b: np.sum(a * b), "norm": lambda a: _root(np.sum(a * a)),
    "l2norm": lambda a, e=ZERO: _normed(a, e, lambda c: np.sum(c * c)),
    "rms_norm": lambda a, e=ZERO: _normed(a, e, lambda c: _mean(c * c)),
    "layer_norm": lambda a, e=ZERO: _normed(a - _mean(a), e, lambda c: _mean(c * c)),
}  # fmt: skip


# ---- the text of a cell -----------------------------------------------------------------------

_ACTS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
         ast.Div: operator.truediv, ast.MatMult: operator.matmul}  # fmt: skip


def _applied(value: Any, name: str, *given: Any) -> Any:
    """A function of the table at every entry."""
    column = np.asarray(value, dtype=object)
    made = np.empty(column.size, dtype=object)
    made[:] = [entry.through(*FUNCTIONS[name](entry.value, *given)) for entry in column.ravel()]
    return made.reshape(column.shape)


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=number):
            return Dual(MP.mpf(str(number)))
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, known)
        case ast.BinOp(left=left, op=op, right=right):
            return _ACTS[type(op)](_value(left, known), _value(right, known))
        case ast.Attribute(value=inner, attr="T"):
            return _value(inner, known).T
        case ast.Call(func=ast.Name(id="concat"), args=parts):
            return np.concatenate([_value(part, known) for part in parts])
        case ast.Call(func=ast.Name(id="softmax"), args=[inner]):
            return _softmax(_value(inner, known))
        case ast.Call(func=ast.Name(id="step"), args=[inner], keywords=[declared]):
            slope, given = declared.value, []
            if isinstance(slope, ast.Call):
                slope, given = slope.func, slope.args
            return _applied(_value(inner, known), f"step {ast.unparse(slope)}",
                            *(_value(part, known).value for part in given))  # fmt: skip
        case ast.Call(func=ast.Name(id=name), args=parts) if name in WHOLE:
            return WHOLE[name](*(_value(part, known) for part in parts))
        case ast.Call(func=ast.Name(id=name), args=[inner, *given]):
            return _applied(_value(inner, known), name,
                            *(_value(part, known).value for part in given))  # fmt: skip
    raise TypeError(f"no value for {ast.dump(node)}")


def numbers(array: Any) -> Any:
    """Floats as exact numbers."""
    held = np.asarray(array, dtype=np.float64)
    flat = np.empty(held.size, dtype=object)
    flat[:] = [Dual(MP.mpf(float(value))) for value in held.ravel()]
    return flat.reshape(held.shape) if held.ndim else flat[0]


@cache
def _lines(text: str) -> list[ast.stmt]:
    return ast.parse(text.strip()).body


@dataclass(frozen=True)
class Steps:
    """Steps of a cell with given parameters and constants."""

    cell: Cell
    sizes: Mapping[str, int]
    fixed: Mapping[str, Any]
    timed: Mapping[str, Any]

    @classmethod
    def of(cls, cell: Cell, sizes: Mapping[str, int], parameters: Mapping[str, Any],
           constants: Mapping[str, Any]) -> Steps:  # fmt: skip
        """The parameters and constants made exact once."""
        whole = {**parameters, **{k: v for k, v in constants.items() if k not in cell.sequences}}
        return cls(cell, sizes, {name: numbers(value) for name, value in whole.items()},
                   {name: constants[name] for name in cell.sequences})  # fmt: skip

    def step(self, t: int, state: Mapping[str, Any], inputs: Mapping[str, Any]
             ) -> tuple[dict[str, list[Any]], Matrix]:  # fmt: skip
        """The state after step t from 0 on, and its derivatives by the state before.

        Entries of a matrix stand row by row.
        """
        widths = [int(np.prod(shape_of(s, self.sizes))) for s in self.cell.states]
        width, start = sum(widths), 0
        known = {**self.fixed, **{name: numbers(value[t]) for name, value in inputs.items()}}
        known |= {name: numbers(value[t]) for name, value in self.timed.items()}
        for symbol, own in zip(self.cell.states, widths, strict=True):
            column = np.empty(own, dtype=object)
            for k in range(own):
                by = [ONE if j == start + k else ZERO for j in range(width)]
                column[k] = Dual(MP.mpf(state[symbol.name][k]), by)
            known[f"{symbol.name}_prev"] = column.reshape(shape_of(symbol, self.sizes))
            start += own
        return self._after(known, width)

    def share(self, t: int, state: Mapping[str, Any], inputs: Mapping[str, Any], name: str
              ) -> Matrix:  # fmt: skip
        """The derivatives of the state after step t by a parameter, the state before held fixed."""
        known = {**self.fixed, **{key: numbers(value[t]) for key, value in inputs.items()}}
        known |= {key: numbers(value[t]) for key, value in self.timed.items()}
        known |= {f"{s.name}_prev": np.array([Dual(MP.mpf(v)) for v in state[s.name]], object)
                  .reshape(shape_of(s, self.sizes)) for s in self.cell.states}  # fmt: skip
        held = np.asarray(self.fixed[name], dtype=object)
        made = np.empty(held.size, dtype=object)
        for k, entry in enumerate(held.ravel()):
            made[k] = Dual(entry.value, [ONE if j == k else ZERO for j in range(held.size)])
        known[name] = made.reshape(held.shape) if held.ndim else made[0]
        return self._after(known, held.size)[1]

    def _after(self, known: dict[str, Any], width: int) -> tuple[dict[str, list[Any]], Matrix]:
        """The states by the text of the equations, and so many derivatives of each entry."""
        for line in _lines(self.cell.text):
            assert isinstance(line, ast.Assign)
            target = line.targets[0]
            if isinstance(target, ast.Tuple):  # a rotation
                assert isinstance(line.value, ast.Call)
                a, b, angle = (_value(part, known) for part in line.value.args)
                cosine, sine = (_applied(angle, name) for name in ("cos", "sin"))
                turned = (cosine * a - sine * b, sine * a + cosine * b)
                for part, value in zip(target.elts, turned, strict=True):
                    assert isinstance(part, ast.Name)
                    known[part.id] = value
                continue
            assert isinstance(target, ast.Name)
            known[target.id] = _value(line.value, known)
        after, rows = {}, []
        for symbol in self.cell.states:
            own = int(np.prod(shape_of(symbol, self.sizes)))
            column = np.broadcast_to(np.ravel(np.asarray(known[symbol.name], dtype=object)), (own,))
            after[symbol.name] = [entry.value for entry in column]
            rows += [entry.by or [ZERO] * width for entry in column]
        return after, rows
