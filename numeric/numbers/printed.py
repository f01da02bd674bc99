"""Numbers as text that never says more than is proved: bounds outwards, boxes inwards.

In: floats, each taken as the exact number that it is. Out: decimals and text. This is the one home
of rounding for people: the terminal, the sentences of a verdict and the report's boxes use it.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from numeric.numbers.matrices import up

_ALL_DIGITS: Final = Context(prec=400)
_PLAIN: Final = range(-5, 8)
_SHORT: Final = 8
_FIGURES: Final = (12, 6, 17)


def decimal(value: float, digits: int, way: str) -> Decimal:
    """A finite number with so many decimal places, rounded from its exact value.

    `way` is a rounding of the module decimal: with ROUND_CEILING the result is never below the
    value, with ROUND_FLOOR never above.
    """
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), way, _ALL_DIGITS)


def ceiling(value: float, digits: int = 4) -> str:
    """An upper bound, rounded up."""
    if not math.isfinite(value):
        return "no bound" if value > 0 else "zero"
    return f"{decimal(value, digits, ROUND_CEILING):f}"


def ceiling_signed(value: float, digits: int = 1) -> str:
    """An upper bound that is finite, rounded up, with its sign."""
    return f"{decimal(value, digits, ROUND_CEILING):+f}"


def scientific_up(value: float, digits: int = 1) -> str:
    """An upper bound as a mantissa and a power of ten, rounded up from its exact value."""
    return _scientific(value, digits, ROUND_CEILING)


def scientific_down(value: float, digits: int = 1) -> str:
    """A lower bound as a mantissa and a power of ten, rounded down from its exact value."""
    return _scientific(value, digits, ROUND_FLOOR)


def _scientific(value: float, digits: int, way: str) -> str:
    if not math.isfinite(value):
        return "no bound"
    exact = Decimal(value)
    least = Decimal(1).scaleb(exact.adjusted() - digits)
    return f"{exact.quantize(least, way, _ALL_DIGITS):.{digits}e}"


def floor(value: float, digits: int = 4) -> str:
    """A lower bound, rounded down."""
    if not math.isfinite(value):
        return "no bound"
    return f"{decimal(value, digits, ROUND_FLOOR):f}"


def rate_up(value: float) -> str:
    """A rate, rounded up; its power of ten where it is large, the logarithm rounded up before."""
    return ceiling(value) if value < 100 else f"10^{ceiling(up(math.log10(value)), 2)}"


def rate_down(value: float) -> str:
    """A rate from below, rounded down; its power of ten where it is large."""
    if value < 100:
        return floor(value)
    logarithm = math.log10(value)
    return f"10^{floor(logarithm - (up(logarithm) - logarithm), 2)}"


def box_ends(low: float, high: float) -> tuple[Decimal, Decimal]:
    """Two decimals with low ≤ the first ≤ the second ≤ high: a box inside the one that is meant.

    Few figures where they lose nothing; the nearest float's shortest text for a single number.
    """
    if low == high:
        return Decimal(repr(low)).normalize(), Decimal(repr(high)).normalize()
    for figures in _FIGURES:
        ends = tuple(Context(prec=figures, rounding=way).plus(Decimal(end)).normalize()
                     for end, way in ((low, ROUND_CEILING), (high, ROUND_FLOOR)))  # fmt: skip
        short = max(len(end.as_tuple().digits) for end in ends) <= _SHORT
        if ends[0] <= ends[1] and (short or figures != _FIGURES[0]):
            return ends[0], ends[1]
    return Decimal(low), Decimal(high)


def box_text(low: float, high: float) -> str:
    """[low, high], rounded inwards."""
    return "[" + ", ".join(map(_text, box_ends(low, high))) + "]"


def _text(value: Decimal) -> str:
    if not value.is_finite():
        return str(float(value))
    return f"{value:f}" if value.adjusted() in _PLAIN or not value else f"{value:e}"


def box_around(low: Decimal, high: Decimal) -> tuple[float, float]:
    """The smallest box of floats that holds two decimals, so that 0.3 lies in [0, 0.3]."""
    first, last = float(low), float(high)
    return (
        first if Decimal(first) <= low else math.nextafter(first, -math.inf),
        last if Decimal(last) >= high else math.nextafter(last, math.inf),
    )
