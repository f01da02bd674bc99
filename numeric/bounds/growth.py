"""One way to bound the growth over many steps: a rate with its proof vector, and powers of N.

In: N ≥ 0 with ‖J_ab‖ ≤ N_ab. Out: `Method`: r with Nv ≤ rv for a v > 0, and log10 of a bound of
‖J_t ⋯ J_{t−l+1}‖₂ at every lag l. All roundings are upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from numeric.bounds.domination import SPECTRAL
from numeric.numbers.intervals import gamma
from numeric.numbers.matrices import Near, frobenius, raised
from numeric.numbers.spectral_radius import log_collatz, perron_rate, root_above

Array = Any
_RATIONAL: Final = 16
_FAR: Final = 1e140  # a product of two matrices of entries below this is finite
_FLOOR: Final = 1e-290
_WORK: Final = 10**9  # operations
_EACH: Final = 60  # what a product of two small matrices costs beside them


@dataclass(frozen=True)
class Method:
    """One way to bound: its rate a step (∞ if none) and log10 upper bounds at each lag."""

    name: str
    rate: float
    log10_upper: tuple[float, ...]
    matrix: Array = field(default=None, repr=False, compare=False)
    vector: tuple[float, ...] = ()


def powers(name: str, N: Array, lags: int, norm: str, width: int) -> Method:
    """‖N^l‖ at every lag, and a rate with Nv ≤ rv."""
    if not np.all(np.isfinite(N)):
        return Method(name, math.inf, (math.inf,) * lags, N)
    rate, vector = perron_bound(N)
    return Method(name, rate, tuple(chain([N] * lags, norm, width)), N, vector)


def chain(matrices: Sequence[Array], norm: str, width: int) -> list[float]:
    """log10 bounds of ‖J_1 ⋯ J_l‖₂ for l = 1, 2, …, J_1 being dominated by the first matrix."""
    found: list[float] = []
    product: Near | None = None
    for N in matrices:
        product = nonnegative(N) if product is None else log_product(product, nonnegative(N))
        found.append(product.log10(whole_norm(product.matrix, norm, width), 1))
    return found


def chains(
    matrices: Sequence[Array], lags: int, norm: str, width: int, *, around: bool = False
) -> list[float]:
    """log10 bounds of ‖J_t ⋯ J_{t−l+1}‖₂ at every t, for l = 1, 2, …: each J_t by its own N_t.

    The largest over all t from l to T; with `around` the steps come again and again, so that t
    may be any; −∞ where no two times are that far apart. Where that is too much work, products
    of the largest N of all, entry by entry.
    """
    steps, order = len(matrices), len(matrices[0])
    if lags * steps * (order**3 + _EACH) > _WORK:
        return chain([np.max(matrices, axis=0)] * lags, norm, width)
    alone = _levelled(np.array(matrices), np.zeros(steps, dtype=int))
    product, exponent = alone
    found: list[float] = []
    for lag in range(1, lags + 1):
        if lag > 1:
            first = 0 if around else 1
            left = np.arange(first, len(product))  # J_t ⋯ J_{t−l+1} goes on with J_{t−l}
            right = (left + 1 - lag) % steps if around else left - 1
            product, exponent = _times(
                (product[left], exponent[left]), (alone[0][right], alone[1][right])
            )
        if not len(product):
            return found + [-math.inf] * (lags - len(found))
        found.append(_log10(_norms(product, norm, width), exponent))
    return found


def _levelled(N: Array, exponent: Array) -> tuple[Array, Array]:
    """2^e N with a power of two taken out where entries are far from 1: no entry gets less.

    What would underflow is raised to `_FLOOR`, so there is no error to carry.

    Shapes: N (…, k, k), exponent (…).
    """
    largest = np.max(N, axis=(-2, -1), initial=0.0)
    near = (largest == 0) | ~np.isfinite(largest) | ((largest > 1 / _FAR) & (largest < _FAR))
    if np.all(near):
        return N, exponent
    shift = np.where(near, 0, np.frexp(np.where(near, 1.0, largest))[1])
    moved = np.ldexp(N, -shift[..., None, None])
    lost = (N > 0) & (moved < _FLOOR) & ~near[..., None, None]
    return np.where(lost, _FLOOR, moved), exponent + shift


def _times(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Products of nonnegative matrices, rounded up."""
    (left, more), (right, further) = a, b
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        found = (left @ right) * (1 + 2.0**-52 * (right.shape[-2] + 8))
    found = np.where(np.isnan(found), np.inf, found)
    low = found < _FLOOR
    if low.any():  # an entry that underflowed is not 0; one that no path reaches is
        reached = (left > 0).astype(float) @ (right > 0).astype(float) > 0
        found = np.where(low & reached, _FLOOR, found)
    return _levelled(found, more + further)


def _norms(N: Array, norm: str, width: int) -> Array:
    """`whole_norm` of each matrix of a stack."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = N.sum(axis=-1).max(axis=-1)
        found = math.sqrt(width) * rows
        if norm == SPECTRAL:
            columns = N.sum(axis=-2).max(axis=-1)
            found = np.sqrt(np.minimum(rows * columns, np.square(N).sum(axis=(-2, -1))))
        found = found * (1 + gamma(2 * N.shape[-1] ** 2 + 8)) + raised(0.0)
    return np.where(np.isnan(found), np.inf, found)


def _log10(values: Array, exponents: Array) -> float:
    """log10 of the largest of values times 2^exponent, rounded up."""
    return max(Near(values, 0.0, int(e)).log10(float(v), 1)
               for v, e in zip(values, exponents, strict=True))  # fmt: skip


def nonnegative(N: Array) -> Near:
    """A nonnegative matrix with a power of two taken out: no entry gets less, none has an error."""
    found, exponent = _levelled(N, np.zeros((), dtype=int))
    return Near(found, 0.0, int(exponent))


def log_product(a: Near, b: Near) -> Near:
    """The product of two nonnegative matrices without errors, rounded up."""
    found, exponent = _times((a.matrix, np.array(a.exponent)), (b.matrix, np.array(b.exponent)))
    return Near(found, 0.0, int(exponent))


def rate_over(product: Near, steps: int) -> float:
    """The r with ρ(product) = r^steps, rounded up: the growth of one step of so many."""
    if not np.all(np.isfinite(product.matrix)):
        return math.inf
    return root_above(perron_bound(product.matrix)[0], product.exponent, steps)


def whole_norm(N: Array, norm: str, width: int) -> float:
    """At least ‖P‖₂ of a P of `width` rows with ‖P_ab‖ ≤ N_ab in the norm of the blocks.

    In the ∞-norm ‖P‖_∞ is at most the largest row sum of N, and ‖P‖₂ ≤ √width ‖P‖_∞.
    """
    if norm == SPECTRAL:
        return matrix_norm(N)
    rows = float(N.sum(axis=1).max())
    return raised(math.sqrt(width) * rows, 2 * len(N)) if math.isfinite(rows) else math.inf


def matrix_norm(N: Array) -> float:
    """At least ‖N‖₂ of a nonnegative matrix: √(‖N‖₁ ‖N‖_∞) or ‖N‖_F."""
    if not np.all(np.isfinite(N)):
        return math.inf
    rows, columns = float(N.sum(axis=1).max()), float(N.sum(axis=0).max())
    return min(raised(math.sqrt(rows * columns), 2 * len(N)), frobenius(N))


def perron_bound(N: Array) -> tuple[float, tuple[float, ...]]:
    """(r, v) with Nv ≤ rv: in rationals for few parts, else in floats rounded up."""
    if len(N) <= _RATIONAL:
        return perron_rate(N)
    v = np.ones(len(N))
    best, vector = log_collatz(N, v), v
    for _ in range(200):
        v = N @ v + 1e-9 * v.max()
        if not np.all(np.isfinite(v)) or v.max() == 0:
            break
        v = v / v.max()
        rate = log_collatz(N, v)
        if rate < best:
            best, vector = rate, v
    return best, tuple(vector.tolist())
