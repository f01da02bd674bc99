"""The adding problem: the sum of two marked numbers, asked for long after the first was read.

In: a cell and a lag. Out: `Learner`, which draws sequences and trains a network of the cell with
a linear readout by the loss and gradients of the emitted module alone; `Outcome`, what came of it.

A sequence holds at each step a number drawn from [0, 1] and a mark, 0 or 1. One mark is drawn
among the first max(2, lag/10) steps, the other among the `lag` steps that follow; the target is
the sum of the two marked numbers. The last step is therefore at least `lag` steps after the first
mark. Predicting the mean, 1, has a squared error of 1/6, the variance of two uniform numbers.

Source: Hochreiter and Schmidhuber 1997, experiment 4; marks and targets as in Arjovsky, Shah
and Bengio 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Any

import numpy as np
from recurrent import CLIP_NORM, Adam, Array, Arrays, clipped, drawn, named_cell

from derive import Cell, CellError
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.meaning.default_constants import default_constants

MEAN = 1 / 6
LEARNT = MEAN / 10
RATES = (0.03, 0.01, 0.003)
BATCH, WATCHED, TESTED = 32, 256, 1000
LOOKS = 40  # at the held-out sequences during a training
DTYPE = "float32"


def lead(lag: int) -> int:
    """Among how many first steps the first mark is."""
    return max(2, lag // 10)


def sequences(lag: int, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Numbers and marks, and the sum of the marked numbers. Shapes: (T, B, 2), (B, 1)."""
    first, steps, column = lead(lag), lead(lag) + lag, np.arange(count)
    x = np.zeros((steps, count, 2), DTYPE)
    x[..., 0] = rng.random((steps, count))
    marked = rng.integers(first, size=count), rng.integers(first, steps, size=count)
    for places in marked:
        x[places, column, 1] = 1
    return x, sum(x[places, column, 0] for places in marked)[:, None]


def adding_cell(name: str) -> Cell:
    """The cell of that name, which reads one input.

    Raises:
        CellError: if there is none, or it reads others.
        OSError: if its file cannot be read.
    """
    cell = named_cell(name)
    if len(cell.inputs) != 1:
        read = ", ".join(symbol.name for symbol in cell.inputs)
        raise CellError(f"cell {cell.name!r}: expected one input, came {read}")
    return cell


@dataclass(frozen=True)
class Outcome:
    """What a training came to; `updates` is None where the budget ended before it had learnt."""

    rate: float
    updates: int | None
    error: float
    params: Arrays

    @property
    def learnt(self) -> bool:
        """Whether the mean squared error of sequences never seen is below a tenth of 1/6."""
        return self.error < LEARNT


@dataclass(frozen=True)
class Learner:
    """A network of one layer of a cell, for one lag; the seed decides all that is drawn."""

    cell: Cell
    lag: int
    size: int
    seed: int

    @cached_property
    def module(self) -> Any:
        """The emitted module: a linear readout of the last step, ½ of the squared error."""
        settings = {"readout": "linear", "loss": "squared_error", "loss_at": "last"}
        return compile_network(Network(self.cell, **settings), "fused").module

    def sizes(self) -> dict[str, int]:
        """The number that each size name stands for; what is neither input nor output is n."""
        names = {
            part
            for group in (self.module.PARAMETERS, self.module.STATES, self.module.CONSTANTS)
            for dims in group.values()
            for name in dims
            for part in name.split("+")
        }
        known = {"m": 2, "q": 1, "T": lead(self.lag) + self.lag}
        return dict.fromkeys(names, self.size) | known

    def initial_params(self) -> Arrays:
        """As the other examples draw them; the same for every lag."""
        sizes, rng = self.sizes(), np.random.default_rng([self.seed, 0])
        return {
            name: drawn(
                name, tuple(sum(sizes[p] for p in dim.split("+")) for dim in dims), rng
            ).astype(DTYPE)
            for name, dims in self.module.PARAMETERS.items()
        }

    def constants(self, dtype: str | None = None) -> Arrays:
        """What the cell says of its constants, for the length of these sequences."""
        found = default_constants(self.cell, self.sizes(), np.random.default_rng(self.seed))
        return {name: value.astype(dtype or DTYPE) for name, value in found.items()}

    def mean_gradient(self, params: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
        """The mean squared error, and the gradient of half of it, both by the module."""
        (name,) = self.module.INPUTS
        with np.errstate(over="ignore", invalid="ignore"):  # a rate too large is seen by its error
            loss, found = self.module.loss_and_gradient(
                params, {name: x}, y, constants=self.constants()
            )
        return 2 * float(loss) / len(y), {k: g / len(y) for k, g in found["params"].items()}

    def test_sequences(self, count: int = TESTED) -> tuple[Array, Array]:
        """Sequences that neither train nor decide when to stop."""
        return sequences(self.lag, count, np.random.default_rng([self.seed, 1]))

    def train(self, rate: float, updates: int) -> Iterator[tuple[int, float, Arrays]]:
        """Updates, held-out error and parameters at each look, the first before any update.

        Adam and clipping as in the other examples, a new batch each time; the rate falls linearly.
        Ends early once the error is half of what counts as learnt, or no longer a number.
        """
        params = self.initial_params()
        adam = Adam(params)
        watched = sequences(self.lag, WATCHED, np.random.default_rng([self.seed, 2]))
        rng = np.random.default_rng([self.seed, 3])
        pause = max(1, updates // LOOKS)
        for count in range(updates + 1):
            if count % pause == 0 or count == updates:
                error, _ = self.mean_gradient(params, *watched)
                if not isfinite(error):
                    return
                yield count, error, {name: value.copy() for name, value in params.items()}
                if error < LEARNT / 2:
                    return
            if count < updates:
                _, gradients = self.mean_gradient(params, *sequences(self.lag, BATCH, rng))
                left = max(0.05, 1 - count / updates)
                adam.update(params, clipped(gradients, CLIP_NORM), rate * left)

    def learn(self, updates: int, rates: tuple[float, ...] = RATES) -> Outcome:
        """The best of one training a rate, each with the same batches and the same budget.

        Best: the fewest updates until it had learnt; else the smallest held-out error. A rate
        that can no longer be the best is not followed to its end.
        """
        best = (inf, inf, rates[0], self.initial_params())
        for rate in rates:
            for count, error, params in self.train(rate, updates):
                reached = (count if error < LEARNT / 2 else inf, error, rate, params)
                if count >= best[0]:
                    break
            best = min(best, reached, key=lambda found: found[:2])
        count, _, rate, params = best
        error, _ = self.mean_gradient(params, *self.test_sequences())
        return Outcome(rate, int(count) if isfinite(count) else None, error, params)
