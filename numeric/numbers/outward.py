"""Floats rounded outwards: the next one below or above, the ends of several arrays.

In: float64 arrays, results of one rounded operation. Out: arrays between which, or beyond which,
the exact results lie. What is no number is no bound.

Assumes: NumPy's exp, tanh, log1p and sin err by at most `ULPS` units in the last place; its own
tests allow four.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Array = Any
ULPS: Final = 16
TINY: Final = 1e-300
_MARGIN: Final = ULPS * 2.0**-52
LOW, HIGH = np.array(-np.inf), np.array(np.inf)  # as arrays no operation has to make them one


def down(value: Array, exact: Array) -> Array:
    """The next float below, where the value is not exact; −∞ for what is no number."""
    return moved(np.fmax(value, LOW), exact, LOW)


def up(value: Array, exact: Array) -> Array:
    """The next float above, where the value is not exact; ∞ for what is no number."""
    return moved(np.fmin(value, HIGH), exact, HIGH)


def moved(value: Array, exact: Array, end: Array) -> Array:
    """The next float towards that end, where the value is not exact."""
    found = np.asarray(np.nextafter(value, end))
    if exact is not np.False_:
        np.copyto(found, value, where=exact)
    return found


def added(a: Array, b: Array, end: Array) -> Array:
    """The next float towards that end of a + b; exact where one of them is 0."""
    value = a + b
    some = np.count_nonzero(a) < a.size or np.count_nonzero(b) < b.size
    return moved(value, (a == 0) | (b == 0) if some else np.False_, end)


def below(value: Array) -> Array:
    """At most what a function is whose computed value is given."""
    return down(value - np.abs(value) * _MARGIN, value == 0)


def above(value: Array) -> Array:
    """At least what a function is whose computed value is given."""
    return up(value + np.abs(value) * _MARGIN, value == 0)


def between(ends: list[Array]) -> tuple[Array, Array]:
    """The smallest and the largest of arrays, entry by entry."""
    low, high = ends[0], ends[0]
    for end in ends[1:]:
        low, high = np.minimum(low, end), np.maximum(high, end)
    return low, high


def all_of(truths: Array) -> bool:
    """Whether all are true: a count takes a third of the time of `all`."""
    return bool(np.count_nonzero(truths) == truths.size)


def middle_of(lo: Array, hi: Array) -> Array:
    """A float between the ends; 0 where one is infinite, or no more is known than 0."""
    if lo is hi:
        return lo
    if np.count_nonzero(near := np.maximum(-lo, hi) <= TINY):
        unknown = near & (lo <= 0) & (hi >= 0)  # below all floats, perhaps
        lo, hi = np.where(unknown, 0.0, lo), np.where(unknown, 0.0, hi)
    if not all_of(np.isfinite(lo - hi)):
        finite = np.isfinite(lo) & np.isfinite(hi)
        lo, hi = np.where(finite, lo, 0.0), np.where(finite, hi, 0.0)
    return np.minimum(np.maximum(0.5 * lo + 0.5 * hi, lo), hi)


def halves_of(lo: Array, hi: Array) -> tuple[Array, Array]:
    """`middle_of`, and at least how far either end is from it."""
    middle = middle_of(lo, hi)
    if lo is hi:
        return middle, np.zeros_like(lo)
    radius = np.maximum(hi - middle, middle - lo)
    return middle, up(radius, radius == 0)
