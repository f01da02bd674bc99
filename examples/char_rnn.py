"""A character model of English, trained with emitted gradient code and NumPy alone.

The cell's forward and backward pass are code that this toolkit derived and emitted (style
`fused`, float32); embedding, softmax readout, clipping and Adam stand here in plain NumPy. The
text is Python's own manual (`pydoc_data.topics`). The model has learnt something beyond pairs
of characters when its held-out loss is below the bigram entropy H(next | previous).

    python examples/char_rnn.py
    python examples/char_rnn.py --cell rnn --seconds 60
    python examples/char_rnn.py --cell my_cell.toml --size 192

Exit status: 0 if the loss fell below the bigram entropy (always 0 with --quick), 1 if not,
2 if the cell cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import e, inf, log2, nan
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

# Many small products: two BLAS threads gain a third on an idle machine, and lose a factor of
# ten and more to waiting for each other as soon as anything else runs on one of the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from derive import Cell, CellError, catalogue
from derive.cell import load
from numeric import Kernel, compile_cell

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

EMBEDDING, READOUT, OFFSET = "embedding.E", "readout.V", "readout.c"
HELD_OUT_PART = 0.1
CLIP_NORM = 1.0
TEMPERATURE = 0.7
QUICK_UPDATES = 60
BITS_PER_NAT = log2(e)


# ---- the text and its entropies -------------------------------------------------------------


def read_text() -> str:
    """All topics in alphabetical order of their names."""
    return "\n\n".join(topics[name].strip("\n") for name in sorted(topics)) + "\n"


def split(text: str) -> tuple[str, str]:
    """The first nine tenths to train on, and what is new in the last tenth.

    The manual repeats itself: a paragraph of the last part that the first part also holds would
    reward memory, so it is left out.
    """
    cut = text.index("\n\n", round((1 - HELD_OUT_PART) * len(text))) + 2
    seen = {paragraph.strip() for paragraph in text[:cut].split("\n\n")}
    fresh = [p for p in text[cut:].split("\n\n") if p.strip() not in seen]
    return text[:cut], "\n\n".join(fresh)


def entropies(text: str) -> tuple[float, float]:
    """H(next) and H(next | previous) in bits a character, under the text's own counts."""
    total = len(text) - 1
    following, previous = Counter(text[1:]), Counter(text[:-1])
    pairs = Counter(pairwise(text))
    unigram = -sum(count / total * log2(count / total) for count in following.values())
    bigram = -sum(count / total * log2(count / previous[a]) for (a, _), count in pairs.items())
    return unigram, bigram


def streams(ids: Array, batch: int) -> Array:
    """The text as `batch` columns, each running on where the column before it stops.

    Shapes: ids (length,), result (length // batch, batch).
    """
    steps = len(ids) // batch
    return np.ascontiguousarray(ids[: steps * batch].reshape(batch, steps).T)


# ---- the model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class CharacterModel:
    """Embedding → emitted cell → softmax: p(next | all before), with the cell's state carried.

    The readout sees the state h where there is one, else the last state.
    """

    kernel: Kernel
    vocabulary: int
    size: int
    width: int

    def __post_init__(self) -> None:
        """Refuse cells that need more than one character at a time.

        Raises:
            ValueError: if the cell has constants or more than one input.
        """
        module = self.kernel.module
        if len(module.INPUTS) != 1 or module.CONSTANTS:
            raise ValueError(
                f"cell {self.kernel.cell.name!r}: expected one input and no constants, came "
                f"inputs {', '.join(module.INPUTS)}; constants {', '.join(module.CONSTANTS)}"
            )

    @property
    def input(self) -> str:
        """The name of the cell's input."""
        return str(*self.kernel.module.INPUTS)

    @property
    def read(self) -> str:
        """The name of the state that the readout sees."""
        states = list(self.kernel.module.STATES)
        return "h" if "h" in states else str(states[-1])

    def extent(self, size: str) -> int:
        """The number that a size name stands for: the input's width, else the cell's size."""
        inner = self.kernel.module.INPUTS[self.input][0]
        return sum(self.width if part == inner else self.size for part in size.split("+"))

    def initial_params(self, rng: np.random.Generator, dtype: str = "float32") -> Arrays:
        """Matrices N(0, 1/columns), vectors 0, the bias of a forget gate 1."""
        params = {EMBEDDING: rng.normal(size=(self.vocabulary, self.width))}
        for name, sizes in self.kernel.module.PARAMETERS.items():
            shape = tuple(map(self.extent, sizes))
            if len(shape) == 2:
                params[name] = rng.normal(size=shape) / shape[1] ** 0.5
            else:
                params[name] = np.full(shape, 1.0 if name == "b_f" else 0.0)
        params[READOUT] = rng.normal(size=(self.vocabulary, self.size)) / self.size**0.5
        params[OFFSET] = np.zeros(self.vocabulary)
        return {name: value.astype(dtype) for name, value in params.items()}

    def initial_state(self, batch: int, dtype: str = "float32") -> Arrays:
        """Zeros, (B, n) for each state."""
        declared = self.kernel.module.STATES.items()
        return {name: np.zeros((batch, self.extent(dims[0])), dtype) for name, dims in declared}

    def run(self, params: Arrays, ids: Array, state: Arrays) -> tuple[Array, Arrays, Any, Array]:
        """The read state at each step, the last states, the tape, and log p of each character.

        Shapes: ids (T, B), state (B, n), log p (T, B, v).
        """
        inner = {name: params[name] for name in self.kernel.module.PARAMETERS}
        states, tape = self.kernel.forward(inner, {self.input: params[EMBEDDING][ids]}, state)
        h = states[self.read]
        log_p = h @ params[READOUT].T + params[OFFSET]
        log_p -= log_p.max(axis=-1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
        return h, {name: value[-1] for name, value in states.items()}, tape, log_p

    def loss_and_gradient(
        self, params: Arrays, ids: Array, targets: Array, state: Arrays
    ) -> tuple[float, Arrays, Arrays]:
        """Mean cross-entropy in nats a character, its gradient, and the states to go on from.

        Shapes: ids and targets (T, B).
        """
        h, last, tape, log_p = self.run(params, ids, state)
        chosen = targets[..., None]
        loss = -float(np.take_along_axis(log_p, chosen, axis=-1).mean())
        logits_bar = np.exp(log_p)
        np.put_along_axis(
            logits_bar, chosen, np.take_along_axis(logits_bar, chosen, axis=-1) - 1, axis=-1
        )
        logits_bar /= targets.size
        inner = {name: params[name] for name in self.kernel.module.PARAMETERS}
        gradients = self.kernel.backward(inner, tape, {self.read: logits_bar @ params[READOUT]})
        x_bar = gradients["inputs"][self.input].reshape(ids.size, -1)
        one_hot = np.zeros((ids.size, self.vocabulary), x_bar.dtype)
        one_hot[np.arange(ids.size), ids.ravel()] = 1
        rows = logits_bar.reshape(ids.size, -1)
        outer = {
            EMBEDDING: one_hot.T @ x_bar,
            READOUT: rows.T @ h.reshape(ids.size, -1),
            OFFSET: rows.sum(axis=0),
        }
        return loss, {**gradients["params"], **outer}, last

    def bits(self, params: Arrays, ids: Array, batch: int = 16, steps: int = 256) -> float:
        """The loss over a whole text, the state carried along each stream, in bits a character."""
        columns = streams(ids, batch)
        state = self.initial_state(batch)
        total = 0.0
        for start in range(0, len(columns) - 1, steps):
            targets = columns[start + 1 : start + steps + 1]
            _, state, _, log_p = self.run(params, columns[start : start + len(targets)], state)
            total -= float(np.take_along_axis(log_p, targets[..., None], axis=-1).sum())
        return total / columns[1:].size * BITS_PER_NAT

    def sample(self, params: Arrays, rng: np.random.Generator, first: int, length: int) -> Array:
        """Characters drawn one after the other, each fed back."""
        state, ids = self.initial_state(1), [first]
        for _ in range(length):
            _, state, _, log_p = self.run(params, np.array([[ids[-1]]]), state)
            p = np.exp(log_p[0, 0].astype(np.float64) / TEMPERATURE)
            ids.append(int(rng.choice(self.vocabulary, p=p / p.sum())))
        return np.array(ids)


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

    `pause`: the longest time between two looks at the held-out text; early ones are closer.
    """

    seconds: float
    updates: float
    rate: float
    batch: int
    steps: int
    pause: float

    def left(self, elapsed: float, count: int) -> float:
        """The part of the training that is left: of the time or of the updates, the smaller."""
        return 1 - max(elapsed / self.seconds, count / self.updates)


def train(
    model: CharacterModel,
    plan: Plan,
    params: Arrays,
    ids: Array,
    held_out: Array,
    bars: Mapping[str, float],
    rng: np.random.Generator,
) -> tuple[float, float | None]:
    """The held-out loss at the end, and the second at which it first was below every bar.

    Prints the time, the mean training loss since the line before, and the held-out loss.
    """
    adam, state = Adam(params), model.initial_state(plan.batch)
    columns, place = streams(ids, plan.batch), 0
    began, shown, crossed = time.perf_counter(), 0.0, None
    count, losses = 0, list[float]()
    print(f"{'time':>6} {'updates':>8} {'training':>9} {'held out':>9}   bits a character")
    while True:
        elapsed = time.perf_counter() - began
        left = plan.left(elapsed, count)
        over = left <= 0
        if over or elapsed - shown >= min(plan.pause, 0.5 + elapsed / 4):
            bits = model.bits(params, held_out)
            if crossed is None and bits < min(bars.values()):
                crossed = time.perf_counter() - began
            beaten = {value: name for name, value in bars.items() if bits < value}
            note = f"   below {beaten[min(beaten)]}" if beaten else ""
            loss = sum(losses) / len(losses) if losses else nan
            print(f"{elapsed:5.1f}s {count:8d} {loss:9.3f} {bits:9.3f}{note}", flush=True)
            losses, shown = [], elapsed
            if over:
                return bits, crossed
        if place + plan.steps >= len(columns):
            offset = int(rng.integers(plan.steps))
            columns, place = streams(ids[offset:], plan.batch), 0
            state = model.initial_state(plan.batch)
        window = columns[place : place + plan.steps + 1]
        nats, gradients, state = model.loss_and_gradient(params, window[:-1], window[1:], state)
        rate = plan.rate * max(0.05, left)
        adam.update(params, clipped(gradients, CLIP_NORM), rate)
        place, count = place + plan.steps, count + 1
        losses.append(nats * BITS_PER_NAT)


# ---- the command ----------------------------------------------------------------------------


def find_cell(name: str) -> Cell:
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


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="train a character model with emitted code")
    parser.add_argument("--cell", default="lstm", help="a name in the catalogue, or a .toml file")
    parser.add_argument("--seconds", type=float, default=60.0, help="training time")
    parser.add_argument("--size", type=int, default=128, help="units of the cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=600, help="characters to generate")
    parser.add_argument("--quick", action="store_true", help="60 updates, to see that it runs")
    options = parser.parse_args(arguments)
    if options.size < 2 or options.sample < 0 or not options.seconds > 0:
        parser.error("expected --size of 2 or more, --sample of 0 or more, --seconds above 0")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Train, show progress, write a sample, say whether the bigram entropy was beaten."""
    options = parse_arguments(arguments)
    try:
        kernel = compile_cell(find_cell(options.cell), "fused")
        text = read_text()
        alphabet = sorted(set(text))
        model = CharacterModel(kernel, len(alphabet), options.size, width=options.size // 2)
    except (CellError, OSError, ValueError) as problem:
        print(f"char_rnn: {problem}", file=sys.stderr)
        return 2
    rng = np.random.default_rng(options.seed)
    index = {character: place for place, character in enumerate(alphabet)}
    training, held_out = split(text)
    unigram, bigram = entropies(text)
    own = entropies(held_out)[1]
    bars = {"unigram": unigram, "bigram": bigram, "own bigram": own}
    params = model.initial_params(rng)
    print(
        f"text        {len(training)} characters to train on, {len(held_out)} held out, "
        f"{len(alphabet)} different\n"
        f"unigram     {unigram:.3f} bits a character: H(next) of the text\n"
        f"bigram      {bigram:.3f} bits a character: H(next | previous) of the text\n"
        f"own bigram  {own:.3f} bits a character: the same of the held-out "
        "part alone, which no model of pairs beats there\n"
        f"model       {kernel.cell.name}, style {kernel.style}, float32, {options.size} units, "
        f"{sum(value.size for value in params.values())} parameters, seed {options.seed}\n"
    )
    updates = QUICK_UPDATES if options.quick else inf
    plan = Plan(options.seconds, updates, rate=4e-3, batch=32, steps=64, pause=5.0)
    encoded = [np.array([index[c] for c in part]) for part in (training, held_out)]
    bits, crossed = train(model, plan, params, encoded[0], encoded[1], bars, rng)
    if options.sample:
        ids = model.sample(params, rng, index["\n"], options.sample)
        print(f"\nsample at temperature {TEMPERATURE}:\n")
        print("".join(alphabet[place] for place in ids).strip("\n"))
    relation = "below" if bits < bigram else "not below"
    since = f", and below both since {crossed:.1f} s" if crossed else ""
    print(
        f"\nverdict: held-out loss {bits:.3f} bits a character, {relation} the bigram entropy "
        f"{bigram:.3f} (held-out part alone: {own:.3f}){since}"
    )
    return 0 if bits < bigram or options.quick else 1


if __name__ == "__main__":
    sys.exit(main())
