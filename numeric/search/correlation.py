"""Whether one number foretells another: rank correlation with its interval.

In: pairs. Out: `RankCorrelation`.

Source: Spearman 1904; the interval by Fisher's z with the variance 1.06/(n − 3) of Fieller, Hartley
and Pearson 1957, Biometrika 44.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_NORMAL: Final = 1.96
_LEAST: Final = 10  # pairs: below, the interval's approximation says nothing


@dataclass(frozen=True)
class RankCorrelation:
    """ρ of so many pairs, and its 95 % interval; None with fewer than ten pairs or all equal."""

    pairs: int
    value: float | None
    low: float | None = None
    high: float | None = None


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> RankCorrelation:
    """Spearman's ρ; equal numbers share the mean of their ranks."""
    count = len(left)
    if count < _LEAST or len({*left}) < 2 or len({*right}) < 2:
        return RankCorrelation(count, None)
    value = float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])
    if abs(value) >= 1:
        return RankCorrelation(count, math.copysign(1.0, value))
    z, apart = math.atanh(value), _NORMAL * math.sqrt(1.06 / (count - 3))
    return RankCorrelation(count, value, math.tanh(z - apart), math.tanh(z + apart))


def _ranks(values: Sequence[float]) -> list[float]:
    array = np.asarray(values, dtype=float)
    return [float((array < v).sum() + ((array == v).sum() + 1) / 2) for v in array]
