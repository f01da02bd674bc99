"""What a task is: sequences drawn at a lag, the error of guessing, and what counts as learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

Array = Any
DTYPE: Final = "float32"
SHARE: Final = 0.1  # of the error of guessing: below it a task is learnt


@dataclass(frozen=True)
class Task:
    """A task at one lag.

    `draw(count, rng)` gives inputs (T, B, m) and targets: (B, q) or (T, B) integers, as `loss_at`
    and `loss` say. `guess` is the mean loss of one prediction by the best constant answer: of
    the squared error, or the cross-entropy in nats.
    """

    name: str
    lag: int
    inputs: int
    outputs: int
    loss: Literal["squared_error", "cross_entropy"]
    loss_at: Literal["last", "all"]
    guess: float
    draw: Callable[[int, np.random.Generator], tuple[Array, Array]]

    @property
    def learnt(self) -> float:
        """The error below which it counts as learnt."""
        return SHARE * self.guess

    def error(self, loss: float, inputs: Array) -> float:
        """The mean loss of one prediction, from the sum that a network's module returns."""
        steps = len(inputs) if self.loss_at == "all" else 1
        whole = 2 * loss if self.loss == "squared_error" else loss  # ½ ‖·‖² is what it sums
        return float(whole / (steps * inputs.shape[1]))


def one_hot(codes: Array, kinds: int) -> Array:
    """The codes as unit vectors along a new last axis."""
    return np.eye(kinds, dtype=DTYPE)[codes]


def entropy(counts: Array) -> float:
    """Of the distribution with these weights, in nats: the loss of the best constant answer."""
    share = np.asarray(counts, dtype=float) / np.sum(counts)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())
