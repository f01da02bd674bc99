"""What a task is: sequences at a lag, the errors of guessing and of knowing, what is learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

Array = Any
DTYPE: Final = "float32"
SHARE: Final = 0.1  # of what can be learnt: where no more is left, a task is learnt


@dataclass(frozen=True)
class Task:
    """A task at one lag.

    `draw(count, rng)` gives inputs (T, B, m) and targets: (B, q) or (T, B) integers, as `loss_at`
    and `loss` say. `guess` is the mean loss of one prediction by the best constant answer: of
    the squared error, or the cross-entropy in nats. `floor` is the mean loss of who knows the rule
    by which the targets are drawn: not zero where chance decides.
    """

    name: str
    lag: int
    inputs: int
    outputs: int
    loss: Literal["squared_error", "cross_entropy"]
    loss_at: Literal["last", "all"]
    guess: float
    draw: Callable[[int, np.random.Generator], tuple[Array, Array]]
    floor: float = 0.0

    def share(self, error: float) -> float:
        """How much of what can be learnt is left: 1 for guessing, 0 for knowing the rule."""
        return (error - self.floor) / (self.guess - self.floor)

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
