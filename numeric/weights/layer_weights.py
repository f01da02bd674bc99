"""The parameters of one layer and direction, and where each came from.

In: arrays. Out: `LayerWeights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from numeric.weights.formats.stored import Unread

Array = Any


@dataclass(frozen=True)
class LayerWeights:
    """The parameters of one layer and direction; `origin` says for each name where it came from.

    `exact`: no parameter is a rounded result of what the file holds. `assumed`: in sentences, what
    of the network the file does not say, or says and the parameters alone do not.
    """

    prefix: str
    parameters: Mapping[str, Array]
    origin: Mapping[str, str]
    exact: bool = True
    assumed: tuple[str, ...] = ()

    @property
    def reverse(self) -> bool:
        """Whether the layer runs from the last step to the first."""
        return "reverse" in self.prefix


def is_floating(value: Array) -> bool:
    """Whether the array holds floating-point numbers."""
    return not isinstance(value, Unread) and np.issubdtype(value.dtype, np.floating)


def checked(name: str, value: Array) -> Array:
    """The array in float64.

    Raises:
        ValueError: if it holds no floating-point numbers, or some that are NaN or infinite.
    """
    if not is_floating(value) or value.dtype.itemsize > 8:  # wider ones would be rounded
        raise ValueError(
            f"{name}: expected floating-point numbers of 16, 32 or 64 bits, came "
            f"{value.dtype}; save the weights as float32"
        )
    numbers = np.asarray(value, np.float64)
    if bad := int(numbers.size - np.isfinite(numbers).sum()):
        raise ValueError(f"{name}: {bad} of {numbers.size} entries are NaN or infinite")
    return numbers


def exact_sum(a: Array | None, b: Array | None) -> bool:
    """Whether a + b is exact in float64: Knuth's two-sum leaves nothing."""
    if a is None or b is None:
        return True
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    total = a + b
    part = total - a
    return not np.any((a - (total - part)) + (b - part))
