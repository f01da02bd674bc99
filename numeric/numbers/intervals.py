"""Arrays of closed intervals with outward rounding: every operation contains its exact result.

In: float64 arrays. Out: `Interval`. One rounded operation errs by at most half a unit in the last
place, so the next float outwards bounds it; a sum of k products, in whatever order and with or
without fused operations, errs by at most γ_k Σ|a||b| with γ_k = k u / (1 − k u) (Higham 2002,
Accuracy and stability of numerical algorithms, section 3.1). An infinite end stands for no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np

from numeric.numbers.outward import (
    HIGH,
    LOW,
    TINY,
    above,
    added,
    all_of,
    below,
    between,
    down,
    halves_of,
    middle_of,
    moved,
    up,
)

Array = Any
UNIT: Final = 2.0**-53
_LEAST: Final = 2.0**-1074
_SMALL: Final = 1e-290
_NORMAL: Final = 2.3e-308  # above the smallest normal number: below it a float may become 0
_LARGEST: Final = 2.0**1023 * (2 - 2.0**-52)  # what a float that overflowed is at least
_QUIET: Final = np.errstate(all="ignore")  # an infinite end is an answer here


@dataclass(frozen=True)
class Interval:
    """[lo, hi] at every entry, in the order the mathematics needs: lo ≤ every value ≤ hi."""

    lo: Array
    hi: Array

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        """Refuse an empty or undefined interval.

        Raises:
            ValueError: if an end is NaN or the lower lies above the upper.
        """
        if self.lo.shape != self.hi.shape or not all_of(self.lo <= self.hi):
            raise ValueError("interval: the lower end must not exceed the upper, and none be NaN")

    # ---- shape -------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.lo.shape  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.lo.size  # type: ignore[no-any-return]

    @property
    def T(self) -> Interval:
        """The transpose."""
        return _known(self.lo.T, self.hi.T)

    def swapaxes(self, one: int, other: int) -> Interval:
        """The same with two axes exchanged."""
        return _known(self.lo.swapaxes(one, other), self.hi.swapaxes(one, other))

    @property
    def exact(self) -> bool:
        """Whether every interval is a single number."""
        return self.lo is self.hi or np.array_equal(self.lo, self.hi)

    def __getitem__(self, key: Any) -> Interval:
        return _known(self.lo[key], self.hi[key])

    # ---- numbers -----------------------------------------------------------------------------

    @property
    @_QUIET
    def middle(self) -> Array:
        """A float inside each interval; 0 where an end is infinite, or no more is known than 0."""
        return middle_of(self.lo, self.hi)

    @property
    def radius(self) -> Array:
        """At least the distance of any value from `middle`."""
        return self.halves()[1]

    @_QUIET
    def halves(self) -> tuple[Array, Array]:
        """`middle` and `radius`."""
        return halves_of(self.lo, self.hi)

    @property
    def magnitude(self) -> Array:
        """The largest absolute value."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def mignitude(self) -> Array:
        """The smallest absolute value."""
        within = (self.lo <= 0) & (self.hi >= 0)
        return np.where(within, 0.0, np.minimum(np.abs(self.lo), np.abs(self.hi)))

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that contains both."""
        return _known(np.minimum(self.lo, other.lo), np.maximum(self.hi, other.hi))

    def meet(self, other: Interval) -> Interval:
        """What both contain; both must contain the truth."""
        return Interval(np.maximum(self.lo, other.lo), np.minimum(self.hi, other.hi))

    def within(self, other: Interval) -> bool:
        """Whether every interval lies inside the other's."""
        return bool((self.lo >= other.lo).all() and (self.hi <= other.hi).all())

    def both_ends(self) -> tuple[Interval, Interval]:
        """The lower and the upper end, each an interval without width."""
        return _known(self.lo, self.lo), _known(self.hi, self.hi)

    def _ends(self) -> tuple[Array, ...]:
        return (self.lo,) if self.lo is self.hi else (self.lo, self.hi)

    def absolute(self) -> Interval:
        """|x|."""
        return _known(self.mignitude, self.magnitude)

    @_QUIET
    def square(self) -> Interval:
        """x², which is not negative."""
        a = self.absolute()
        return Interval(np.maximum(down(a.lo * a.lo, a.lo == 0), 0.0), up(a.hi**2, a.hi == 0))

    # ---- arithmetic --------------------------------------------------------------------------

    def __neg__(self) -> Interval:
        return _known(-self.hi, -self.lo)

    @_QUIET
    def __add__(self, other: Any) -> Interval:
        b = interval(other)
        lo, hi = added(self.lo, b.lo, LOW), added(self.hi, b.hi, HIGH)
        if all_of(lo <= hi):
            return _known(lo, hi)
        return Interval(np.fmax(lo, LOW), np.fmin(hi, HIGH))  # ∞ − ∞ bounds nothing

    __radd__ = __add__

    def __sub__(self, other: Any) -> Interval:
        return self + (-interval(other))

    def __rsub__(self, other: Any) -> Interval:
        return (-self).__add__(other)

    @_QUIET
    def __mul__(self, other: Any) -> Interval:
        b = interval(other)
        same = _harmless(self) | _harmless(b)
        ends = [p * q for p in self._ends() for q in b._ends()]
        low, high = between(ends)
        if not all_of(low <= high):  # some end is no number: 0 times no bound is 0
            low, high = between([np.where(np.isnan(end), 0.0, end) for end in ends])
        lo, hi = moved(low, same, LOW), moved(high, same, HIGH)
        zero = not (np.count_nonzero(low) == low.size == np.count_nonzero(high))
        if zero and ((lo == -_LEAST) | (hi == _LEAST)).any():  # what has one sign keeps it
            lo = np.where((low == 0) & _alike(self, b), 0.0, lo)
            hi = np.where((high == 0) & _alike(self, -b), 0.0, hi)
        return _known(lo, hi)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Interval:
        return self * reciprocal(interval(other))

    def __rtruediv__(self, other: Any) -> Interval:
        if isinstance(other, float) and other == 1.0:
            return reciprocal(self)
        return interval(other) * reciprocal(self)

    def __matmul__(self, other: Any) -> Interval:
        return matmul(self, interval(other))

    def __rmatmul__(self, other: Any) -> Interval:
        return matmul(interval(other), self)

    def sum(self, axis: int, keepdims: bool) -> Interval:
        """The sum along an axis."""
        count = self.shape[axis]
        middle, radius = self.halves()
        middle = middle.sum(axis=axis, keepdims=keepdims)
        spread = (radius + gamma(count) * self.magnitude).sum(axis=axis, keepdims=keepdims)
        return around(middle, spread * (1 + gamma(2 * count + 4)) + TINY)


def interval(value: Any) -> Interval:
    """The value itself; numbers and arrays as intervals without width."""
    if isinstance(value, Interval):
        return value
    array = np.asarray(value, dtype=np.float64)
    return Interval(array, array)


def rational(number: Fraction) -> Interval:
    """The tightest interval of floats around a rational number."""
    try:
        value = number.numerator / number.denominator
    except OverflowError:
        most = np.asarray(np.finfo(np.float64).max)
        above = Interval(most, np.asarray(np.inf))
        return above if number > 0 else -above
    if Fraction(value) == number:
        return interval(value)
    below, above = np.nextafter(value, -np.inf), np.nextafter(value, np.inf)
    return Interval(np.asarray(below), np.asarray(above))


def _around(middle: Array, radius: Array) -> Interval:
    if not all_of(np.isfinite(radius + np.abs(middle))):
        known = np.isfinite(radius) & np.isfinite(middle)
        middle, radius = np.where(known, middle, 0.0), np.where(known, radius, np.inf)
    exact = radius == 0
    return Interval(moved(middle - radius, exact, LOW), moved(middle + radius, exact, HIGH))


@_QUIET
def around(middle: Array, radius: Array) -> Interval:
    """The interval of that middle and radius; no bound where the radius is not finite."""
    return _around(middle, radius)


@cache
def gamma(terms: int) -> float:
    """γ_k = k u / (1 − k u), rounded up."""
    return terms * UNIT / (1 - terms * UNIT) * (1 + 4 * UNIT)


@_QUIET
def reciprocal(x: Interval) -> Interval:
    """1 / x; no bound where 0 is within."""
    bad = (x.lo <= 0) & (x.hi >= 0)
    if not np.count_nonzero(bad):
        return _known(moved(1 / x.hi, np.isinf(x.hi), LOW), moved(1 / x.lo, np.isinf(x.lo), HIGH))
    lo, hi = np.where(bad, 1.0, x.lo), np.where(bad, 1.0, x.hi)
    return Interval(
        np.where(bad, -np.inf, down(1 / hi, np.isinf(hi))),
        np.where(bad, np.inf, up(1 / lo, np.isinf(lo))),
    )


@_QUIET
def matmul(a: Interval, b: Interval) -> Interval:
    """A B by middles and radii.

    |AB − fl(A_m B_m)| ≤ |A_m| (B_r + γ |B_m|) + A_r (|B_m| + B_r), and that bound, a sum of
    nonnegative products, is raised by its own rounding.

    Source: Rump 1999, Fast and parallel interval arithmetic, BIT 39.
    """
    inner = a.shape[-1]
    if inner == 0:
        return _zero_product(a, b)
    (am, ar), (bm, br) = halves_of(a.lo, a.hi), halves_of(b.lo, b.hi)
    wide = np.count_nonzero(ar) > 0
    if not ((wide or np.count_nonzero(am)) and (np.count_nonzero(bm) or np.count_nonzero(br))):
        return _zero_product(a, b)
    middle, size = am @ bm, np.abs(bm)
    relative = gamma(inner + 2) * size + np.where(bm == 0, 0.0, _LEAST)  # it may underflow
    spread = np.abs(am) @ (br + relative)
    if wide:
        spread = spread + ar @ (size + br)
    return _around(middle, spread * (1 + gamma(2 * inner + 10)) + inner * TINY)


def _zero_product(a: Interval, b: Interval) -> Interval:
    """Zeros in the shape of A B, each a matrix or a stack of them."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return interval(np.zeros((*lead, a.shape[-2], b.shape[-1])))


def stacked(parts: list[Interval], axis: int = 0) -> Interval:
    """The parts one below the other, or along another axis."""
    ends = ([p.lo for p in parts], [p.hi for p in parts])
    return _known(*(np.concatenate(end, axis=axis) for end in ends))


def repeated(x: Interval, shape: tuple[int, ...]) -> Interval:
    """The same along new axes in front, and along those of length 1."""
    return _known(np.broadcast_to(x.lo, shape), np.broadcast_to(x.hi, shape))


def _known(lo: Array, hi: Array) -> Interval:
    """An interval whose ends are known to be in order: made of others', or compared already."""
    made = object.__new__(Interval)
    made.__dict__.update(lo=lo, hi=hi)
    return made


def _harmless(x: Interval) -> Array:
    """Whether a product with x is exact: x is 0, 1 or −1."""
    one = x.lo == x.hi
    if not np.count_nonzero(one):
        return np.False_
    return one & ((x.lo == 0) | (np.abs(x.lo) == 1))


def _alike(a: Interval, b: Interval) -> Array:
    """Whether no product of a value of the one and of the other is negative."""
    return ((a.lo >= 0) & (b.lo >= 0)) | ((a.hi <= 0) & (b.hi <= 0))


# ---- functions at points -----------------------------------------------------------------------


@_QUIET
def widened(value: Array) -> Interval:
    """A function's float value with its error of `ULPS` units around it; 0 stays 0."""
    return Interval(below(value), above(value))


@_QUIET
def exp(x: Interval) -> Interval:
    """e^x, which is not negative."""
    low, high = below(np.minimum(np.exp(x.lo), _LARGEST)), above(np.exp(x.hi))
    return Interval(np.where(low < _NORMAL, 0.0, low), np.maximum(high, _NORMAL))


@_QUIET
def log(x: Interval) -> Interval:
    """Log x of what of x is positive; no bound below where 0 is within, none at all left of it."""
    low, high = below(np.log(np.maximum(x.lo, 0.0))), above(np.log(x.hi))
    return Interval(low, np.where(x.hi > 0, high, np.inf))


@_QUIET
def sqrt(x: Interval) -> Interval:
    """√x of what of x is not negative; a root is rounded to the nearest float."""
    low, high = np.sqrt(np.maximum(x.lo, 0.0)), np.sqrt(np.maximum(x.hi, 0.0))
    return Interval(np.maximum(down(low, low == 0), 0.0), up(high, high == 0))


@_QUIET
def tanh(x: Interval) -> Interval:
    """Tanh x, between −1 and 1; between 0 and x where x is too small for relative errors."""
    low, high = below(np.tanh(x.lo)), above(np.tanh(x.hi))
    low = np.where(np.abs(x.lo) < _SMALL, np.minimum(x.lo, 0.0), np.maximum(low, -1.0))
    high = np.where(np.abs(x.hi) < _SMALL, np.maximum(x.hi, 0.0), np.minimum(high, 1.0))
    return Interval(low, high)


def sigmoid(x: Interval) -> Interval:
    """1 / (1 + e^(−x)), between 0 and 1."""
    found = 1.0 / (1.0 + exp(-x))
    return Interval(np.maximum(found.lo, 0.0), np.minimum(found.hi, 1.0))


@_QUIET
def softplus(x: Interval) -> Interval:
    """log(1 + e^x) = max(x, 0) + log1p(e^(−|x|)) at both ends."""

    def at(point: Array) -> Interval:
        power = exp(interval(-np.abs(point)))
        return interval(np.maximum(point, 0.0)) + Interval(
            below(np.log1p(power.lo)), above(np.log1p(power.hi))
        )

    return Interval(at(x.lo).lo, at(x.hi).hi)


def _wave(function: Callable[[Array], Array]) -> Callable[[Interval], Interval]:
    def rule(x: Interval) -> Interval:
        """The value at the middle ± the radius, since the slope is at most 1, within ±1."""
        middle, radius = x.halves()
        known = np.isfinite(radius) & (np.abs(middle) < 1e6)
        value = np.where(known, function(np.where(known, middle, 0.0)), 0.0)
        wide = around(value, np.where(known, radius, 1.0) + 1e-14)
        return Interval(np.maximum(wide.lo, -1.0), np.minimum(wide.hi, 1.0))

    return rule


sin: Final = _wave(np.sin)
cos: Final = _wave(np.cos)
