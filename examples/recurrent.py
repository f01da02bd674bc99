"""What the examples share: a network's emitted module, and the training of its parameters.

In: a network of one cell over characters, or the module that `bptt emit` made of it. Out: its
loss and gradients, its outputs where there are no targets, Adam, and a loop that shows progress.
Loss and gradients come from the network's module alone. It returns no outputs; those are the
forward code of the cell, layer upon layer, which `Model.disagreement` compares with the module.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from derive import Cell, CellError, catalogue
from derive.cell import load
from derive.network import Layer, Network
from numeric import Kernel, compile_cell

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

EMBEDDING, READOUT, OFFSET = "embedding.E", "readout.V", "readout.c"
CLIP_NORM = 1.0


def named_cell(name: str) -> Cell:
    """A cell of the catalogue, or the one in a .toml file.

    Raises:
        CellError: if there is none.
        OSError: if the file cannot be read.
    """
    if name in catalogue:
        return catalogue[name]
    if not name.endswith(".toml"):
        known = ", ".join(catalogue)
        raise CellError(f"no cell {name!r}; expected {known}, or a path to a .toml file")
    found = load(Path(name))
    if len(found) != 1:
        raise CellError(f"{name}: expected one cell, found {', '.join(found)}")
    return next(iter(found.values()))


def find_cell(name: str) -> Cell:
    """A cell that reads characters and nothing else.

    Raises:
        CellError: if there is none, or it needs more than one character at a time.
        OSError: if the file cannot be read.
    """
    cell = named_cell(name)
    if len(cell.inputs) != 1 or cell.constants:
        inputs, constants = (
            ", ".join(symbol.name for symbol in group) for group in (cell.inputs, cell.constants)
        )
        raise CellError(
            f"cell {cell.name!r}: expected one input and no constants, came "
            f"inputs {inputs}; constants {constants or 'none'}"
        )
    return cell


def load_module(path: str, expected: Any) -> Any:
    """The emitted module in a file, which declares the same arrays as `expected`.

    Raises:
        ValueError: naming what differs.
        OSError: if the file cannot be read.
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except OSError:
        raise
    except Exception as problem:
        raise ValueError(f"{path}: expected an emitted module, came {problem!r}") from problem
    for group in ("PARAMETERS", "INPUTS", "STATES", "CONSTANTS"):
        ours, theirs = getattr(expected, group), getattr(module, group, {})
        for name in sorted(ours.keys() | theirs.keys()):
            want, came = ours.get(name, "none"), theirs.get(name, "none")
            if want != came:
                raise ValueError(f"{path}: {group}: {name}: expected {want}, came {came}")
    return module


def drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A parameter to begin with: matrices N(0, 1/columns), vectors 0, a forget gate's bias 1."""
    if len(shape) < 2:
        return np.full(shape, 1.0 if name.endswith(".b_f") else 0.0)
    return rng.normal(size=shape) / shape[1] ** 0.5  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Model:
    """Characters → embedding → layers → softmax, by the network's module.

    The embedding is the module's own if it has one; else the module sees dense input, and the
    embedding is trained with the gradient of that input.
    """

    network: Network
    module: Any
    vocabulary: int
    outputs: int
    size: int
    width: int

    @cached_property
    def kernel(self) -> Kernel:
        """The code of one layer."""
        return compile_cell(self.network.cell, "fused")

    @property
    def input(self) -> str:
        """The name of the network's input."""
        return str(*self.module.INPUTS)

    def extents(self, sizes: tuple[str, ...]) -> tuple[int, ...]:
        """The numbers that the size names of an array stand for: the cell's size unless known."""
        known = {"m": self.width, "q": self.outputs, "v": self.vocabulary}
        return tuple(sum(known.get(part, self.size) for part in name.split("+")) for name in sizes)

    def initial_params(self, rng: np.random.Generator, dtype: str = "float32") -> Arrays:
        """Embedding N(0, 1), matrices N(0, 1/columns), vectors 0, a forget gate's bias 1."""
        inner = self.kernel.module.INPUTS[self.input]
        params = {EMBEDDING: rng.normal(size=(self.vocabulary, *self.extents(inner)))}
        for name, sizes in self.module.PARAMETERS.items():
            if name != EMBEDDING:
                params[name] = drawn(name, self.extents(sizes), rng)
        return {name: value.astype(dtype) for name, value in params.items()}

    def initial_state(self, batch: int, dtype: str = "float32") -> Arrays:
        """Zeros, (B, n) for each state."""
        declared = self.module.STATES.items()
        return {name: np.zeros((batch, *self.extents(sizes)), dtype) for name, sizes in declared}

    def loss_and_gradient(
        self,
        params: Arrays,
        ids: Array,
        targets: Array,
        state: Arrays | None = None,
        lengths: Array | None = None,
    ) -> tuple[float, Arrays]:
        """Mean cross-entropy in nats a character, and its gradient, by the module.

        Shapes: ids and targets (T, B), state (B, n), lengths (B,).
        """
        inside = EMBEDDING in self.module.PARAMETERS
        given = {name: params[name] for name in self.module.PARAMETERS}
        x = ids if inside else params[EMBEDDING][ids]
        loss, found = self.module.loss_and_gradient(
            given, {self.input: x}, targets, initial=state, lengths=lengths
        )
        gradients = dict(found["params"])
        if not inside:
            one_hot = np.zeros((ids.size, self.vocabulary), x.dtype)
            one_hot[np.arange(ids.size), ids.ravel()] = 1
            gradients[EMBEDDING] = one_hot.T @ found["inputs"][self.input].reshape(ids.size, -1)
        count = ids.size if lengths is None else int(lengths.sum())
        return float(loss) / count, {name: value / count for name, value in gradients.items()}

    def run(
        self, params: Arrays, ids: Array, state: Arrays | None = None, lengths: Array | None = None
    ) -> tuple[Array, Arrays]:
        """Log p of every output, and the states after step T, by the forward code of the cell.

        Shapes: ids (T, B), log p (T, B, q). Beyond a sample's length both are meaningless.
        """
        T, B = ids.shape
        ends = np.full(B, T) if lengths is None else lengths
        steps = np.arange(T)[:, None]
        backwards = np.where(steps < ends, ends - 1 - steps, steps), np.arange(B)
        x, last = params[EMBEDDING][ids], dict[str, Array]()
        for depth in range(self.network.layers):
            layers = [layer for layer in self.network.stack if layer.depth == depth]
            parts = []
            for layer in layers:
                order: Any = backwards if layer.reverse else slice(None)
                h, states = self._layer(params, layer, x[order], state or {})
                parts.append(h[order])
                last |= states
            x = np.concatenate(parts, axis=-1)
        log_p = x @ params[READOUT].T + params[OFFSET]
        log_p -= log_p.max(axis=-1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
        return log_p, last

    def _layer(self, params: Arrays, layer: Layer, x: Array, state: Arrays) -> tuple[Array, Arrays]:
        own = {name: params[f"{layer.name}.{name}"] for name in self.kernel.module.PARAMETERS}
        names = {name: f"{layer.name}.{name}" for name in self.kernel.module.STATES}
        begin = {name: state[full] for name, full in names.items() if full in state}
        states, _ = self.kernel.forward(own, {self.input: x}, begin)
        last = {full: states[name][-1] for name, full in names.items()}
        return states[self.network.output.name], last

    def disagreement(
        self, params: Arrays, ids: Array, targets: Array, lengths: Array | None = None
    ) -> float:
        """|L of the module − L of `run`| / L: rounding alone, if the module is this network's."""
        loss, _ = self.loss_and_gradient(params, ids, targets, None, lengths)
        log_p, _ = self.run(params, ids, None, lengths)
        chosen = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
        inside = np.arange(len(ids))[:, None] < (len(ids) if lengths is None else lengths)
        own = -float(chosen[np.broadcast_to(inside, ids.shape)].mean())
        return abs(loss - own) / own


# ---- training -------------------------------------------------------------------------------


def clipped(gradients: Arrays, limit: float) -> Arrays:
    """All gradients scaled together to a norm of at most `limit`."""
    norm = sum(float(np.vdot(g, g)) for g in gradients.values()) ** 0.5
    scale = min(1.0, limit / max(norm, 1e-30))
    return {name: gradient * scale for name, gradient in gradients.items()}


class Adam:
    """Steps along the mean gradient over its root mean square (Kingma and Ba 2015)."""

    def __init__(self, params: Arrays, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
        self.beta_1, self.beta_2, self.count = beta_1, beta_2, 0
        self.mean = {name: np.zeros_like(value) for name, value in params.items()}
        self.square = {name: np.zeros_like(value) for name, value in params.items()}

    def update(self, params: Arrays, gradients: Mapping[str, Array], rate: float) -> None:
        """One step, written into `params`."""
        self.count += 1
        rate *= (1 - self.beta_2**self.count) ** 0.5 / (1 - self.beta_1**self.count)
        for name, gradient in gradients.items():
            mean, square = self.mean[name], self.square[name]
            mean += (1 - self.beta_1) * (gradient - mean)
            square += (1 - self.beta_2) * (gradient * gradient - square)
            params[name] -= rate * mean / (np.sqrt(square) + 1e-8)


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; the rate falls linearly with what is left to do.

    With `updates` the result depends on nothing but the seed; with `seconds` on the machine too.
    `pause`: the longest time between two looks at the held-out text; early ones are closer.
    """

    seconds: float
    updates: float
    rate: float
    pause: float = 5.0

    def left(self, elapsed: float, count: int) -> float:
        """The part of the training that is left: of the time or of the updates, the smaller."""
        return 1 - max(elapsed / self.seconds, count / self.updates)


def train(
    plan: Plan,
    params: Arrays,
    step: Callable[[], tuple[float, Arrays]],
    look: Callable[[float], str],
) -> None:
    """Updates of `params` with the gradients that `step` returns, until nothing is left to do.

    Prints the time, the updates, the mean of the losses of `step` since the line before, and
    what `look` says of the held-out text.
    """
    adam, began, shown = Adam(params), time.perf_counter(), 0.0
    count, losses = 0, list[float]()
    while True:
        elapsed = time.perf_counter() - began
        left = plan.left(elapsed, count)
        over = left <= 0
        if over or not count or elapsed - shown >= plan.pause * min(1, 0.1 + elapsed / 20):
            loss = sum(losses) / len(losses) if losses else nan
            print(f"{elapsed:5.1f}s {count:8d} {loss:9.4f} {look(elapsed)}", flush=True)
            losses, shown = [], elapsed
        if over:
            return
        loss, gradients = step()
        adam.update(params, clipped(gradients, CLIP_NORM), plan.rate * max(0.05, left))
        count += 1
        losses.append(loss)
