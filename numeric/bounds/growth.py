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
from numeric.numbers.matrices import Near, frobenius, log_collatz, perron_rate, raised

Array = Any
_RATIONAL: Final = 16


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
        product = (Near(N) if product is None else log_product(product, N)).balanced()
        found.append(product.log10(whole_norm(product.matrix, norm, width), 1))
    return found


def log_product(product: Near, N: Array) -> Near:
    """Product N of nonnegative matrices, rounded up."""
    inner = len(N) + 8
    with np.errstate(over="ignore", invalid="ignore"):
        found = (product.matrix @ N) * (1 + 2.0**-52 * inner) + 1e-290
    return Near(np.where(np.isnan(found), np.inf, found), 0.0, product.exponent)


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
