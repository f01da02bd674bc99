"""Characters of Python's own help texts: foresee the next one.

Sequences of `lag` characters from `pydoc_data.topics`, in lower case, what is no letter as one of
a few marks. Guessing answers with the frequency of each character in the whole text; what can be
learnt is taken to be what follows from the two characters before.
"""

from __future__ import annotations

from functools import lru_cache
from pydoc_data.topics import topics
from typing import Any, Final

import numpy as np

from numeric.search.tasks.task import Task, entropy, one_hot

Array = Any
_KNOWN: Final = "abcdefghijklmnopqrstuvwxyz .,\n"
_OTHER: Final = len(_KNOWN)


@lru_cache(maxsize=1)
def _codes() -> Array:
    places = {character: code for code, character in enumerate(_KNOWN)}
    text = "\n".join(topics[name] for name in sorted(topics)).lower()
    return np.array([places.get(character, _OTHER) for character in text])


def reading(lag: int) -> Task:
    """The task over so many characters."""
    codes = _codes()

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        starts = rng.integers(len(codes) - lag - 1, size=count)
        text = codes[starts + np.arange(lag + 1)[:, None]]
        return one_hot(text[:-1], _OTHER + 1), text[1:]

    return Task("text", lag, _OTHER + 1, _OTHER + 1, "cross_entropy", "all", _after(0), draw,
                _after(2))  # fmt: skip


@lru_cache(maxsize=4)
def _after(known: int) -> float:
    """The entropy of a character, in nats, where so many before it are known."""
    kinds, codes = _OTHER + 1, _codes()
    count = len(codes) - known
    shape = (kinds,) * (known + 1)
    places = np.ravel_multi_index([codes[k : k + count] for k in range(known + 1)], shape)
    runs = np.bincount(places, minlength=kinds ** (known + 1)).reshape(-1, kinds)
    return float(sum(run.sum() / count * entropy(run) for run in runs if run.any()))
