"""The inverse of the block bidiagonal matrix of a trajectory: sums of norms of products.

In: J_1 … J_T, each known up to an error in ‖·‖₂. Out: bounds of ‖P_{t,k}‖₂, where
P_{t,k} = J_t ⋯ J_{k+1}, in sums that weigh them: along a row max_t Σ_{k ≤ t} ‖P_{t,k}‖ w_k, which
no solution of d_t = J_t d_{t−1} + r_t with ‖r_k‖ ≤ w_k exceeds; along a column
max_k Σ_{t ≥ k} ‖P_{t,k}‖ w_t, the same for the map that carries cotangents back. With weights 1
the first is K.

Products of up to w factors are multiplied out, and those of w, 2w, …, Jw. In between and beyond,
‖P_{t,k}‖ ≤ ‖P_{t,t−jw}‖ ‖P_{t−jw,k}‖, so that with Z_t the sum over k > t − w alone

    S_t ≤ Z_t + Σ_{0 < j < J} ‖P_{t,t−jw}‖ Z_{t−jw} + ‖P_{t,t−Jw}‖ S_{t−Jw}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from numeric.numbers.intervals import gamma

Array = Any
WINDOW: Final = 20
_SQUARINGS: Final = 2
_SHARPER: Final = 4  # where products are long: their norms are multiplied with each other
_TINY: Final = 1e-290


@dataclass(frozen=True)
class Inverse:
    """Bounds of ‖P_{t,t−l}‖ for t > l: `near` by l = 0, …, w − 1, `far` by l = w, 2w, …, Jw."""

    near: tuple[Array, ...]
    far: tuple[Array, ...]
    window: int

    def rows(self, weights: Array | float = 1.0) -> float:
        """At least max_t Σ_{k ≤ t} ‖P_{t,k}‖ w_k; ∞ where a product is not finite."""
        return self._largest(weights, forward=True)

    def columns(self, weights: Array | float = 1.0) -> float:
        """At least max_k Σ_{t ≥ k} ‖P_{t,k}‖ w_t."""
        return self._largest(weights, forward=False)

    @np.errstate(over="ignore", invalid="ignore", under="ignore")
    def along(self, weights: Array) -> Array:
        """At least Σ_{k ≤ t} ‖P_{t,k}‖ w_k at each t; ∞ where a product is not finite."""
        found = self._sums(weights, forward=True) + _TINY
        return np.where(np.isnan(found), np.inf, found)

    @np.errstate(over="ignore", invalid="ignore", under="ignore")
    def majorant(self, direct: Array, off: Array, linear: Array, square: Array) -> Array:
        """E_t ≥ a_t + Σ_{k ≤ t} ‖P_{t,k}‖ (o_k + l_k E_{k−1} + c_k E_{k−1}²), one after the other.

        Shapes: all (T,), E_0 = 0.
        """
        steps, far = len(direct), len(self.far)
        weights, own, whole, found = (np.zeros(steps) for _ in range(4))
        before = 0.0
        for t in range(steps):
            more = (linear[t] + square[t] * before) * before
            weights[t] = (off[t] + more) * (1 + gamma(8)) + _TINY
            lags = min(len(self.near), t + 1)
            norms = [self.near[lag][t - lag] for lag in range(lags)]
            own[t] = norms @ weights[t - lags + 1 : t + 1][::-1] * (1 + gamma(lags + 4))
            strides = min(far, t // self.window)
            total = own[t]
            for stride in range(1, strides + 1):
                lag = stride * self.window
                behind = whole if stride == far else own
                total += self.far[stride - 1][t - lag] * behind[t - lag]
            whole[t] = total * (1 + gamma(2 * strides + 4))
            found[t] = before = (direct[t] + whole[t]) * (1 + gamma(4))
        return np.where(np.isnan(found), np.inf, found)

    def few(self) -> Inverse:
        """`near` alone: sums of which are parts of the whole ones."""
        return replace(self, far=())

    @np.errstate(over="ignore", invalid="ignore", under="ignore")
    def _largest(self, weights: Array | float, forward: bool) -> float:
        steps = len(self.near[0])
        given = np.broadcast_to(weights, (steps,))
        # backwards in time the sums over t are sums over k
        found = self._sums(given if forward else given[::-1], forward)
        return float(np.nan_to_num(found.max(), nan=np.inf, posinf=np.inf)) + _TINY

    def _sums(self, weights: Array, forward: bool) -> Array:
        steps = len(weights)
        near, far = ((held if forward else tuple(norms[::-1] for norms in held))
                     for held in (self.near, self.far))  # fmt: skip
        own = np.zeros(steps)
        for lag, norms in enumerate(near):
            own[lag:] += norms * weights[: steps - lag]
        own *= 1 + gamma(2 * len(near))
        found = own.copy()
        for stride, norms in enumerate(far[:-1], 1):
            found[stride * self.window :] += norms * own[: steps - stride * self.window]
        found *= 1 + gamma(2 * len(far) + 4)
        if far:
            lag = len(far) * self.window
            for t in range(lag, steps, lag):  # S of so many steps before is known by then
                part = slice(t - lag, min(t, steps - lag))
                found[t : t + lag] += far[-1][part] * found[part]
                found[t : t + lag] *= 1 + gamma(8)
        return found


def inverse_norms(
    matrices: Array, errors: Array, window: int = WINDOW, strides: int = 1
) -> Inverse:
    """The norms; `strides` is J, where the sequence is long enough for it; 0 for `near` alone.

    Shapes: matrices (T, n, n), errors (T,): J_t is within errors[t−1] of matrices[t−1].
    """
    steps = len(matrices)
    near, far = [np.ones(steps)], list[Array]()
    squarings = _SHARPER if strides > 1 else _SQUARINGS
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        product, error = matrices[1:], errors[1:]  # of one factor: J_2 … J_T, from k = 1 … T − 1
        sizes = norms = norms_above(product, error, squarings) if steps > 1 else np.zeros(0)
        for factors in range(1, min(window - (strides < 1), steps - 1) + 1):
            if factors > 1:
                later = slice(factors - 1, None)
                product, error = _multiplied(
                    matrices[1:][later], errors[1:][later], sizes[later], product[:-1], error[:-1]
                )
                norms = norms_above(product, error, squarings)
            (near if factors < window else far).append(norms)
        whole, off, made, missed = product, error, product, error  # each of w factors
        for stride in range(2, min(strides, (steps - 1) // window) + 1):
            later = slice((stride - 1) * window, None)  # by ‖J ⋯ J‖₂ of a window errors grow
            made, missed = _multiplied(
                whole[later], off[later], far[0][later], made[:-window], missed[:-window]
            )
            far.append(norms_above(made, missed, squarings))
    return Inverse(tuple(near), tuple(far), window)


def constant_norms(norms: Array, steps: int) -> Inverse:
    """The same bound at every t: of products of l factors norms[l], the last of them a stride.

    Shapes: norms (w + 1,), the first 1.
    """
    window = min(len(norms) - 1, steps)
    held = [np.broadcast_to(norms[lag], (max(steps - lag, 0),)) for lag in range(window + 1)]
    far = held[window:] if steps > window else []
    return Inverse(tuple(held[:window]), tuple(far), window)


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


def norms_above(matrices: Array, errors: Array, squarings: int = _SQUARINGS) -> Array:
    """At least ‖A + E‖₂ for each A and all E with ‖E‖₂ at most its error.

    ‖A‖² = ‖AᵀA‖, and so on for the computed AᵀA, symmetric or not, a few times; the last norm is
    Frobenius'. Each computed product errs by at most γ times the product of Frobenius norms. Where
    scaling underflows an entry it is off by at most its share of `_TINY`.
    """
    scaled, powers = _scaled(matrices)
    n = matrices.shape[-1]
    lost = n * _TINY
    size = _frobenius(scaled)
    square = np.swapaxes(scaled, 1, 2) @ scaled
    off = [gamma(n + 4) * size * size]
    for _ in range(squarings):
        held = _frobenius(square)
        off.append(gamma(n + 4) * held * held)
        square = np.swapaxes(square, 1, 2) @ square
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
