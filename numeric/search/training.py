"""Training a cell on a task with emitted gradient code: what it reaches in so many updates.

In: a cell, a task, a seed and a budget. Out: `Learnt`, the error on sequences never seen, the curve
and the parameters. Settings (learning rate, bias of what keeps the state) are raced: all begin,
the better half goes on with twice the updates, until one is left.

Source: successive halving, Jamieson and Talwalkar 2016, AISTATS; Adam, Kingma and Ba 2015.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.search.tasks.task import DTYPE, SHARE, Task

Array = Any
Arrays = dict[str, Array]
BATCH: Final = 16
_HELD_OUT: Final = 128
_KEPT: Final = 16  # tasks of which sequences are kept, a few megabytes each
_CLIP: Final = 1.0
_BETAS: Final = (0.9, 0.999)
_TINY: Final = 1e-8
_WIDEST: Final = 1024
RATES: Final = (0.02, 0.005)
BIASES: Final = (0.0, 1.0)


@dataclass(frozen=True)
class Settings:
    """A learning rate, and what biases inside a sigmoid start from."""

    rate: float
    bias: float


@dataclass(frozen=True)
class Learnt:
    """What came of one task: the held-out error as a share of guessing's, and how it fell.

    `curve` is (updates, share) at each look; `updates` those that were made in all.
    """

    task: str
    lag: int
    share: float
    learnt: bool
    updates: int
    settings: Settings
    curve: tuple[tuple[int, float], ...]
    params: Arrays = field(repr=False, compare=False)


class _Sequences:
    """Those of a task and a seed: for a look at the error, and one batch after another to learn.

    All settings and all candidates are shown the same, so they are drawn once.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.held_out = task.draw(_HELD_OUT, np.random.default_rng([seed, 1]))
        self._batches: list[tuple[Array, Array]] = []
        self._task, self._rng = task, np.random.default_rng([seed, 2])

    def batch(self, number: int) -> tuple[Array, Array]:
        """The inputs and targets of the update with this number, from 0."""
        while len(self._batches) <= number:
            self._batches.append(self._task.draw(BATCH, self._rng))
        return self._batches[number]


@lru_cache(maxsize=_KEPT)
def _sequences(task: Task, seed: int) -> _Sequences:
    return _Sequences(task, seed)


@dataclass
class _Runner:
    """One training under way."""

    module: Any
    task: Task
    settings: Settings
    params: Arrays
    sequences: _Sequences
    count: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """All parameters as parts of one array, and Adam's two means, zero."""
        self.flat = np.concatenate([value.ravel() for value in self.params.values()])
        ends = np.cumsum([value.size for value in self.params.values()])
        parts = np.split(self.flat, ends[:-1])
        self.params = {
            name: part.reshape(value.shape)
            for (name, value), part in zip(self.params.items(), parts, strict=True)
        }
        self.means, self.squares = np.zeros_like(self.flat), np.zeros_like(self.flat)

    def loss(self, x: Array, y: Array) -> tuple[float, Array]:
        """The error of one prediction, and the gradient of the mean loss as one array."""
        (name,) = self.module.INPUTS
        loss, found = self.module.loss_and_gradient(self.params, {name: x}, y)
        scale = self.task.error(1.0, x) / (2 if self.task.loss == "squared_error" else 1)
        gradient = np.concatenate([found["params"][name].ravel() for name in self.params])
        return self.task.error(float(loss), x), gradient * np.float32(scale)

    def look(self) -> float:
        """The share of the held-out error that is left; ∞ where it is no number."""
        error, _ = self.loss(*self.sequences.held_out)
        share = self.task.share(error)
        self.curve.append((self.count, share if math.isfinite(share) else math.inf))
        return self.curve[-1][1]

    def go(self, updates: int) -> float:
        """So many more updates."""
        for _ in range(updates):
            self._update(self.loss(*self.sequences.batch(self.count))[1])
            self.count += 1
        return self.look()

    def _update(self, gradient: Array) -> None:
        total = float(np.linalg.norm(gradient))
        shrink = min(1.0, _CLIP / total) if total > 0 else 1.0
        one, two = _BETAS
        step = self.count + 1
        gradient = gradient * np.float32(shrink)
        self.means = one * self.means + (1 - one) * gradient
        self.squares = two * self.squares + (1 - two) * gradient * gradient
        size = np.sqrt(self.squares / (1 - two**step)) + _TINY
        self.flat -= self.settings.rate * (self.means / (1 - one**step)) / size


def network_of(cell: Cell, task: Task) -> Network:
    """One layer of the cell with a readout for the task."""
    readout = "linear" if task.loss == "squared_error" else "softmax"
    return Network(cell, readout=readout, loss=task.loss, loss_at=task.loss_at)


def sizes_for(module: Any, task: Task, size: int) -> dict[str, int]:
    """The number that each size name stands for; what is neither input nor output is n."""
    groups = (module.PARAMETERS, module.STATES)
    names = {part for group in groups for dims in group.values() for dim in dims
             for part in dim.split("+")}  # fmt: skip
    return dict.fromkeys(names, size) | {"m": task.inputs, "q": task.outputs}


def count_of(module: Any, sizes: Mapping[str, int]) -> int:
    """How many numbers the parameters hold."""
    return sum(math.prod(sum(sizes[p] for p in dim.split("+")) for dim in dims)
               for dims in module.PARAMETERS.values())  # fmt: skip


def size_with(cell: Cell, task: Task, parameters: int) -> int:
    """How many hidden units give a network with about so many numbers as parameters."""
    module = compile_network(network_of(cell, task), predicts=False).module

    def apart(size: int) -> int:
        return abs(count_of(module, sizes_for(module, task, size)) - parameters)

    return min(range(1, _WIDEST + 1), key=apart)


def initial(
    module: Any, sizes: Mapping[str, int], gates: frozenset[str], bias: float, seed: int
) -> Arrays:
    """Matrices N(0, 1/columns), vectors 0, biases of sigmoids as said."""
    rng = np.random.default_rng([seed, 0])
    found = {}
    for name, dims in module.PARAMETERS.items():
        shape = tuple(sum(sizes[p] for p in dim.split("+")) for dim in dims)
        bare = name.split(".")[-1]
        value = (rng.normal(size=shape) / math.sqrt(shape[1]) if len(shape) == 2
                 else np.full(shape, bias if bare in gates else 0.0))  # fmt: skip
        found[name] = np.asarray(value, DTYPE)
    return found


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def train(
    cell: Cell,
    task: Task,
    *,
    size: int,
    seed: int,
    updates: int,
    gates: frozenset[str],
    settings: Sequence[Settings] = (),
) -> Learnt:
    """The best of the raced settings: of those given, else of the grid.

    Whichever it is, the last one has been given all the updates.

    Raises:
        CellError: if the cell makes no network for the task.
    """
    module = compile_network(network_of(cell, task), predicts=False).module
    sizes = sizes_for(module, task, size)
    grid = settings or [
        Settings(rate, bias) for rate, bias in product(RATES, BIASES if gates else (0.0,))
    ]
    runners = [
        _Runner(module, task, one, initial(module, sizes, gates, one.bias, seed),
                _sequences(task, seed))
        for one in grid
    ]  # fmt: skip
    total = 0
    for more in _rounds(updates):
        shares = [runner.go(more) for runner in runners]
        total += more * len(runners)
        order = sorted(range(len(runners)), key=lambda k: (shares[k], k))
        runners = [runners[k] for k in order]
        if runners[0].curve[-1][1] < SHARE / 2:
            break
        runners = runners[: max(1, len(runners) // 2)]
    best = runners[0]
    share = best.curve[-1][1]
    return Learnt(task.name, task.lag, share, share < SHARE, total,
                  best.settings, tuple(best.curve), best.params)  # fmt: skip


def _rounds(updates: int) -> Iterator[int]:
    """A seventh of the updates, twice that, the rest: after each, half of the settings go."""
    first = max(1, updates // 7)
    yield from (first, 2 * first, max(1, updates - 3 * first))
