# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Dual numbers over the integers mod 2⁶¹−1: arithmetic without rounding, with a derivative.

In: integers, float constants. Out: `Dual`, an element (value, tangent, shadow): the field value,
its derivative in one direction, and a float that decides comparisons only. Functions are
the random ones of `random_functions.py`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.constants import simplest_rational
from numeric.numbers.elements import Element, ElementArray
from numeric.numbers.primitives import Primitive
from numeric.numbers.random_functions import CURRENT, HALF, PRIME, inverse

if TYPE_CHECKING:  # the process of a file under audit does without SymPy
    from sympy import Expr


def residue(number: Fraction) -> int:
    """The field element of a fraction."""
    return number.numerator * inverse(number.denominator % PRIME) % PRIME


class Dual(Element):
    """value + tangent·ε over the field, with a float as shadow."""

    __slots__ = ("shadow", "tangent", "value")

    def __init__(self, value: int, tangent: int, shadow: float) -> None:
        self.value = value
        self.tangent = tangent
        self.shadow = shadow

    @classmethod
    def lift(cls, number: Any) -> Self:
        if isinstance(number, (int, np.integer, np.bool_)):
            return cls(int(number) % PRIME, 0, float(number))
        if isinstance(number, (float, np.floating)):
            functions = CURRENT.get(None)
            read = simplest_rational if functions is None else functions.read
            return cls(residue(read(float(number))), 0, float(number))
        if isinstance(number, Fraction):
            return cls(residue(number), 0, float(number))
        raise TypeError(f"{number!r} is no number that a field element can meet")

    def key(self) -> float:
        return self.shadow

    def _other(self, other: Any) -> float:
        taken: Dual = self._take(other)
        if self.shadow == taken.shadow and self.value != taken.value:
            functions = CURRENT.get(None)
            if functions is not None:
                functions.ties += 1
        return taken.shadow

    def __repr__(self) -> str:
        return f"Dual({self.value}, {self.tangent}, {self.shadow:g})"

    def __neg__(self) -> Dual:
        return Dual(-self.value % PRIME, -self.tangent % PRIME, -self.shadow)

    def __abs__(self) -> Dual:
        return -self if self.shadow < 0 else self

    def __add__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            (self.value + other.value) % PRIME,
            (self.tangent + other.tangent) % PRIME,
            self.shadow + other.shadow,
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            (self.value - other.value) % PRIME,
            (self.tangent - other.tangent) % PRIME,
            self.shadow - other.shadow,
        )

    def __mul__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return Dual(
            self.value * other.value % PRIME,
            (self.value * other.tangent + self.tangent * other.value) % PRIME,
            self.shadow * other.shadow,
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if other.__class__ is not Dual:
            if isinstance(other, np.ndarray):
                return NotImplemented
            other = Dual.lift(other)
        return self * other.reciprocal()

    def __pow__(self, exponent: Any) -> Any:
        power = int(exponent.shadow if isinstance(exponent, Dual) else exponent)
        if power != exponent:
            raise TypeError(f"the power {exponent!r} of a field element: only integers")
        if power < 0:
            return self.reciprocal() ** -power
        result: Any = Dual(1, 0, 1.0)
        for _ in range(power):
            result = result * self
        return result

    def reciprocal(self) -> Dual:
        value = inverse(self.value)
        shadow = 1 / self.shadow if self.shadow else math.copysign(math.inf, self.shadow)
        return Dual(value, -self.tangent * value * value % PRIME, shadow)

    def exp(self) -> Dual:
        value = CURRENT.get().exp(self.value, self.shadow)
        return Dual(value, value * self.tangent % PRIME, _exp(self.shadow))

    def log(self) -> Dual:
        value = CURRENT.get().log(self.value)
        shadow = math.log(self.shadow) if self.shadow > 0 else -math.inf
        return Dual(value, self.tangent * inverse(self.value) % PRIME, shadow)

    def sqrt(self) -> Dual:
        """A random function with the slope 1/(2√a); its square is not a, for want of roots."""
        value = CURRENT.get().sqrt(self.value)
        tangent = self.tangent * inverse(2 * value) % PRIME
        return Dual(value, tangent, math.sqrt(max(self.shadow, 0.0)))

    def expm1(self) -> Any:
        return self.exp() - 1

    def log1p(self) -> Any:
        return (self + 1).log()

    def logaddexp(self, other: Any) -> Any:
        other = self._take(other)
        return (self.exp() + other.exp()).log()

    def tanh(self) -> Dual:
        power = (self + self).exp()
        ratio = (power - 1) * (power + 1).reciprocal()
        return Dual(ratio.value, ratio.tangent, math.tanh(self.shadow))

    def sinh(self) -> Dual:
        value, back = self._roots()
        tangent = (value + back) * HALF * self.tangent
        return Dual((value - back) * HALF % PRIME, tangent % PRIME, _sinh(self.shadow))

    def cosh(self) -> Dual:
        value, back = self._roots()
        tangent = (value - back) * HALF * self.tangent
        return Dual((value + back) * HALF % PRIME, tangent % PRIME, abs(_exp(abs(self.shadow))))

    def _roots(self) -> tuple[int, int]:
        root = CURRENT.get().root(self.value, self.shadow)
        return root, inverse(root)

    def sin(self) -> Dual:
        sine, cosine = self._circle()
        return Dual(sine, cosine * self.tangent % PRIME, math.sin(self.shadow))

    def cos(self) -> Dual:
        sine, cosine = self._circle()
        return Dual(cosine, -sine * self.tangent % PRIME, math.cos(self.shadow))

    def _circle(self) -> tuple[int, int]:
        u = CURRENT.get().half_tangent(self.value)
        scale = inverse((1 + u * u) % PRIME)
        return 2 * u * scale % PRIME, (1 - u * u) * scale % PRIME

    def primitive(self, function: Primitive) -> Dual:
        value = CURRENT.get().primitive(function, self.value)
        slope = function.slope(Dual(self.value, 0, self.shadow), Dual)
        return Dual(value, slope.value * self.tangent % PRIME, function.at(self.shadow))


class DualArray(ElementArray):
    """An array of dual numbers over the field."""

    element = Dual


def _exp(shadow: float) -> float:
    return math.exp(shadow) if shadow < 700 else math.inf


def _sinh(shadow: float) -> float:
    return math.copysign(_exp(abs(shadow)) / 2, shadow) if abs(shadow) > 20 else math.sinh(shadow)


def random_duals(
    rng: np.random.Generator, shape: tuple[int, ...], deviation: float = 1.0
) -> DualArray:
    """Uniform field elements without tangent, with normal shadows."""
    count = math.prod(shape)
    values = rng.integers(0, PRIME, count)
    shadows = rng.normal(size=count) * deviation
    array = np.empty(count, dtype=object)
    array[:] = [Dual(int(v), 0, float(s)) for v, s in zip(values, shadows, strict=True)]
    return array.reshape(shape).view(DualArray)


def with_tangents(array: DualArray, rng: np.random.Generator) -> DualArray:
    """The same values with uniform tangents."""
    flat = [(e.value, e.shadow) for e in array.ravel()]
    tangents = rng.integers(0, PRIME, len(flat))
    result = np.empty(len(flat), dtype=object)
    result[:] = [Dual(v, int(d), s) for (v, s), d in zip(flat, tangents, strict=True)]
    return result.reshape(array.shape).view(DualArray)


def number(constant: Expr) -> Dual:
    """A rational as it is, an irrational number as the simplest rational near its float."""
    if constant.is_Rational:
        return Dual.lift(Fraction(int(constant.p), int(constant.q)))
    return Dual.lift(simplest_rational(float(constant)))


def _still(entry: Any) -> Any:
    return Dual(entry.value, 0, entry.shadow) if isinstance(entry, Dual) else entry


def _constant(array: Any) -> Any:
    """The array without its tangents."""
    return np.frompyfunc(_still, 1, 1)(np.asarray(array, dtype=object)).view(DualArray)


FIELD: Final = Arithmetic(number=number, constant=_constant)
