"""Nets of every cell and of odd ones, at all scales, with the sequences their bounds speak of."""

from __future__ import annotations

from typing import Any

import numpy as np

from derive import Cell, differentiate
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import size_names

Array = Any
GAINS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
BOXES = ((0.0, 0.0), (-0.1, 0.1), (-1.0, 1.0), (-3.0, 3.0), (0.0, 2.0), (-1e3, 1e3))
STARTS = ((0.0, 0.0), (-0.5, 0.5), (0.0, 10.0), (-1.0, 30.0))
MOST, FAR = 8, 24
LONG = 0.3
_ODD = {
    "square": "h = 0.05 * h_prev * h_prev + W @ x",
    "twice": "h = h_prev + h_prev + tanh(U @ x)",
    "heun": "u = h_prev + 0.1 * tanh(W @ h_prev + U @ x)\nh = 0.5 * (h_prev + u)",
    "nothing": "q = tanh(W @ h_prev + U @ x)\nh = q - q + 0.5 * h_prev",
    "share": "h = softmax(W @ h_prev + U @ x)",
    "without": "s = softmax(W @ h_prev + U @ x)\nh = (1 - s) * h_prev + s * tanh(V @ h_prev)",
    "ratio": "h = tanh(W @ h_prev) / (1.5 + tanh(U @ x))",
    "pole": "h = tanh(W @ h_prev + U @ x) / (0.5 + tanh(V @ h_prev))",
    "wave": "h = sin(W @ h_prev + U @ x) * h_prev",
    "gates": "g = gelu(W @ h_prev + U @ x)\nh = 0.5 * silu(V @ g) + 0.3 * h_prev",
    "kinks": "a = W @ h_prev + U @ x\nh = leaky_relu(a) - relu(V @ a) + hard_sigmoid(a) * h_prev",
    "joined": "h = tanh(W @ concat(h_prev, x))",
    "skew": "h = h_prev + 0.1 * tanh((W - W.T) @ h_prev + U @ x)",
    "pair": "a = elu(W @ a_prev + U @ x)\nb = softsign(V @ b_prev + a) * b_prev + softplus(a)",
    "chosen": "a = W @ h_prev + U @ x\nh = minimum(maximum(a, 0.5 * h_prev), abs(V @ a) + 0.2)",
    "delta": "k = l2norm(U @ x, 0.1)\nh = h_prev - sigmoid(V @ x) * dot(k, h_prev) * k",
    "normed": "h = tanh(W @ rms_norm(h_prev, 0.01) + layer_norm(U @ x, 0.1)) + 0.1 * mean(h_prev)",
    "rooted": "a = sigmoid(U @ x)\nh = a * h_prev + sqrt(1 - a * a) * cos(W @ h_prev) + log(a)",
    "turned": "u, v = rotate(a_prev, b_prev, w)\na = 0.9 * u + U @ x\nb = 0.9 * v - V @ x",
    "small": "h = 1e-99 * W @ h_prev + scaled_tanh(U @ x)",
}
ODD = {name: Cell.parse(name=name, equations=text) for name, text in _ODD.items()}


def _nilpotent(M: Array, rng: np.random.Generator) -> Array:
    return np.triu(M, 1)


def _singular(M: Array, rng: np.random.Generator) -> Array:
    made = M.copy()
    made[-1] = made[0]
    return made


def _orthogonal(M: Array, rng: np.random.Generator) -> Array:
    return np.linalg.qr(M)[0] if M.shape[0] == M.shape[1] else M


def _mixed(M: Array, rng: np.random.Generator) -> Array:
    return M * 10.0 ** rng.integers(-300, 100, size=M.shape)


CHANGES = {
    "as drawn": lambda M, rng: M, "float32": lambda M, rng: M.astype(np.float32).astype(float),
    "tiny": lambda M, rng: M * 10.0 ** rng.integers(-300, -100),
    "subnormal": lambda M, rng: np.rint(M * 9) * 2.0**-1074,
    "huge": lambda M, rng: M * 10.0 ** rng.integers(20, 150), "mixed": _mixed,
    "singular": _singular, "nilpotent": _nilpotent, "orthogonal": _orthogonal,
    "zero": lambda M, rng: M * 0.0,
}  # fmt: skip


def net(cell: Cell, seed: int) -> tuple[Setting, int]:
    """Random sizes, weights, biases and boxes, and the number of steps."""
    rng = np.random.default_rng(seed)
    own = {str(s) for state in cell.states for s in state.shape[0].free_symbols}
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    sizes = {name: n if name in own else m for name in size_names(cell)}
    weights = draw(cell, sizes, rng.choice(GAINS), 1, seed, rng.choice([0.1, 1.0]))["parameters"]
    kind = str(rng.choice([*CHANGES, "as drawn", "as drawn"]))
    for name, value in weights.items():
        if value.ndim == 2 and rng.integers(3):
            weights[name] = CHANGES[kind](value, rng)
        elif value.ndim < 2:
            spread = rng.choice([0.0, 0.5, 2.0, 30.0], p=[0.3, 0.3, 0.3, 0.1])
            weights[name] = value + rng.normal(size=value.shape) * spread
    steps = int(rng.integers(1, MOST + 1) if rng.uniform() > LONG else rng.integers(MOST, FAR + 1))
    constants = default_constants(cell, {**sizes, "T": steps}, rng)
    box, start = BOXES[rng.integers(len(BOXES))], STARTS[rng.integers(len(STARTS))]
    return Setting(differentiate(cell), weights, sizes, box, start, constants), steps


def sequence(found: Setting, steps: int, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and initial states from the boxes: inside, at the corners, or held at one corner.

    Entries of a matrix stand row by row.
    """
    rng = np.random.default_rng(seed)
    kind = rng.integers(3)

    def within(low: Array, high: Array, count: int) -> Array:
        low, high = np.ravel(low), np.ravel(high)
        shape = (count, len(low))
        s = rng.uniform(size=shape) if kind == 0 else rng.integers(0, 2, size=shape).astype(float)
        s = np.broadcast_to(s[:1], shape) if kind == 2 else s
        return np.clip(low + s * (high - low), low, high)

    inputs = {name: within(v.lo, v.hi, steps) for name, v in found.inputs().items()}
    initial = {name: within(v.lo, v.hi, 1)[0] for name, v in found.initial().items()}
    return inputs, initial
