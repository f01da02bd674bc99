"""Tasks of numbers and symbols drawn at random, of which something has to be remembered."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from numeric.search.tasks.task import DTYPE, Task, one_hot

Array = Any
_KINDS: Final = 8
_LENGTH: Final = 5


def adding(lag: int) -> Task:
    """The adding problem: the sum of two marked numbers, the first `lag` steps ago or more.

    Guessing the mean, 1, has the squared error 1/6, the variance of two uniform numbers.

    Source: Hochreiter and Schmidhuber 1997, experiment 4; marks as in Arjovsky, Shah and Bengio
    2016.
    """
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


def copying(lag: int) -> Task:
    """Copy memory: say again, after `lag` blanks, what was shown before them.

    Five symbols of eight kinds, blanks, a mark, then five steps in which the symbols are asked
    for; before those the blank is asked for. The best constant answer knows when to say blank: its
    loss is 5 ln 8 in lag + 11 steps.

    Source: Hochreiter and Schmidhuber 1997; the form of Arjovsky, Shah and Bengio 2016.
    """
    steps = lag + 2 * _LENGTH + 1
    blank, mark = _KINDS, _KINDS + 1

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        shown = rng.integers(_KINDS, size=(_LENGTH, count))
        codes = np.full((steps, count), blank)
        codes[:_LENGTH] = shown
        codes[_LENGTH + lag] = mark
        wanted = np.full((steps, count), blank)
        wanted[-_LENGTH:] = shown
        return one_hot(codes, _KINDS + 2), wanted

    guess = _LENGTH * math.log(_KINDS) / steps
    return Task("copy", lag, _KINDS + 2, _KINDS + 1, "cross_entropy", "all", guess, draw)


def parity(lag: int) -> Task:
    """Sequential parity: after each of `lag` bits, whether the number of ones so far is odd.

    Guessing has the loss ln 2 a step, but for the first, which is its own parity.
    """

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        bits = rng.integers(2, size=(lag, count))
        return bits[..., None].astype(DTYPE), np.cumsum(bits, axis=0) % 2

    return Task("parity", lag, 1, 2, "cross_entropy", "all", math.log(2), draw)
