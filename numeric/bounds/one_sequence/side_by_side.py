"""The largest eigenvalues of many maps PᵀP at once, measured by Lanczos' method on their vectors.

In: what takes each map's vector there and back. Out: log10 of each ‖P‖₂. Nothing is certified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

Array = Any
Sweep = Callable[[Array, Array], tuple[Array, Array]]
_LOG2: Final = float(np.log10(2.0))


def log10_norms(sweep: Sweep, vectors: Array, steps: int, settled: float) -> Array:
    """log10 ‖P‖₂ of each map, −∞ for zero; a map whose value has settled takes no more part.

    `sweep(which, v)` gives the columns PᵀP v of those maps, of length 1 or 0, and log2 of what
    each is to be multiplied with. Each map is scaled by the size of its first such product.

    Shapes: vectors (d, maps), not zero.
    """
    count, kind = vectors.shape[1], vectors.dtype.type
    least, scales = np.full(count, -np.inf), np.zeros(count)
    small = np.zeros((count, steps, steps))
    active = np.arange(count)
    now = vectors / _lengths(vectors)
    before, beside = np.zeros_like(now), np.zeros(count, dtype=kind)
    for step in range(steps):
        image, size = sweep(active, now)
        if step == 0:
            scales = size
        image = image * (2.0 ** (size - scales[active])).astype(kind)
        image -= before * beside
        own = np.einsum("ij,ij->j", now, image)
        image -= now * own
        small[active, step, step] = own
        values = np.linalg.eigvalsh(small[active, : step + 1, : step + 1])[:, -1]
        going = values - least[active] > settled * values
        least[active] = np.maximum(values, least[active])
        beside = _lengths(image)
        going &= (beside > 0) & np.isfinite(beside)
        if step == steps - 1 or not going.any():
            break
        small[active[going], step, step + 1] = beside[going]
        small[active[going], step + 1, step] = beside[going]
        active, beside = active[going], beside[going]
        before, now = now[:, going], image[:, going] / beside
    with np.errstate(divide="ignore", invalid="ignore"):
        norms = 0.5 * (np.log10(least) + scales * _LOG2)
    return np.where(np.isnan(norms), -np.inf, norms)


def scaled(columns: Array) -> tuple[Array, Array]:
    """Columns of length 1, or 0 where they are, and log2 of their lengths."""
    largest = np.abs(columns).max(axis=0, initial=0.0)  # its square may underflow
    some = (largest > 0) & np.isfinite(largest)
    largest = np.where(some, largest, columns.dtype.type(1.0))
    within = np.where(some, columns, 0.0) / largest
    lengths = np.where(some, _lengths(within), columns.dtype.type(1.0))
    return within / lengths, np.log2(largest) + np.log2(lengths)


def _lengths(columns: Array) -> Array:
    return np.sqrt(np.einsum("ij,ij->j", columns, columns))
