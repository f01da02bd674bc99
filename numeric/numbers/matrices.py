"""Matrices known up to an error in norm: certified singular values and products.

In: float64 matrices, each with a number its error does not exceed. Out: upper and lower bounds
that hold for the exact matrices. The proofs need of the floating-point arithmetic only that a
product of matrices errs by at most γ_n |A| |B| entry by entry, in whatever order it is summed;
what LAPACK returns is checked by multiplying it out, not believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numeric.numbers.intervals import UNIT, Interval, gamma
from numeric.numbers.lanczos import SMALL, STEPS, top, top_of

Array = Any
_FACTORS: Final = (1 + 1e-9, 1 + 1e-5, 1.003, 1.05, 1.5)
_PANEL, _PANELS = 96, 8
_FACTORED: Final = 64  # beyond so many rows and columns singular values cost too much
_LOG2: Final = math.log10(2.0)
_TINY: Final = 1e-290
_PART: Final = 8192


def raised(value: float, terms: int = 8) -> float:
    """A float that a nonnegative number computed in so many roundings does not exceed.

    Infinite for what is no number: an infinity less another, or times zero.
    """
    return math.inf if math.isnan(value) else value * (1 + gamma(terms + 8)) + _TINY


def lowered(value: float, terms: int = 8) -> float:
    """A float that does not exceed a number computed in so many roundings; at least 0."""
    return max(0.0, value * (1 - gamma(terms + 8)) - _TINY)


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def frobenius(matrix: Array) -> float:
    """An upper bound of ‖A‖_F ≥ ‖A‖₂; infinite where an entry is, or is no number."""
    flat = np.ravel(matrix)
    total = _squares(flat)
    if not math.isfinite(total) or total < 1e-250:  # squares overflow, or underflow to 0
        return raised(float(np.max(np.abs(flat), initial=0.0)) * math.sqrt(flat.size))
    return raised(math.sqrt(total), flat.size)


def _squares(flat: Array) -> float:
    """The sum of the squares, of a long vector in parts that OpenBLAS does not share out.

    On a busy machine its threads take a hundred times as long over it as one does.
    """
    if len(flat) <= _PART:
        return float(flat @ flat)
    whole = len(flat) - len(flat) % _PART
    parts = flat[:whole].reshape(-1, 1, _PART)
    rest = flat[whole:]
    return float((parts @ parts.transpose(0, 2, 1)).sum()) + float(rest @ rest)


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

    def after(self, left: Array) -> Array:
        """fl(left · A); every entry errs by at most γ_n |left| |A|."""
        return left @ self.matrix

    def gram(self) -> Gram:
        """fl(AᵀA); every entry errs by at most γ_n |Aᵀ| |A|."""
        count = self.matrix.shape[1]
        return Gram(np.zeros(0), np.zeros((0, count)), self.matrix.T @ self.matrix)

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

    `norms` are upper bounds of ‖A + E‖₂ and ‖B + F‖₂; where ‖·‖_F is smaller, that is taken.
    """
    inner = a.matrix.shape[1]
    af, bf = frobenius(a.matrix), frobenius(b.matrix)
    an, bn = raised(af + a.error), raised(bf + b.error)
    if norms is not None:
        an, bn = min(an, raised(norms[0])), min(bn, raised(norms[1]))
    error = (an + a.error) * b.error + a.error * (bn + b.error) + gamma(inner + 4) * af * bf
    return Near(b.after(a.matrix), raised(error), a.exponent + b.exponent).balanced()


def bounds(near: Near, y: Array | None = None, steps: int = STEPS) -> tuple[float, float, Array]:
    """(lower, upper, y) with lower ≤ ‖A + E‖₂ ≤ upper, the power of two left out.

    Upper: let G = fl(AᵀA), c a number and R any matrix, here Cholesky's factor of cI − G. With
    D = cI − G − RᵀR one has AᵀA = cI − RᵀR − D − (G − AᵀA) ⪯ (c + ‖D‖ + ‖G − AᵀA‖) I, since
    RᵀR ⪰ 0. D is computed and its rounding bounded like that of G, by γ times Frobenius norms.
    c is about the square of the norm, from at most so many steps of Lanczos' method; whatever it
    is, the bound holds. Lower: ‖A‖ ≥ ‖Ay‖ / ‖y‖ for the vector y at hand.

    Source: Rump 2006, Verification of positive definiteness, BIT 46, has the Cholesky bound;
    here the factor is multiplied out instead.
    """
    a = near.matrix
    size = frobenius(a)
    usual = 1e-120 < size < 1e120  # else squares may have over- or underflowed
    gram = None
    if usual and min(a.shape) > SMALL and a.shape[0] >= a.shape[1]:
        gram = near.gram()
        estimate, y = top_of(gram, y, steps)
    else:
        found, y = top(a, y, steps)
        estimate = found * found
    length = frobenius(y)
    image = lowered(float(np.linalg.norm(a @ y)), a.shape[0])
    lower = lowered((image - gamma(a.shape[1] + 2) * size * length) / length) if length else 0.0
    lower = max(0.0, lower - raised(near.error))
    if not usual:
        return 0.0, raised(size + near.error), y
    upper = size if min(a.shape) <= 1 else min(size, _upper(a, gram, estimate, size))
    return lower, raised(upper + near.error), y


def _upper(a: Array, gram: Gram | None, estimate: float, size: float) -> float:
    """At least ‖A‖₂, near it where the estimate of its square is; `size` is at least ‖A‖_F."""
    if gram is None:
        tall = a if a.shape[0] >= a.shape[1] else a.T
        gram = Gram(np.zeros(0), np.zeros((0, tall.shape[1])), tall.T @ tall)
    return _gram_bound(gram, estimate, gamma(max(a.shape) + 2) * size * size)


@dataclass(frozen=True)
class Gram:
    """fl(AᵀA) = [diag(g) B; Bᵀ C]: columns of A that are orthogonal by their zeros come first.

    `order` is where its columns stand in A, if not in this order.
    """

    flat: Array
    beside: Array
    dense: Array
    order: Array | None = None

    def __matmul__(self, vector: Array) -> Array:
        k = len(self.flat)
        if self.order is not None:
            vector = vector[self.order]
        if not k:
            return np.asarray(self.dense @ vector)
        first, rest = vector[:k], vector[k:]
        found = np.concatenate([self.flat * first + self.beside @ rest,
                                first @ self.beside + self.dense @ rest])  # fmt: skip
        if self.order is None:
            return found
        back = np.empty_like(found)
        back[self.order] = found
        return back

    def __len__(self) -> int:
        return len(self.flat) + len(self.dense)


def _gram_bound(gram: Gram, estimate: float, off: float) -> float:
    """At least ‖A‖₂, where ‖AᵀA − G‖ ≤ off and the largest eigenvalue of G is about the estimate.

    The rows of R that belong to g are diag(ℓ) and M = −diag(1/ℓ) B with ℓ ≈ √(c − g); the others
    Lᵀ, a factor of S = cI − C − MᵀM. D is then (c − g) − ℓ², −B − diag(ℓ) M, and S − L Lᵀ with the
    rounding of S.
    """
    g, B, C = gram.flat, gram.beside, gram.dense
    n = len(gram)
    sizes = frobenius(g), frobenius(B), frobenius(C)
    for factor in _FACTORS:
        c = estimate * factor
        under = c - g
        if np.any(under <= 0):
            continue
        edge = np.sqrt(under)
        M = B / -edge[:, None]
        shifted = M.T @ M + C if len(g) else C.copy()
        np.negative(shifted, out=shifted)
        shifted.flat[:: len(C) + 1] += c
        try:
            left, length = _left_over(shifted)
        except np.linalg.LinAlgError:
            continue
        largest = frobenius(M)
        # entries of cI − C − MᵀM − LLᵀ are sums of at most 3n + 2 terms, in some order
        rest = left + gamma(3 * n + 16) * (
            raised(c * math.sqrt(n)) + sizes[2] + largest * largest + length * length)  # fmt: skip
        if len(g):
            rest += 2 * (frobenius(B + edge[:, None] * M) + gamma(4) * (
                sizes[1] + frobenius(edge) * largest))  # fmt: skip
            rest += frobenius(under - edge * edge) + gamma(4) * (
                raised(c * math.sqrt(n)) + sizes[0] + frobenius(edge) ** 2)  # fmt: skip
        if math.isfinite(rest):
            return raised(math.sqrt(raised(c + rest + off, 32)), 2 * n)
    return math.inf


def _left_over(shifted: Array) -> tuple[float, float]:
    """About ‖S − L Lᵀ‖_F and ‖L‖_F for a lower triangular L, both rounded up; S is used up.

    L comes panel by panel: of its column K the block on the diagonal by Cholesky, those below by
    an inverse, which need not be exact. What a column leaves of S is what no later one changes.

    Raises:
        LinAlgError: if S is not positive definite, to rounding.
    """
    n = len(shifted)
    width = max(_PANEL, -(-n // _PANELS))
    left, length = 0.0, 0.0
    for k in range(0, n, width):
        end = min(k + width, n)
        block, under = shifted[k:end, k:end], shifted[end:, k:end]
        L = np.linalg.cholesky(block)
        left = math.hypot(left, frobenius(block - L @ L.T))
        length = math.hypot(length, frobenius(L))
        if end < n:
            M = under @ np.linalg.inv(L).T
            left = math.hypot(left, 2 * frobenius(under - M @ L.T))  # it stands there twice
            length = math.hypot(length, frobenius(M))
            shifted[end:, end:] -= M @ M.T
    return raised(left, 4 * _PANELS), raised(length, 4 * _PANELS)


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


def norm_bound(matrix: Interval, about: float | None = None) -> float:
    """At least ‖A‖₂ of every matrix in the interval.

    `about` says what a large one's norm hardly exceeds, where that is known; else it is estimated.
    """
    error = 0.0 if matrix.exact else frobenius(matrix.radius)
    middle = matrix.middle
    if min(middle.shape) <= _FACTORED or not np.all(np.isfinite(middle)):
        return singular_values(middle, error)[1]
    size = frobenius(middle)
    if about is None or not 1e-120 < size < 1e120:
        return bounds(Near(middle, error))[1]
    return raised(min(size, _upper(middle, None, about * about, size)) + error)


def up(value: float, *parts: float) -> float:
    """Raised by the rounding of a sum of logarithms."""
    if not math.isfinite(value):
        return value
    return value + 1e-14 * (1 + abs(value) + sum(abs(part) for part in parts))
