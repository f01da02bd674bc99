"""The adding problem: the sum of two marked numbers, the first of them `lag` steps ago or more.

Guessing the mean, 1, has the squared error 1/6, the variance of two uniform numbers.

Source: Hochreiter and Schmidhuber 1997, experiment 4; marks as in Arjovsky, Shah and Bengio 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric.search.tasks.task import DTYPE, Task

Array = Any


def adding(lag: int) -> Task:
    """The task at a lag."""
    first = max(2, lag // 10)

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        steps, column = first + lag, np.arange(count)
        x = np.zeros((steps, count, 2), DTYPE)
        x[..., 0] = rng.random((steps, count))
        marked = rng.integers(first, size=count), rng.integers(first, steps, size=count)
        for places in marked:
            x[places, column, 1] = 1
        return x, np.sum([x[places, column, 0] for places in marked], axis=0)[:, None]

    return Task("adding", lag, 2, 1, "squared_error", "last", 1 / 6, draw)
