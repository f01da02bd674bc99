"""The inverse of the block bidiagonal matrix of a trajectory: sums of norms of products.

In: J_1 … J_T, each known up to an error in ‖·‖₂. Out: K ≥ max_t Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂, at
least the norm of the map from residuals r to the solution of d_t = J_t d_{t−1} + r_t in max_t ‖·‖₂;
and the same for the columns, max_k Σ_{t ≥ k}, for the map that carries cotangents back.

Up to w factors the products are multiplied out; beyond, ‖P_{t,k}‖ ≤ ‖P_{t,t−w}‖ ‖P_{t−w,k}‖, so
S_t ≤ Σ_{k > t−w} ‖P_{t,k}‖ + ‖P_{t,t−w}‖ S_{t−w}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numeric.numbers.intervals import gamma

Array = Any
WINDOW: Final = 20
_SQUARINGS: Final = 2
_TINY: Final = 1e-290


@dataclass(frozen=True)
class Inverse:
    """Bounds of the sums of norms over the rows, and over the columns."""

    rows: float
    columns: float


def inverse_norms(matrices: Array, errors: Array, window: int = WINDOW) -> Inverse:
    """Both norms; ∞ where a product is not finite.

    Shapes: matrices (T, n, n), errors (T,): J_t is within errors[t−1] of matrices[t−1].
    """
    steps = len(matrices)
    if steps == 1:
        return Inverse(1.0, 1.0)
    within = np.ones(steps), np.ones(steps)  # Σ of the norms of up to w factors, by t and by k
    product, error = matrices[1:], errors[1:]  # of one factor: J_2 … J_T, from k = 1 … T − 1
    last = np.zeros(0)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        sizes = norms_above(product, error)
        for factors in range(1, min(window, steps - 1) + 1):
            if factors > 1:
                later = slice(factors - 1, None)
                product, error = _multiplied(
                    matrices[1:][later], errors[1:][later], sizes[later], product[:-1], error[:-1]
                )
            last = norms_above(product, error)
            if factors < window:
                within[0][factors:] += last
                within[1][: steps - factors] += last
        rows, columns = (part * (1 + gamma(2 * window)) for part in within)
        if steps > window:
            for t in range(window, steps):
                rows[t] = _up(rows[t] + last[t - window] * rows[t - window])
            for k in range(steps - window - 1, -1, -1):
                columns[k] = _up(columns[k] + last[k] * columns[k + window])
    return Inverse(*(float(np.nan_to_num(part.max(initial=1.0), nan=np.inf, posinf=np.inf))
                     for part in (rows, columns)))  # fmt: skip


def _up(value: float) -> float:
    return value * (1 + gamma(8))


def _frobenius(matrices: Array) -> Array:
    """At least ‖·‖_F of each; entries are 0, or near 1 or smaller."""
    flat = matrices.reshape(len(matrices), -1)
    return np.sqrt(np.einsum("ti,ti->t", flat, flat)) * (1 + gamma(flat.shape[1] + 8)) + _TINY


def _scaled(matrices: Array) -> tuple[Array, Array]:
    """The matrices times powers of two that bring the largest entry to [½, 1), and the powers."""
    largest = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    known = np.isfinite(largest) & (largest > 0)
    powers = np.where(known, np.frexp(np.where(known, largest, 1.0))[1], 0)
    return np.ldexp(matrices, -powers[:, None, None]), powers


def norms_above(matrices: Array, errors: Array) -> Array:
    """At least ‖A + E‖₂ for each A and all E with ‖E‖₂ at most its error.

    ‖A‖² = ‖AᵀA‖ and ‖G‖² = ‖G²‖ for symmetric G, squared a few times; the last norm is Frobenius'.
    Each computed product errs by at most γ times the product of Frobenius norms. Where scaling
    underflows an entry it is off by at most its share of `_TINY`.
    """
    scaled, powers = _scaled(matrices)
    n = matrices.shape[-1]
    lost = n * _TINY
    size = _frobenius(scaled)
    square = np.swapaxes(scaled, 1, 2) @ scaled
    off = [gamma(n + 4) * size * size]
    for _ in range(_SQUARINGS):
        held = _frobenius(square)
        off.append(gamma(n + 4) * held * held)
        square = square @ square
    bound = _frobenius(square)
    for error in reversed(off[1:]):
        bound = np.sqrt(bound + error) * (1 + gamma(8))
    bound = np.minimum(np.sqrt(bound + off[0]) * (1 + gamma(8)), size) + lost
    found = (np.ldexp(bound, powers) + errors) * (1 + gamma(8)) + _TINY
    return np.where(np.isfinite(found), found, np.inf)


def _multiplied(
    left: Array, left_errors: Array, left_sizes: Array, right: Array, right_errors: Array
) -> tuple[Array, Array]:
    """The products, and what they are off by at most.

    (A + E)(B + F) = fl(AB) + G, ‖G‖ ≤ ‖A + E‖ ‖F‖ + ‖E‖ ‖B‖ + γ ‖A‖_F ‖B‖_F.
    """
    scaled, powers = _scaled(right)
    size = np.ldexp(_frobenius(scaled), powers)
    inner = gamma(left.shape[-1] + 4) * np.ldexp(_frobenius(_scaled(left)[0]), _scaled(left)[1])
    error = left_sizes * right_errors + left_errors * size + inner * size
    return left @ right, error * (1 + gamma(16)) + _TINY
