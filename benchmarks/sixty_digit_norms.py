"""Products and norms of matrices of sixty digits, from both sides and in floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sixty_digits import MP, ZERO, Matrix


def product(a: Matrix, b: Matrix) -> Matrix:
    """A B."""
    columns = list(zip(*b, strict=True))
    return [[MP.fdot(zip(row, column, strict=True)) for column in columns] for row in a]


def length(entries: Sequence[Any]) -> Any:
    """‖v‖₂."""
    return MP.sqrt(MP.fsum(entry * entry for entry in entries))


def size(matrix: Matrix) -> Any:
    """‖A‖_F."""
    return length([entry for row in matrix for entry in row])


def floats(matrix: Matrix) -> tuple[np.ndarray[Any, Any], float]:
    """About A / ‖A‖_F, and log10 ‖A‖_F; −∞ for a zero matrix."""
    whole = size(matrix)
    if whole == 0:
        return np.zeros((len(matrix), len(matrix[0]))), -float("inf")
    near = np.array([[float(entry / whole) for entry in row] for row in matrix])
    return near, float(MP.log10(whole))


def norm_below(matrix: Matrix) -> Any:
    """At most ‖A‖₂, and close to it: the length of the image of about its top direction."""
    whole = size(matrix)
    if whole == 0:
        return ZERO
    near = np.array([[float(entry / whole) for entry in row] for row in matrix])
    v = [MP.mpf(float(x)) for x in np.linalg.svd(near)[2][0]]
    return length([MP.fdot(zip(row, v, strict=True)) for row in matrix]) / length(v)


def norm_above(matrix: Matrix, squarings: int = 24) -> Any:
    """At least ‖A‖₂, and close to it: ‖(AᵀA)^(2^k)‖_F^(1/2^(k+1))."""
    whole = size(matrix)
    if whole == 0:
        return ZERO
    scaled = [[entry / whole for entry in row] for row in matrix]
    gram = product([list(column) for column in zip(*scaled, strict=True)], scaled)
    power = ZERO
    for k in range(squarings):
        gram = product(gram, gram)
        shrink = size(gram)
        gram = [[entry / shrink for entry in row] for row in gram]
        power += MP.log(shrink) / MP.mpf(2) ** (k + 2)
    return whole * MP.exp(power) * (1 + MP.mpf(10) ** -50)
