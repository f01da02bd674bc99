"""Numbers as a report prints them: bounds rounded the safe way, logarithms, powers of ten.

In: floats and fractions. Out: boxes. An upper bound is never printed below its value, a lower
one never above, a box never larger than it is.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Final

from derive.typeset.boxes import Box, Fenced, Number, Sum, row, sup
from numeric.numbers.printed import box_ends, decimal

UP: Final = ROUND_CEILING
DOWN: Final = ROUND_FLOOR
NEAR: Final = ROUND_HALF_EVEN
_DIGITS: Final = 3
_MOST: Final = 18
_PLAIN: Final = (-3, 4)
_WIDE: Final = 8


def places(value: float, digits: int = 2, way: str = NEAR) -> Box:
    """The value with so many decimal places; ∞ and −∞ as signs, nothing for no number."""
    if not math.isfinite(value):
        return Number("–") if math.isnan(value) else signed(Number("∞"), value < 0)
    made = decimal(value, digits, way)
    return signed(Number(f"{abs(made):f}"), made < 0)


def figures(value: float | Fraction, way: str = NEAR, digits: int = _DIGITS) -> Box:
    """The value with so many significant figures, as a power of ten where it is far from 1."""
    if isinstance(value, float) and not math.isfinite(value):
        return places(value)
    if value == 0:
        return Number("0")
    whole, power = _rounded(Fraction(value), way, digits)
    text = str(abs(whole)).rjust(digits, "0")
    if _PLAIN[0] <= power < _PLAIN[1]:
        made = Decimal(abs(whole)).scaleb(power - digits + 1)
        return signed(Number(f"{made:f}"), whole < 0)
    exponent = signed(Number(str(abs(power))), power < 0)
    mantissa = Number(f"{text[0]}.{text[1:]}".removesuffix("."))
    return signed(row(mantissa, "×", sup(Number("10"), exponent)), whole < 0)


def below(left: Fraction, right: Fraction) -> tuple[Box, Box]:
    """Two numbers with as many figures as show that left < right: left goes up, right down."""
    for digits in range(_DIGITS, _MOST):
        up, down = (_value(v, way, digits) for v, way in ((left, UP), (right, DOWN)))
        if up < down:
            break
    exact = right == _value(right, DOWN, digits) and right.denominator == 1
    return figures(left, UP, digits), (
        Number(str(right)) if exact else figures(right, DOWN, digits)
    )  # fmt: skip


def rate(value: float) -> Box:
    """A growth a step, rounded up, with as many figures as tell it from 1."""
    if not value < 1:
        return figures(value, UP)
    return below(Fraction(value), Fraction(1))[0]


def inside(low: float, high: float) -> Box:
    """[low, high], rounded inwards."""

    def shown(end: Decimal, way: str) -> Box:
        if not end.is_finite() or not end or _PLAIN[0] <= end.adjusted() < _WIDE:
            text = f"{abs(end):f}" if end.is_finite() else "∞"
            return signed(Number(text), end < 0)
        return figures(Fraction(end), way)

    first, last = box_ends(low, high)
    return Fenced(row(shown(first, UP), ",", shown(last, DOWN)), "[", "]")


def label(value: float, digits: int, way: str) -> str:
    """The value with so many decimal places, for a figure's label."""
    return f"{decimal(value, digits, way):f}"


def _value(value: Fraction, way: str, digits: int) -> Fraction:
    if value == 0:
        return value
    whole, power = _rounded(value, way, digits)
    return whole * Fraction(10) ** (power - digits + 1)


def _rounded(value: Fraction, way: str, digits: int) -> tuple[int, int]:
    """So many digits as a whole number, and the power of ten of the first."""
    power = _power(abs(value))
    scaled = value / Fraction(10) ** (power - digits + 1)
    whole = math.ceil(scaled) if way == UP else math.floor(scaled) if way == DOWN else round(scaled)
    if abs(whole) == 10**digits:
        whole, power = whole // 10, power + 1
    return whole, power


def _power(value: Fraction) -> int:
    """The largest p with 10^p ≤ value."""
    power = len(str(value.numerator)) - len(str(value.denominator))
    while Fraction(10) ** power > value:
        power -= 1
    while Fraction(10) ** (power + 1) <= value:
        power += 1
    return power


def power_of_ten(value: float, way: str) -> Box:
    """10 to the value, the exponent rounded."""
    return sup(Number("10"), places(value, 2, way))


def signed(made: Box, negative: bool) -> Box:
    """The box, with a minus in front where it is negative."""
    return Sum((("−", made),)) if negative else made
