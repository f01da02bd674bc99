"""Text of nested tags, as XML has them: foresee each character; what closes must match.

A tag opens as <ab>, letters at random, and closes as </ab>; at most `lag`/8 + 1 are open at once.
Sequences of `lag` characters. Guessing answers with the frequency of each character, knowing with
the chances of the grammar: both measured over texts of it from a fixed seed.

Source: after the XML task of Józefowicz, Zaremba and Sutskever 2015.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from numeric.search.tasks.task import Task, entropy, one_hot

Array = Any
_LETTERS: Final = "abcdef"
_MARKS: Final = "</>"
_KINDS: Final = len(_LETTERS) + len(_MARKS)
_NAME: Final = 2
_LONG: Final = 20_000


def brackets(lag: int) -> Task:
    """The task over so many characters."""
    depth = lag // 8 + 1

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        text = np.stack([written(lag + 1, depth, rng) for _ in range(count)], axis=1)
        return one_hot(text[:-1], _KINDS), text[1:]

    return Task("xml", lag, _KINDS, _KINDS, "cross_entropy", "all", _guess(depth), draw,
                _floor(lag, depth))  # fmt: skip


@lru_cache(maxsize=16)
def _guess(depth: int) -> float:
    return entropy(np.bincount(written(_LONG, depth, np.random.default_rng(0))))


@lru_cache(maxsize=16)
def _floor(lag: int, depth: int) -> float:
    rng = np.random.default_rng(0)
    count = max(1, _LONG // lag)
    return sum(_chance(written(lag + 1, depth, rng), depth) for _ in range(count)) / (count * lag)


def _chance(codes: Array, depth: int) -> float:
    """The entropies, in nats, of the characters after the first, each where those before are known.

    After < a tag opens or closes, by a coin unless none is open or as many as may be; what is
    opened has letters at random; all else is certain.
    """
    low, slash, _ = range(len(_LETTERS), _KINDS)
    name, coin = math.log(len(_LETTERS)), math.log(2)
    found, opened = 0.0, 0
    for place in range(1, len(codes)):
        if codes[place - 1] == low:
            free = 0 < opened < depth
            found += coin + name / 2 if free else name * (opened < depth)
            opening = codes[place] != slash
            opened += 1 if opening else -1
        elif codes[place] < len(_LETTERS) and opening:
            found += name
    return found


def written(length: int, depth: int, rng: np.random.Generator) -> Array:
    """So many characters of the grammar, as codes."""
    codes: list[int] = []
    opened: list[list[int]] = []
    low, slash, high = range(len(_LETTERS), _KINDS)
    most = length // (_NAME + 2) + 1  # tags: the shortest opens
    names = rng.integers(len(_LETTERS), size=(most, _NAME)).tolist()
    closing = (rng.random(most) < 0.5).tolist()
    for name, closes in zip(names, closing, strict=True):
        if opened and (closes or len(opened) >= depth):
            codes += [low, slash, *opened.pop(), high]
        else:
            opened.append(name)
            codes += [low, *name, high]
    return np.array(codes[:length])
