"""Arrays of closed intervals with outward rounding: every operation contains its exact result.

In: float64 arrays. Out: `Interval`. One rounded operation errs by at most half a unit in the last
place, so the next float outwards bounds it; a sum of k products, in whatever order and with or
without fused operations, errs by at most γ_k Σ|a||b| with γ_k = k u / (1 − k u) (Higham 2002,
Accuracy and stability of numerical algorithms, section 3.1). An infinite end stands for no bound.

Assumes: NumPy's exp, tanh, log1p and sin err by at most `ULPS` last places; its tests allow four.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np

Array = Any
ULPS: Final = 16
UNIT: Final = 2.0**-53
_TINY: Final = 1e-300
_LEAST: Final = 2.0**-1074
_SMALL: Final = 1e-290
_NORMAL: Final = 2.3e-308  # above the smallest normal number: below it a float may become 0
_LARGEST: Final = 2.0**1023 * (2 - 2.0**-52)  # what a float that overflowed is at least
_MARGIN: Final = ULPS * 2.0**-52
_LOW, _HIGH = np.array(-np.inf), np.array(np.inf)  # as arrays no operation has to make them one
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
        if self.lo.shape != self.hi.shape or np.count_nonzero(self.lo <= self.hi) < self.lo.size:
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
        return Interval(self.lo.T, self.hi.T)

    def swapaxes(self, one: int, other: int) -> Interval:
        """The same with two axes exchanged."""
        return Interval(self.lo.swapaxes(one, other), self.hi.swapaxes(one, other))

    @property
    def exact(self) -> bool:
        """Whether every interval is a single number."""
        return self.lo is self.hi or np.array_equal(self.lo, self.hi)

    def __getitem__(self, key: Any) -> Interval:
        return Interval(self.lo[key], self.hi[key])

    # ---- numbers -----------------------------------------------------------------------------

    @property
    def middle(self) -> Array:
        """A float inside each interval; 0 where an end is infinite, or no more is known than 0."""
        if self.lo is self.hi:
            return self.lo
        apart = (self.lo > 0) | (self.hi < 0) | (self.magnitude > _TINY)  # not below all floats
        known = np.isfinite(self.lo) & np.isfinite(self.hi) & apart
        lo, hi = np.where(known, self.lo, 0.0), np.where(known, self.hi, 0.0)
        return np.minimum(np.maximum(0.5 * lo + 0.5 * hi, lo), hi)

    @property
    def radius(self) -> Array:
        """At least the distance of any value from `middle`."""
        return self.halves()[1]

    @_QUIET
    def halves(self) -> tuple[Array, Array]:
        """`middle` and `radius`."""
        middle = self.middle
        if self.lo is self.hi:
            return middle, np.zeros_like(self.lo)
        return middle, np.maximum(_up(self.hi - middle, self.hi == middle),
                                  _up(middle - self.lo, self.lo == middle))  # fmt: skip

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
        return Interval(np.minimum(self.lo, other.lo), np.maximum(self.hi, other.hi))

    def meet(self, other: Interval) -> Interval:
        """What both contain; both must contain the truth."""
        return Interval(np.maximum(self.lo, other.lo), np.minimum(self.hi, other.hi))

    def within(self, other: Interval) -> bool:
        """Whether every interval lies inside the other's."""
        return bool((self.lo >= other.lo).all() and (self.hi <= other.hi).all())

    def _ends(self) -> tuple[Array, ...]:
        return (self.lo,) if self.lo is self.hi else (self.lo, self.hi)

    def absolute(self) -> Interval:
        """|x|."""
        return Interval(self.mignitude, self.magnitude)

    @_QUIET
    def square(self) -> Interval:
        """x², which is not negative."""
        a = self.absolute()
        return Interval(np.maximum(_down(a.lo * a.lo, a.lo == 0), 0.0), _up(a.hi**2, a.hi == 0))

    # ---- arithmetic --------------------------------------------------------------------------

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    @_QUIET
    def __add__(self, other: Any) -> Interval:
        b = interval(other)
        return Interval(
            _down(self.lo + b.lo, (self.lo == 0) | (b.lo == 0)),
            _up(self.hi + b.hi, (self.hi == 0) | (b.hi == 0)),
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> Interval:
        return self + (-interval(other))

    def __rsub__(self, other: Any) -> Interval:
        return (-self).__add__(other)

    @_QUIET
    def __mul__(self, other: Any) -> Interval:
        b = interval(other)
        same = _harmless(self) | _harmless(b)
        ends = [_finite_product(p, q) for p in self._ends() for q in b._ends()]
        low, high = ends[0], ends[0]
        for end in ends[1:]:
            low, high = np.minimum(low, end), np.maximum(high, end)
        lo, hi = _down(low, same), _up(high, same)
        if ((lo == -_LEAST) | (hi == _LEAST)).any():  # what has one sign keeps it
            lo = np.where((low == 0) & _alike(self, b), 0.0, lo)
            hi = np.where((high == 0) & _alike(self, -b), 0.0, hi)
        return Interval(lo, hi)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Interval:
        return self * reciprocal(interval(other))

    def __rtruediv__(self, other: Any) -> Interval:
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
        return around(middle, spread * (1 + gamma(2 * count + 4)) + _TINY)


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


@_QUIET
def around(middle: Array, radius: Array) -> Interval:
    """The interval of that middle and radius; no bound where the radius is not finite."""
    known = np.isfinite(radius) & np.isfinite(middle)
    middle, radius = np.where(known, middle, 0.0), np.where(known, radius, np.inf)
    return Interval(_down(middle - radius, radius == 0), _up(middle + radius, radius == 0))


@cache
def gamma(terms: int) -> float:
    """γ_k = k u / (1 − k u), rounded up."""
    return terms * UNIT / (1 - terms * UNIT) * (1 + 4 * UNIT)


@_QUIET
def reciprocal(x: Interval) -> Interval:
    """1 / x; no bound where 0 is within."""
    bad = (x.lo <= 0) & (x.hi >= 0)
    lo, hi = np.where(bad, 1.0, x.lo), np.where(bad, 1.0, x.hi)
    return Interval(
        np.where(bad, -np.inf, _down(1 / hi, np.isinf(hi))),
        np.where(bad, np.inf, _up(1 / lo, np.isinf(lo))),
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
    (am, ar), (bm, br) = a.halves(), b.halves()
    wide = ar.any()
    if not (wide or am.any()) or not (bm.any() or br.any()):
        return _zero_product(a, b)
    middle = am @ bm
    relative = gamma(inner + 2) * np.abs(bm) + np.where(bm == 0, 0.0, _LEAST)  # it may underflow
    spread = np.abs(am) @ (br + relative)
    if wide:
        spread = spread + ar @ (np.abs(bm) + br)
    spread = np.where(np.isnan(spread), np.inf, spread)
    return around(middle, spread * (1 + gamma(2 * inner + 10)) + inner * _TINY)


def _zero_product(a: Interval, b: Interval) -> Interval:
    """Zeros in the shape of A B, each a matrix or a stack of them."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return interval(np.zeros((*lead, a.shape[-2], b.shape[-1])))


def stacked(parts: list[Interval], axis: int = 0) -> Interval:
    """The parts one below the other, or along another axis."""
    ends = ([p.lo for p in parts], [p.hi for p in parts])
    return Interval(*(np.concatenate(end, axis=axis) for end in ends))


def repeated(x: Interval, shape: tuple[int, ...]) -> Interval:
    """The same along new axes in front, and along those of length 1."""
    return Interval(np.broadcast_to(x.lo, shape), np.broadcast_to(x.hi, shape))


def _finite_product(a: Array, b: Array) -> Array:
    """A b, where 0 times no bound is 0."""
    found = a * b
    return np.where(np.isnan(found), 0.0, found) if np.isnan(found).any() else found


def _harmless(x: Interval) -> Array:
    """Whether a product with x is exact: x is 0, 1 or −1."""
    return (x.lo == x.hi) & ((x.lo == 0) | (np.abs(x.lo) == 1))


def _alike(a: Interval, b: Interval) -> Array:
    """Whether no product of a value of the one and of the other is negative."""
    return ((a.lo >= 0) & (b.lo >= 0)) | ((a.hi <= 0) & (b.hi <= 0))


def _down(value: Array, exact: Array) -> Array:
    return _moved(np.fmax(value, _LOW), exact, _LOW)  # what is no number bounds nothing


def _up(value: Array, exact: Array) -> Array:
    return _moved(np.fmin(value, _HIGH), exact, _HIGH)


def _moved(value: Array, exact: Array, end: Array) -> Array:
    """The next float towards that end, where the value is not exact."""
    found = np.asarray(np.nextafter(value, end))
    np.copyto(found, value, where=exact)
    return found


# ---- functions at points -----------------------------------------------------------------------


@_QUIET
def widened(value: Array) -> Interval:
    """A function's float value with its error of `ULPS` units around it; 0 stays 0."""
    return Interval(_below(value), _above(value))


def _below(value: Array) -> Array:
    return _down(value - np.abs(value) * _MARGIN, value == 0)


def _above(value: Array) -> Array:
    return _up(value + np.abs(value) * _MARGIN, value == 0)


@_QUIET
def exp(x: Interval) -> Interval:
    """e^x, which is not negative."""
    low, high = _below(np.minimum(np.exp(x.lo), _LARGEST)), _above(np.exp(x.hi))
    return Interval(np.where(low < _NORMAL, 0.0, low), np.maximum(high, _NORMAL))


@_QUIET
def log(x: Interval) -> Interval:
    """Log x of what of x is positive; no bound below where 0 is within, none at all left of it."""
    low, high = _below(np.log(np.maximum(x.lo, 0.0))), _above(np.log(x.hi))
    return Interval(low, np.where(x.hi > 0, high, np.inf))


@_QUIET
def sqrt(x: Interval) -> Interval:
    """√x of what of x is not negative; a root is rounded to the nearest float."""
    low, high = np.sqrt(np.maximum(x.lo, 0.0)), np.sqrt(np.maximum(x.hi, 0.0))
    return Interval(np.maximum(_down(low, low == 0), 0.0), _up(high, high == 0))


@_QUIET
def tanh(x: Interval) -> Interval:
    """Tanh x, between −1 and 1; between 0 and x where x is too small for relative errors."""
    low, high = _below(np.tanh(x.lo)), _above(np.tanh(x.hi))
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
            _below(np.log1p(power.lo)), _above(np.log1p(power.hi))
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
