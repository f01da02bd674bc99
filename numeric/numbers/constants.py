"""Which rational number a float stands for: the simplest near by, or a constant that is known.

In: floats, and the constants of a cell. Out: fractions, from which elements of a field are made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from typing import Final

_ULPS: Final = 4


@lru_cache(maxsize=4096)
def simplest_rational(number: float) -> Fraction:
    """The fraction of least denominator within 4 ulp of the float.

    Raises:
        TypeError: if the float is infinite or not a number.
    """
    if not math.isfinite(number):
        raise TypeError(f"{number} is no element of a field")
    exact, slack = Fraction(number), _ULPS * Fraction(math.ulp(number))
    return _simplest(exact - slack, exact + slack)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator in [low, high], by continued fractions."""
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -_simplest(-high, -low)
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    return math.floor(low) + 1 / _simplest(1 / (high % 1), 1 / (low % 1))


def distinct(constants: Iterable[Fraction]) -> dict[float, Fraction]:
    """The constants, by their floats, that are not what their float is read as without them.

    A number of many digits is not the simplest rational near its float: code that writes it, and
    code that writes the product of two, mean the numbers and not what is simplest near by.
    """
    found = {}
    for constant in map(abs, constants):
        with suppress(OverflowError):
            number = float(constant)
            if number and simplest_rational(number) != constant:
                found[number] = constant
    return found
