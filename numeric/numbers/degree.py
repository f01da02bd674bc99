# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""How likely the exact check is to err: degrees instead of values.

In: the unmodified module, run on `Degree` elements. Out: the degree of the rational identity
that is tested, and from it the probability that a wrong formula passes at random points.

Source: Schwartz 1980, Zippel 1979; exp, log, sin and cos count as new random variables: exp as the
square of one, since every value is a square.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Final, Self

import numpy as np

from numeric.numbers.elements import Element, ElementArray
from numeric.numbers.primitives import Primitive
from numeric.numbers.random_functions import PRIME, RandomFunctions

_OVER: Final = 1.0


class Degree(Element):
    """Degrees of numerator and denominator, and the shadow that decides comparisons."""

    __slots__ = ("bottom", "shadow", "top")

    def __init__(self, top: float, bottom: float, shadow: float) -> None:
        self.top = top
        self.bottom = bottom
        self.shadow = shadow

    @classmethod
    def lift(cls, number: Any) -> Self:
        if not isinstance(number, (int, float, Fraction, np.integer, np.floating, np.bool_)):
            raise TypeError(f"{number!r} is no number that has a degree")
        return cls(0.0, 0.0, float(number))

    def key(self) -> float:
        return self.shadow

    def _sum(self, other: Degree, shadow: float) -> Degree:
        top = max(self.top + other.bottom, other.top + self.bottom)
        return Degree(top, self.bottom + other.bottom, shadow)

    def __neg__(self) -> Degree:
        return Degree(self.top, self.bottom, -self.shadow)

    def __abs__(self) -> Degree:
        return Degree(self.top, self.bottom, abs(self.shadow))

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = self._take(other)
        return self._sum(other, self.shadow + other.shadow)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = self._take(other)
        return self._sum(other, self.shadow - other.shadow)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = self._take(other)
        shadow = self.shadow * other.shadow
        return Degree(self.top + other.top, self.bottom + other.bottom, shadow)

    __rmul__ = __mul__

    def __pow__(self, exponent: Any) -> Any:
        power = int(exponent)
        base = self if power >= 0 else self.reciprocal()
        result: Any = Degree(0.0, 0.0, 1.0)
        for _ in range(abs(power)):
            result = result * base
        return result

    def reciprocal(self) -> Degree:
        shadow = 1 / self.shadow if self.shadow else math.copysign(math.inf, self.shadow)
        return Degree(self.bottom, self.top, shadow)

    def _fresh(self, function: Any, size: float = _OVER) -> Degree:
        with np.errstate(all="ignore"):
            return Degree(size, size, float(function(self.shadow)))

    def exp(self) -> Degree:
        return self._fresh(np.exp, 2)

    def expm1(self) -> Degree:
        return self._fresh(np.expm1, 2)

    def log(self) -> Degree:
        return self._fresh(np.log)

    def log1p(self) -> Degree:
        return self._fresh(np.log1p)

    def logaddexp(self, other: Any) -> Degree:
        other = self._take(other)
        return self._fresh(lambda shadow: np.logaddexp(shadow, other.shadow))

    def sqrt(self) -> Degree:
        return self._fresh(np.sqrt)

    def tanh(self) -> Degree:
        return self._fresh(np.tanh, 2)

    def sinh(self) -> Degree:
        return self._fresh(np.sinh, 4)

    def cosh(self) -> Degree:
        return self._fresh(np.cosh, 4)

    def sin(self) -> Degree:
        return self._fresh(np.sin, 2)

    def cos(self) -> Degree:
        return self._fresh(np.cos, 2)

    def primitive(self, function: Primitive) -> Degree:
        return self._fresh(function.at)


class DegreeArray(ElementArray):
    """An array of degrees."""

    element = Degree


def variables(array: Any) -> Any:
    """Each entry as a variable of degree one, with the shadow of the entry."""
    flat = [Degree(1.0, 0.0, entry.shadow) for entry in np.ravel(array)]
    result = np.empty(len(flat), dtype=object)
    result[:] = flat
    return result.reshape(np.shape(array)).view(DegreeArray)


def error_probability(results: list[Any], functions: RandomFunctions) -> float:
    """A bound on the chance that an identity between these results holds by accident.

    The tangents of the forward pass have at most twice the degree of their values; that the
    random functions are asked at two different points and find one is in the bound. Where exp is
    asked at a point and at 2ᵏ times it, the one value is the power 2ᵏ of the other.
    """
    total = 1.0
    for array in results:
        total += sum(2 * max(0.0, e.top + e.bottom) + 2 for e in DegreeArray.of(array).ravel())
    return min(1.0, total * 2.0**functions.doublings * (1 + functions.asked**2) / PRIME)
