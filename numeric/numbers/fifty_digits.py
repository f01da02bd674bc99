# ruff: noqa: D102 (the methods are NumPy's functions under their own names)
"""Numbers of fifty digits that carry their derivatives forward.

In: floats. Out: `Forward`, a value with its derivatives in all directions at once: by direction,
those that it depends on, for most numbers of a first step depend on few parameters and no number
of a sample on another sample. The chain rule is applied forward, number by number: nothing here
knows of adjoints. The digits are the standard library's decimals, in a context that is handed to
every operation; its functions are exp, ln and the root, the others are mpmath's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DivisionByZero
from itertools import repeat
from typing import Any, Final, Self

import mpmath
import numpy as np
from sympy import Expr

from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.elements import Element
from numeric.numbers.primitives import Primitive

DIGITS: Final = 50
_CONTEXT: Final = Context(prec=DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[DivisionByZero])
_WHOLE_LINE: Final = Context(prec=DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])  # 1/0 is ∞
_MP: Final = mpmath.MPContext()
_MP.dps = DIGITS + 10
_ONE, _TWO = Decimal(1), Decimal(2)
_add, _multiply = _CONTEXT.add, _CONTEXT.multiply
Slopes = Mapping[int, Decimal]
_STILL: Final[Slopes] = {}


def fifty(number: Any) -> Decimal:
    """A float or an integer, rounded once: an exact one has more digits, and w − 1·w were not 0."""
    return _CONTEXT.create_decimal(number if isinstance(number, int | Decimal) else float(number))


def distance(one: Decimal, other: Decimal) -> Decimal:
    """|a − b| to fifty digits."""
    return _CONTEXT.abs(_CONTEXT.subtract(one, other))


def _of(function: str, point: Decimal) -> Decimal:
    """A function of mpmath's at a point, rounded to fifty digits."""
    given = _MP.mpf(str(point)) if point.is_finite() else _MP.mpf(float(point))
    value = getattr(_MP, function)(given)
    return _CONTEXT.create_decimal(_MP.nstr(value, DIGITS + 10).lstrip("+"))


class Forward(Element):
    """A value and its derivatives by direction; where none is said it is 0."""

    __slots__ = ("derivatives", "value")

    def __init__(self, value: Any, derivatives: Slopes = _STILL) -> None:
        self.value = value
        self.derivatives = derivatives

    @classmethod
    def lift(cls, number: Any) -> Self:
        return cls(fifty(number))

    def key(self) -> Any:
        return self.value

    def _other(self, other: Any) -> Any:
        return other.value if isinstance(other, Forward) else other

    def along(self, count: int) -> Any:
        """The derivatives in so many directions, each rounded once to float64."""
        found = np.zeros(count)
        for direction, slope in self.derivatives.items():
            found[direction] = float(slope)
        return found

    def _times(self, slope: Decimal) -> dict[int, Decimal]:
        moved = self.derivatives
        return dict(zip(moved, map(_multiply, moved.values(), repeat(slope)), strict=True))

    def _chain(self, value: Any, slope: Any) -> Forward:
        return Forward(value, self._times(slope))

    def __neg__(self) -> Forward:
        return self._chain(self.value.copy_negate(), -_ONE)  # a − a is 0, however long a is

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        value = _add(self.value, other.value)
        if not other.derivatives:
            return Forward(value, self.derivatives)
        return Forward(value, _sum(dict(self.derivatives), other.derivatives))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self.__add__(-other)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        moved = _sum(self._times(other.value), other._times(self.value))
        return Forward(_multiply(self.value, other.value), moved)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        other = other if isinstance(other, Forward) else Forward.lift(other)
        inverse = _CONTEXT.divide(_ONE, other.value)
        value = _multiply(self.value, inverse)
        falls = other._times(_CONTEXT.minus(_multiply(value, inverse)))
        return Forward(value, _sum(self._times(inverse), falls) if self.derivatives else falls)

    def __rtruediv__(self, other: Any) -> Any:
        return Forward.lift(other) / self

    def exp(self) -> Forward:
        value = _CONTEXT.exp(self.value)
        return self._chain(value, value)

    def log(self) -> Forward:
        return self._chain(_CONTEXT.ln(self.value), _WHOLE_LINE.divide(_ONE, self.value))

    def log1p(self) -> Forward:
        past = _CONTEXT.add(_ONE, self.value)
        return self._chain(_of("log1p", self.value), _WHOLE_LINE.divide(_ONE, past))

    def sqrt(self) -> Forward:
        value = _CONTEXT.sqrt(self.value)
        return self._chain(value, _WHOLE_LINE.divide(_ONE, _CONTEXT.multiply(_TWO, value)))

    def tanh(self) -> Forward:
        slope = _CONTEXT.power(_of("sech", self.value), _TWO)
        return self._chain(_of("tanh", self.value), slope)

    def sin(self) -> Forward:
        return self._chain(_of("sin", self.value), _of("cos", self.value))

    def cos(self) -> Forward:
        return self._chain(_of("cos", self.value), _CONTEXT.minus(_of("sin", self.value)))

    def primitive(self, function: Primitive) -> Forward:
        value = _of(function.short_name, self.value)
        return self._chain(value, function.slope(Forward(self.value), Forward, _C).value)


_C: Final = Forward(_CONTEXT.create_decimal(_MP.nstr(1 / _MP.sqrt(_MP.pi), DIGITS + 10)))


def _sum(total: dict[int, Decimal], more: Slopes) -> dict[int, Decimal]:
    """The sum by direction, in place."""
    for direction, slope in more.items():
        own = total.get(direction)
        total[direction] = slope if own is None else _add(own, slope)
    return total


def number(constant: Expr) -> Forward:
    """An exact constant to fifty digits."""
    if constant.is_Rational:
        return Forward(_CONTEXT.divide(Decimal(int(constant.p)), Decimal(int(constant.q))))
    return Forward(_CONTEXT.create_decimal(str(constant.evalf(DIGITS + 5))))


_constant: Final = np.frompyfunc(
    lambda entry: Forward(entry.value) if isinstance(entry, Forward) else entry, 1, 1
)
MULTIPRECISION: Final = Arithmetic(number=number, constant=_constant)


def independent(arrays: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """The arrays' entries as variables: each the unit derivative in a direction of its own."""
    result: dict[tuple[str, str], Any] = {}
    place = 0
    for name, array in arrays.items():
        variables = np.empty(np.size(array), dtype=object)
        for index, entry in enumerate(np.ravel(array)):
            variables[index] = Forward(fifty(entry), {place: _ONE})
            place += 1
        result[name] = variables.reshape(np.shape(array))
    return result
