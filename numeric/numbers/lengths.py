"""Lengths of float vectors whose squares may leave the range of floats.

In: an array of vectors along an axis. Out: their lengths, each rounded as a sum of squares is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def lengths(vectors: Array, axis: int = -1) -> Array:
    """‖·‖₂ along the axis, of vectors scaled by the power of two of their largest entry."""
    largest = np.max(np.abs(vectors), axis=axis, keepdims=True, initial=0.0)
    _, power = np.frexp(np.where(np.isfinite(largest), largest, 0.0))
    scaled = np.ldexp(vectors, -power)
    return np.ldexp(np.sqrt(np.sum(scaled * scaled, axis=axis)), np.squeeze(power, axis))


def length(vector: Array) -> float:
    """‖·‖₂ of one vector."""
    return float(lengths(vector))
