"""Matrices known up to an error in norm: certified singular values, products, spectral radii.

In: float64 matrices, each with a number its error does not exceed. Out: upper and lower bounds
that hold for the exact matrices. The proofs need of the floating-point arithmetic only that a
product of matrices errs by at most γ_n |A| |B| entry by entry, in whatever order it is summed;
what LAPACK returns is checked by multiplying it out, not believed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from numeric.numbers.intervals import UNIT, Interval, gamma

Array = Any
_STEPS: Final = 24
_SMALL: Final = 32  # up to so many rows or columns all eigenvectors cost less than Lanczos' steps
_FACTORS: Final = (1 + 1e-9, 1 + 1e-5, 1.003, 1.05, 1.5)
_LOG2: Final = math.log10(2.0)
_TINY: Final = 1e-290


def raised(value: float, terms: int = 8) -> float:
    """A float that a nonnegative number computed in so many roundings does not exceed.

    Infinite for what is no number: an infinity less another, or times zero.
    """
    return math.inf if math.isnan(value) else value * (1 + gamma(terms + 8)) + _TINY


def lowered(value: float, terms: int = 8) -> float:
    """A float that does not exceed a number computed in so many roundings; at least 0."""
    return max(0.0, value * (1 - gamma(terms + 8)) - _TINY)


def frobenius(matrix: Array) -> float:
    """An upper bound of ‖A‖_F ≥ ‖A‖₂; infinite where an entry is, or is no number."""
    flat = np.ravel(matrix)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        total = float(flat @ flat)
    if not math.isfinite(total) or total < 1e-250:  # squares overflow, or underflow to 0
        return raised(float(np.max(np.abs(flat), initial=0.0)) * math.sqrt(flat.size))
    return raised(math.sqrt(total), flat.size)


@dataclass(frozen=True)
class Near:
    """2^exponent (A + E) with ‖E‖₂ ≤ error."""

    matrix: Array
    error: float = 0.0
    exponent: int = 0

    @property
    def T(self) -> Near:
        """The transpose, which has the same norm."""
        return Near(self.matrix.T, self.error, self.exponent)

    def balanced(self) -> Near:
        """The same, scaled by a power of two to entries near 1; what underflows joins the error."""
        largest = float(np.max(np.abs(self.matrix), initial=0.0))
        if largest == 0.0 or not math.isfinite(largest) or 2.0**-200 < largest < 2.0**200:
            return self
        shift = math.frexp(largest)[1]
        lost = math.sqrt(self.matrix.size) * _TINY
        error = float(np.ldexp(self.error, -shift)) + lost
        return Near(np.ldexp(self.matrix, -shift), error * (1 + 4 * UNIT), self.exponent + shift)

    def log10(self, value: float, sign: int) -> float:
        """log10 of the value times 2^exponent, rounded up (+1) or down (−1)."""
        if value == 0.0 or not math.isfinite(value):
            return -math.inf if value == 0.0 else math.inf if sign > 0 else -math.inf
        found = math.log10(value) + self.exponent * _LOG2
        return found + sign * 1e-14 * (4 + abs(found) + abs(self.exponent))


def multiply(a: Near, b: Near, norms: tuple[float, float] | None = None) -> Near:
    """(A + E)(B + F) = fl(AB) + G with ‖G‖₂ ≤ ‖A‖‖F‖ + ‖E‖(‖B‖ + ‖F‖) + γ_n ‖A‖_F ‖B‖_F.

    `norms` are upper bounds of ‖A + E‖₂ and ‖B + F‖₂ where better ones than ‖·‖_F are known.
    """
    inner = a.matrix.shape[1]
    af, bf = frobenius(a.matrix), frobenius(b.matrix)
    an, bn = (af + a.error, bf + b.error) if norms is None else norms
    an, bn = raised(an), raised(bn)
    error = (an + a.error) * b.error + a.error * (bn + b.error) + gamma(inner + 4) * af * bf
    return Near(a.matrix @ b.matrix, raised(error), a.exponent + b.exponent).balanced()


def top(matrix: Array, start: Array | None = None, steps: int = _STEPS) -> tuple[float, Array]:
    """About ‖A‖₂ and a unit vector y with ‖Ay‖ close to it, from AᵀA or AAᵀ, whichever is smaller.

    Large matrices go by Lanczos' method, small ones by all eigenvectors.

    Nothing rigorous: what is claimed of y is checked by `bounds`.
    """
    n = matrix.shape[1]
    if n == 0 or matrix.shape[0] == 0:
        return 0.0, np.zeros(n)
    largest = float(np.max(np.abs(matrix)))
    if not math.isfinite(largest):
        return math.inf, np.zeros(n)
    if largest and not 1e-70 < largest < 1e70:  # its fourth power is taken
        size, vector = top(matrix / largest, start, steps)
        return size * largest, vector
    if min(matrix.shape) <= _SMALL:
        wide = matrix.shape[0] < n
        values, vectors = np.linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix)
        y = matrix.T @ vectors[:, -1] if wide else vectors[:, -1]
        return math.sqrt(max(values[-1], 0.0)), y / (np.linalg.norm(y) or 1.0)
    steps = min(steps, n)
    vector = np.random.default_rng(n).normal(size=n) if start is None else start
    basis = np.zeros((steps, n))
    diagonal, beside = [], []
    vector = vector / (np.linalg.norm(vector) or 1.0)
    for j in range(steps):
        basis[j] = vector
        following = matrix.T @ (matrix @ vector)
        diagonal.append(float(vector @ following))
        following -= basis[: j + 1].T @ (basis[: j + 1] @ following)
        following -= basis[: j + 1].T @ (basis[: j + 1] @ following)
        size = float(np.linalg.norm(following))
        if size <= 1e-14 * abs(diagonal[0]) or j == steps - 1:
            break
        beside.append(size)
        vector = following / size
    count = len(diagonal)
    small = np.diag(diagonal) + np.diag(beside[: count - 1], 1) + np.diag(beside[: count - 1], -1)
    values, vectors = np.linalg.eigh(small)
    y = basis[:count].T @ vectors[:, -1]
    return math.sqrt(max(values[-1], 0.0)), y / (np.linalg.norm(y) or 1.0)


def bounds(near: Near, y: Array | None = None) -> tuple[float, float, Array]:
    """(lower, upper, y) with lower ≤ ‖A + E‖₂ ≤ upper, the power of two left out.

    Upper: let G = fl(AᵀA), c a number and R any matrix, here Cholesky's factor of cI − G. With
    D = cI − G − RᵀR one has AᵀA = cI − RᵀR − D − (G − AᵀA) ⪯ (c + ‖D‖ + ‖G − AᵀA‖) I, since
    RᵀR ⪰ 0. D is computed and its rounding bounded like that of G, by γ times Frobenius norms.
    Lower: ‖A‖ ≥ ‖Ay‖ / ‖y‖ for the vector y at hand.

    Source: Rump 2006, Verification of positive definiteness, BIT 46, has the Cholesky bound;
    here the factor is multiplied out instead.
    """
    a = near.matrix
    estimate, y = top(a, y)
    size = frobenius(a)
    length = frobenius(y)
    image = lowered(float(np.linalg.norm(a @ y)), a.shape[0])
    lower = lowered((image - gamma(a.shape[1] + 2) * size * length) / length) if length else 0.0
    lower = max(0.0, lower - raised(near.error))
    if not 1e-120 < size < 1e120:  # squares may have over- or underflowed
        return 0.0, raised(size + near.error), y
    upper = size
    if min(a.shape) > 1:
        upper = min(size, _gram_bound(a, estimate, size))
    return lower, raised(upper + near.error), y


def _gram_bound(a: Array, estimate: float, size: float) -> float:
    if a.shape[0] < a.shape[1]:
        a = a.T
    n = a.shape[1]
    gram = a.T @ a
    off = gamma(a.shape[0] + 2) * size * size
    for factor in _FACTORS:
        c = estimate * estimate * factor
        shifted = -gram
        shifted.flat[:: n + 1] += c
        try:
            R = np.linalg.cholesky(shifted).T
        except np.linalg.LinAlgError:
            continue
        if not np.all(np.isfinite(R)):
            continue
        rest = shifted - R.T @ R
        rounding = gamma(n + 4) * frobenius(R) ** 2 + gamma(4) * (c * n + frobenius(gram))
        return raised(math.sqrt(c + frobenius(rest) + rounding + off), 2 * n)
    return math.inf


def singular_values(matrix: Array, error: float = 0.0) -> tuple[float, float]:
    """(at most σ_min, at least σ_max) of every matrix within `error` of the given one.

    Let A ≈ U S Vᵀ be any floats, u = ‖UᵀU − I‖_F, v = ‖VᵀV − I‖_F and D = A − U S Vᵀ. Then
    ‖A‖ ≤ √(1+u) s_max √(1+v) + ‖D‖. Where u, v < 1 and U and V are square, they are invertible
    with ‖Ux‖ ≥ √(1−u) ‖x‖, so σ_min(A) ≥ √(1−u) s_min √(1−v) − ‖D‖ for square A. All products
    are computed, and their rounding is bounded by γ times Frobenius norms.
    """
    if 0 in matrix.shape:
        return 0.0, 0.0
    if not np.all(np.isfinite(matrix)):
        return 0.0, math.inf
    whole = raised(frobenius(matrix) + error)
    if not math.isfinite(whole):
        return 0.0, math.inf
    try:
        U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        return 0.0, whole
    u, v = _departure(U), _departure(Vt.T)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        US = U * s
        left = matrix - US @ Vt
    parts = frobenius(US) * frobenius(Vt)
    rest = frobenius(left) + gamma(len(s) + 6) * (parts + frobenius(matrix)) + error
    rest = raised(rest, 16)
    largest = min(raised(math.sqrt((1 + u) * (1 + v)) * float(s[0]) + rest, 16), whole)
    square = matrix.shape[0] == matrix.shape[1] and max(u, v) < 0.5
    smallest = lowered(math.sqrt((1 - u) * (1 - v)) * float(s[-1]), 16) - rest if square else 0.0
    return lowered(smallest), largest


def _departure(columns: Array) -> float:
    """At least ‖QᵀQ − I‖₂."""
    n = columns.shape[1]
    gram = columns.T @ columns
    gram.flat[:: n + 1] -= 1.0
    size = frobenius(columns)
    return raised(frobenius(gram) + gamma(columns.shape[0] + 4) * (size * size + n))


def norm_bound(matrix: Interval) -> float:
    """At least ‖A‖₂ of every matrix in the interval."""
    error = 0.0 if matrix.exact else frobenius(matrix.radius)
    return singular_values(matrix.middle, error)[1]


# ---- spectral radius -------------------------------------------------------------------------


def perron_rate(N: Array) -> tuple[float, tuple[float, ...]]:
    """(r, v) with v > 0 and Nv ≤ rv, proved in rational numbers, so that ρ(N) ≤ r.

    Collatz and Wielandt: for N ≥ 0 and v > 0, ρ(N) ≤ max_a (Nv)_a / v_a. The quotient is taken
    in exact rationals and rounded up to a float. v is the float Perron vector of N with a little
    added, which makes it positive.
    """
    k = len(N)
    if not np.all(np.isfinite(N)):
        return math.inf, (1.0,) * k
    best, vector = math.inf, (1.0,) * k
    exact = [[Fraction(float(entry)) for entry in row] for row in N]
    size = float(N.max(initial=0.0)) or 1.0
    for more in (0.0, 1e-12, 1e-9, 1e-6, 1e-3, 1.0):
        lifted = N + more * size
        if not np.all(np.isfinite(lifted)):
            break
        try:
            values, vectors = np.linalg.eig(lifted)
        except np.linalg.LinAlgError:
            continue
        place = int(np.argmax(values.real))
        v = np.abs(vectors[:, place].real)
        if v.max(initial=0.0) <= 0 or not np.all(np.isfinite(v)):
            continue
        v = v / v.max()
        if v.min() < 1e-12:
            continue
        rate = collatz(exact, v.tolist())
        if rate < best:
            best, vector = rate, tuple(v.tolist())
    if math.isinf(best):
        best = collatz(exact, list(vector))
    return best, vector


def collatz(N: Sequence[Sequence[Fraction]], v: Sequence[float]) -> float:
    """max_a (Nv)_a / v_a in rational numbers, rounded up to a float."""
    w = [Fraction(value) for value in v]
    rates = [sum((e * x for e, x in zip(row, w, strict=True)), Fraction(0)) / own
             for row, own in zip(N, w, strict=True)]  # fmt: skip
    return above(max(rates, default=Fraction(0)))


def above(exact: Fraction) -> float:
    """The smallest float that is not below a rational number."""
    try:
        rounded = float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -sys.float_info.max
    return rounded if Fraction(rounded) >= exact else math.nextafter(rounded, math.inf)


def root_above(rate: float, exponent: int, steps: int) -> float:
    """A float not below (rate · 2^exponent)^(1/steps), checked in rational numbers."""
    if rate == 0.0 or not math.isfinite(rate):
        return rate
    logarithm = (math.log2(rate) + exponent) / steps
    if logarithm > 1000:
        return math.inf
    found = max(float(2.0**logarithm), sys.float_info.min)
    whole = Fraction(rate) * Fraction(2) ** exponent
    while Fraction(found) ** steps < whole:
        found *= 1 + 2.0**-48
    return found


def log_collatz(N: Array, v: Array) -> float:
    """max_a (Nv)_a / v_a for large N ≥ 0 and v > 0, rounded up in floating point."""
    with np.errstate(over="ignore", invalid="ignore"):
        rate = float(np.max((N @ v) / v, initial=0.0))
    return raised(rate, len(v) + 8) if math.isfinite(rate) else math.inf


def up(value: float, *parts: float) -> float:
    """Raised by the rounding of a sum of logarithms."""
    if not math.isfinite(value):
        return value
    return value + 1e-14 * (1 + abs(value) + sum(abs(part) for part in parts))
