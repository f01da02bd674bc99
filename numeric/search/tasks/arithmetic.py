"""Arithmetic between distracting letters: read a ± b, letter by letter, then write the result.

Two numbers of two digits each and a sign, with letters strewn in between so that the first digit
is `lag` steps before the answer; then an equals sign and three steps in which a sign and two or
three digits are asked for. Before those a blank is asked for. Guessing knows when to say blank,
and the frequency of each sign and digit of the answer, which is counted over all pairs.

Source: after Zaremba and Sutskever 2014 and Józefowicz, Zaremba and Sutskever 2015, who sum
numbers of up to eight digits between letters.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numeric.search.tasks.task import Task, entropy, one_hot

Array = Any
_PLUS, _MINUS, _EQUALS, _LETTERS, _BLANK = 10, 11, 12, 13, 12
_DISTRACTING: Final = 4
_SAID: Final = 4  # a sign and three digits


def arithmetic(lag: int) -> Task:
    """The task with the first digit so many steps before the answer; at least 6."""
    given = max(lag, 6)
    steps = given + _SAID

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        numbers = rng.integers(100, size=(2, count))
        minus = rng.integers(2, size=count)
        shown = np.stack([
            numbers[0] // 10, numbers[0] % 10, np.where(minus, _MINUS, _PLUS), numbers[1] // 10,
            numbers[1] % 10,
        ])  # fmt: skip
        codes = _LETTERS + rng.integers(_DISTRACTING, size=(steps, count))
        later = np.argsort(rng.random((given - 2, count)), axis=0)[: len(shown) - 1]
        places = np.concatenate([np.zeros((1, count), int), 1 + np.sort(later, axis=0)])
        codes[places, np.arange(count)] = shown
        codes[given - 1 :] = _EQUALS
        wanted = np.full((steps, count), _BLANK)
        wanted[given:] = _answer(numbers[0], numbers[1], minus)
        return one_hot(codes, _LETTERS + _DISTRACTING), wanted

    a, b, minus = np.meshgrid(np.arange(100), np.arange(100), np.arange(2), indexing="ij")
    said = _answer(a.ravel(), b.ravel(), minus.ravel())
    guess = sum(entropy(np.bincount(row)) for row in said) / steps
    inputs = _LETTERS + _DISTRACTING
    return Task("arithmetic", lag, inputs, _BLANK + 1, "cross_entropy", "all", guess, draw)


def _answer(a: Array, b: Array, minus: Array) -> Array:
    """The sign and the three digits of a ± b."""
    value = np.where(minus, a - b, a + b)
    size = np.abs(value)
    sign = np.where(value < 0, _MINUS, _PLUS)
    return np.stack([sign, size // 100, size // 10 % 10, size % 10])
