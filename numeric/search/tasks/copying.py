"""Copy memory: say again, after `lag` blanks, what was shown before them.

Five symbols of eight kinds, blanks, a mark, then five steps in which the symbols are asked for;
before those the blank is asked for. The best constant answer knows when to say blank: its loss
is 5 ln 8 in lag + 11 steps.

Source: Hochreiter and Schmidhuber 1997; the form of Arjovsky, Shah and Bengio 2016.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from numeric.search.tasks.task import Task, one_hot

Array = Any
_KINDS: Final = 8
_LENGTH: Final = 5


def copying(lag: int) -> Task:
    """The task at a lag."""
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
