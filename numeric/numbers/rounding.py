# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Running error analysis: floating-point numbers that carry a bound on their own error.

In: the unmodified module, run on `Bounded` numbers. Out: for each result how far rounding can
have moved it, to first order in the unit roundoff. What a formula loses (1 − tanh² where tanh
is near 1) shows in the bound; what it does not lose does not.

Source: Wilkinson 1963; Higham 2002, Accuracy and Stability of Numerical Algorithms, §3.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Final, Self

import numpy as np

from numeric.numbers.elements import Element, ElementArray
from numeric.numbers.primitives import Primitive

_CLOSE_CALLS: Final[ContextVar[tuple[list[float], ...]]] = ContextVar("close calls", default=())
FUNCTION_ERROR: Final = 8.0  # roundoffs in exp, log, tanh, sin, cos: NumPy states 4 ulp


@contextmanager
def close_calls() -> Iterator[list[float]]:
    """Collects the comparisons within the block that rounding could have turned round."""
    notes: list[float] = []
    token = _CLOSE_CALLS.set((*_CLOSE_CALLS.get(), notes))
    try:
        yield notes
    finally:
        _CLOSE_CALLS.reset(token)


class Bounded(Element):
    """A value, a bound on its absolute error, and its mass: Σ|terms| of the sum it is.

    A sum's rounding is charged to the mass, so that the bound holds in any order of summation
    (BLAS picks its own).
    """

    __slots__ = ("error", "mass", "value")
    unit: ClassVar[float]
    tiny: ClassVar[float]
    floor: ClassVar[float] = 0.0

    def __init__(self, value: float, error: float, mass: float | None = None) -> None:
        self.value = value
        self.error = error
        self.mass = abs(value) if mass is None else mass

    @classmethod
    def lift(cls, number: Any) -> Self:
        if not isinstance(number, (int, float, np.integer, np.floating, np.bool_)):
            raise TypeError(f"{number!r} is no number that a bounded one can meet")
        value = float(number)
        exact = math.isfinite(value) and (value * 2**20).is_integer() and abs(value) < 2**20
        return cls(value, 0.0 if exact else abs(value) * cls.unit)

    def key(self) -> float:
        return self.value

    def _other(self, other: Any) -> float:
        taken: Bounded = self._take(other)
        if abs(self.value - taken.value) < self.error + taken.error:
            for note in _CLOSE_CALLS.get():
                note.append(self.value)
        return taken.value

    def _made(self, value: float, error: float) -> Self:
        """The result of one operation: what came in, and its own rounding."""
        return type(self)(value, error + self.unit * abs(value) + self.tiny)

    def _function(self, value: float, error: float) -> Self:
        """A function's value: what came in, and the roundoffs of its evaluation."""
        own = FUNCTION_ERROR * self.unit * max(abs(value), self.floor)
        return type(self)(value, error + own + self.tiny)

    def __neg__(self) -> Self:
        return type(self)(-self.value, self.error, self.mass)

    def __abs__(self) -> Self:
        return type(self)(abs(self.value), self.error, self.mass)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = self._take(other)
        if other.mass == 0 == other.error:
            return self
        if self.mass == 0 == self.error:
            return other
        mass = self.mass + other.mass
        error = self.error + other.error + self.unit * mass
        return type(self)(self.value + other.value, error, mass)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + (-self._take(other))

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = self._take(other)
        a, b = abs(self.value), abs(other.value)
        error = a * other.error + b * self.error + self.error * other.error
        if other.error == 0 and _is_power_of_two(b):
            return type(self)(self.value * other.value, error + self.tiny)
        return self._made(self.value * other.value, error)

    __rmul__ = __mul__

    def reciprocal(self) -> Self:
        size = abs(self.value)
        if size <= self.error:
            return type(self)(1 / self.value if size else math.inf, math.inf)
        return self._made(1 / self.value, self.error / size / (size - self.error))

    def __pow__(self, exponent: Any) -> Any:
        power = int(exponent.value if isinstance(exponent, Bounded) else exponent)
        if power != exponent:
            raise TypeError(f"the power {exponent!r}: only integers")
        if power < 0:
            return (self**-power).reciprocal()
        result: Any = self.lift(1)
        for _ in range(power):
            result = result * self
        return result

    def exp(self) -> Self:
        value = _exp(self.value)
        return self._function(value, value * _grow(self.error))

    def expm1(self) -> Self:
        error = _exp(self.value) * _grow(self.error)
        return self._function(math.expm1(min(self.value, 709.0)), error)

    def log(self) -> Self:
        if self.value <= self.error:
            return type(self)(math.log(self.value) if self.value > 0 else -math.inf, math.inf)
        error = -math.log1p(-self.error / self.value)
        return self._function(math.log(self.value), error)

    def log1p(self) -> Self:
        base = 1 + self.value
        if base <= self.error:
            return type(self)(math.log1p(self.value) if base > 0 else -math.inf, math.inf)
        return self._function(math.log1p(self.value), -math.log1p(-self.error / base))

    def logaddexp(self, other: Any) -> Self:
        other = self._take(other)
        value = float(np.logaddexp(self.value, other.value))
        return self._function(value, self.error + other.error)

    def tanh(self) -> Self:
        nearest = max(abs(self.value) - self.error, 0.0)
        slope = 1 / math.cosh(min(nearest, 350.0)) ** 2
        return self._function(math.tanh(self.value), slope * self.error)

    def cosh(self) -> Self:
        size = min(abs(self.value), 709.0)
        error = math.sinh(min(size + self.error, 710.0)) * self.error
        return self._function(math.cosh(size), error)

    def sinh(self) -> Self:
        size = min(abs(self.value), 709.0)
        error = math.cosh(min(size + self.error, 710.0)) * self.error
        return self._function(math.copysign(math.sinh(size), self.value), error)

    def sin(self) -> Self:
        return self._turned(math.sin)

    def cos(self) -> Self:
        return self._turned(math.cos)

    def _turned(self, function: Callable[[float], float]) -> Self:
        if not math.isfinite(self.value):
            return type(self)(math.nan, math.inf)
        return self._function(function(self.value), self.error)

    def sqrt(self) -> Self:
        if self.value <= self.error:
            return type(self)(math.sqrt(max(self.value, 0.0)), math.sqrt(2 * self.error))
        root = math.sqrt(self.value)
        return self._made(root, self.error / (root + math.sqrt(self.value - self.error)))

    def primitive(self, function: Primitive) -> Self:
        """|φ(a + e) − φ(a)| ≤ |e| sup |φ′|, the slope of a number that carries the error e."""
        slope = function.slope(type(self)(self.value, self.error), type(self))
        steepest = abs(slope.value) + slope.error
        error = steepest * self.error if self.error else 0.0
        return self._function(function.at(self.value), math.inf if math.isnan(error) else error)


class Double(Bounded):
    """Rounded to float64."""

    __slots__ = ()
    unit = 2.0**-53
    tiny = 2.0**-1074


class Single(Bounded):
    """Rounded to float32; anything below the normal range may have become zero."""

    __slots__ = ()
    unit = 2.0**-24
    tiny = 2.0**-126


class CoarseDouble(Double):
    """Rounded to float64, functions only to the roundoff of 1: the form of a formula is left open.

    It covers ½(tanh(a/2) + 1) for σ(a) and 1 − tanh² for the slope, which lose small values.
    """

    __slots__ = ()
    floor = 1.0


class CoarseSingle(Single):
    """Rounded to float32, functions only to the roundoff of 1."""

    __slots__ = ()
    floor = 1.0


class DoubleArray(ElementArray):
    """An array of numbers with their float64 error bounds."""

    element = Double


class SingleArray(ElementArray):
    """An array of numbers with their float32 error bounds."""

    element = Single


class CoarseDoubleArray(ElementArray):
    """An array of numbers with what float64 may lose in any form of the functions."""

    element = CoarseDouble


class CoarseSingleArray(ElementArray):
    """An array of numbers with what float32 may lose in any form of the functions."""

    element = CoarseSingle


Kinds = Mapping[str, type[ElementArray]]
BOUNDED: Final[Kinds] = {"float64": DoubleArray, "float32": SingleArray}
COARSE: Final[Kinds] = {"float64": CoarseDoubleArray, "float32": CoarseSingleArray}


def data(kind: type[ElementArray], array: Any) -> Any:
    """The array as exact data: no error yet."""
    flat = np.ravel(np.asarray(array, dtype=np.float64))
    result = np.empty(flat.size, dtype=object)
    result[:] = [kind.element(float(v), 0.0) for v in flat]  # type: ignore[call-arg]
    return result.reshape(np.shape(array)).view(kind)


def errors(array: Any) -> Any:
    """The bound of every entry; plain numbers are exact."""
    return np.vectorize(lambda e: getattr(e, "error", 0.0), otypes=[float])(array)


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _grow(error: float) -> float:
    return math.expm1(error) if error < 700 else math.inf


def _is_power_of_two(size: float) -> bool:
    return size > 0 and math.frexp(size)[0] == 0.5
