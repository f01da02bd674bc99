"""Sequential parity: after each bit, whether the number of ones so far is odd.

`lag` bits; guessing has the loss ln 2 a step, but for the first, which is its own parity.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numeric.search.tasks.task import DTYPE, Task

Array = Any


def parity(lag: int) -> Task:
    """The task over so many bits."""

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        bits = rng.integers(2, size=(lag, count))
        return bits[..., None].astype(DTYPE), np.cumsum(bits, axis=0) % 2

    return Task("parity", lag, 1, 2, "cross_entropy", "all", math.log(2), draw)
