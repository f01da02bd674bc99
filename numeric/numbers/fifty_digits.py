# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Numbers of fifty digits that carry their derivatives forward.

In: floats. Out: `Forward`, a value with its derivatives in all directions at once. The chain
rule is applied forward, number by number: nothing here knows of adjoints.
"""

from __future__ import annotations

from typing import Any, Final, Self

import mpmath
import numpy as np
from sympy import Expr

from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.elements import Element
from numeric.numbers.primitives import Primitive

DIGITS: Final = 50
MP: Final = mpmath.MPContext()
MP.dps = DIGITS


class Forward(Element):
    """A value and its derivatives, an object array over the directions; None where all are 0."""

    __slots__ = ("derivatives", "value")

    def __init__(self, value: Any, derivatives: Any = None) -> None:
        self.value = value
        self.derivatives = derivatives

    @classmethod
    def lift(cls, number: Any) -> Self:
        return cls(MP.mpf(number))

    def key(self) -> Any:
        return self.value

    def _other(self, other: Any) -> Any:
        return other.value if isinstance(other, Forward) else other

    def _chain(self, value: Any, slope: Any) -> Forward:
        return Forward(value, None if self.derivatives is None else self.derivatives * slope)

    def __neg__(self) -> Forward:
        return self._chain(-self.value, -1)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        return Forward(self.value + other.value, _sum(self.derivatives, other.derivatives))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        left = None if self.derivatives is None else self.derivatives * other.value
        right = None if other.derivatives is None else other.derivatives * self.value
        return Forward(self.value * other.value, _sum(left, right))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        return self * other._chain(1 / other.value, -1 / other.value**2)

    def exp(self) -> Forward:
        value = MP.exp(self.value)
        return self._chain(value, value)

    def log(self) -> Forward:
        return self._chain(MP.log(self.value), 1 / self.value)

    def tanh(self) -> Forward:
        return self._chain(MP.tanh(self.value), MP.sech(self.value) ** 2)

    def sin(self) -> Forward:
        return self._chain(MP.sin(self.value), MP.cos(self.value))

    def cos(self) -> Forward:
        return self._chain(MP.cos(self.value), -MP.sin(self.value))

    def primitive(self, function: Primitive) -> Forward:
        value = getattr(MP, function.short_name)(self.value)
        return self._chain(value, function.slope(self.value))


def _sum(left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    return left + right


def number(constant: Expr) -> Forward:
    """An exact constant to fifty digits."""
    if constant.is_Rational:
        return Forward(MP.mpf(int(constant.p)) / int(constant.q))
    return Forward(MP.mpf(constant.evalf(DIGITS + 5)._mpf_))


MULTIPRECISION: Final = Arithmetic(number=number)


def independent(arrays: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """The arrays' entries as variables: each the unit derivative in a direction of its own."""
    total = sum(np.size(array) for array in arrays.values())
    zero, one = MP.mpf(0), MP.mpf(1)
    result: dict[tuple[str, str], Any] = {}
    place = 0
    for name, array in arrays.items():
        variables = np.empty(np.size(array), dtype=object)
        for index, entry in enumerate(np.ravel(array)):
            unit = np.full(total, zero, dtype=object)
            unit[place] = one
            variables[index] = Forward(MP.mpf(float(entry)), unit)
            place += 1
        result[name] = variables.reshape(np.shape(array))
    return result
