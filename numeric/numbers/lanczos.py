"""About the largest singular value of a matrix, and a vector that is stretched by nearly as much.

In: matrices, or what multiplies by AᵀA. Out: values and unit vectors, with nothing rigorous about
them: who claims something of them proves it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

Array = Any
STEPS: Final = 24
SMALL: Final = 32  # up to so many rows or columns all eigenvectors cost less than Lanczos' steps
_ASIDE: Final = 0.1


class Symmetric(Protocol):
    """A symmetric matrix, as what it does to a vector."""

    def __len__(self) -> int: ...

    def __matmul__(self, vector: Array) -> Array: ...


def top(matrix: Array, start: Array | None = None, steps: int = STEPS) -> tuple[float, Array]:
    """About ‖A‖₂ and a unit vector y with ‖Ay‖ close to it, from AᵀA or AAᵀ, whichever is smaller.

    Large matrices go by Lanczos' method, small ones by all eigenvectors.
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
    if min(matrix.shape) <= SMALL:
        wide = matrix.shape[0] < n
        values, vectors = np.linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix)
        y = matrix.T @ vectors[:, -1] if wide else vectors[:, -1]
        return math.sqrt(max(values[-1], 0.0)), y / (np.linalg.norm(y) or 1.0)
    steps = min(steps, n)
    vector = begin(n, start)
    basis = np.zeros((steps, n))
    diagonal, beside = [], []
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


def begin(n: int, start: Array | None) -> Array:
    """A unit vector for Lanczos' method: near the start, where one is given, but not it.

    A vector that the matrix only stretches, as a unit vector under a diagonal one, never leaves
    its line, whatever else the matrix stretches more.
    """
    anywhere = _anywhere(n)
    size = 0.0 if start is None else float(np.linalg.norm(start))
    if start is None or not 0 < size < math.inf:
        return anywhere
    vector = start / size + _ASIDE * anywhere
    return vector / np.linalg.norm(vector)


@cache
def _anywhere(n: int) -> Array:
    """A unit vector in no direction that a matrix would prefer."""
    vector = np.random.default_rng(n).normal(size=n)
    return vector / np.linalg.norm(vector)


def top_of(gram: Symmetric, start: Array | None = None, steps: int = STEPS) -> tuple[float, Array]:
    """Hardly less than the largest eigenvalue of a Gram matrix, and about its unit eigenvector.

    Lanczos' method; the value is raised by what the residual and the next value tell. It stops
    where that is little.
    """
    n = len(gram)
    steps = min(steps, n)
    vector = begin(n, start)
    basis = np.zeros((steps, n))
    tridiagonal = np.zeros((steps, steps))
    for j in range(steps):
        basis[j] = vector
        following = gram @ vector
        tridiagonal[j, j] = vector @ following
        following -= basis[: j + 1].T @ (basis[: j + 1] @ following)
        following -= basis[: j + 1].T @ (basis[: j + 1] @ following)
        size = float(np.linalg.norm(following))
        last = size <= 1e-14 * abs(tridiagonal[0, 0]) or j == steps - 1
        if last or (j > 2 and j % 3 == 0):
            values, vectors = np.linalg.eigh(tridiagonal[: j + 1, : j + 1])
            residual = size * abs(float(vectors[-1, -1]))
            gap = float(values[-1] - values[-2]) if j else residual
            more = residual * min(1.0, 2 * residual / gap if gap > 0 else 1.0)
            if last or more <= 1e-10 * values[-1]:
                break
        tridiagonal[j, j + 1] = tridiagonal[j + 1, j] = size
        vector = following / size
    y = basis[: j + 1].T @ vectors[:, -1]
    return max(float(values[-1]) + more, 0.0), y / (np.linalg.norm(y) or 1.0)
