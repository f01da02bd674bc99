"""Right backward passes in other words: equal mathematics, other code.

Every `CHOICES` entry is a place in a right file and the forms it may take; a variant takes one
form at each place. Nothing here may be called wrong.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
from corpus import right

from numeric.compiler.target import load

SIGMOID = (
    "return 1 / (1 + np.exp(-a))",
    "return 0.5 * (1 + np.tanh(0.5 * a))",
    "return np.exp(-np.logaddexp(0 * a, -a))",
    "e = np.exp(-np.abs(a))\n    return np.where(a < 0, e, np.ones_like(e)) / (1 + e)",
)
LOOP = ("for t in range(T, 0, -1):", "for t in reversed(range(1, T + 1)):")
ARRIVES = (
    "dh = dh_out[t - 1] + dh_next",
    "dh = dh_next + dh_out[t - 1]",
    "dh = dh_next.copy()\n        dh += dh_out[t - 1]",
)
WEIGHTS = (
    "da.T @ h[t - 1]",
    "np.dot(da.T, h[t - 1])",
    "(h[t - 1].T @ da).T",
    "sum(np.outer(da[k], h[t - 1, k]) for k in range(len(da)))",
)
BIAS = ("da.sum(axis=0)", "np.sum(da, axis=0)", "da.T.sum(axis=1)", "np.add.reduce(da)")


def sigmoid_slope(factor: str, gate: str) -> tuple[str, ...]:
    g = f"{gate}[t]"
    return (
        f"{factor} * {g} * (1 - {g})", f"{factor} * (1 - {g}) * {g}",
        f"{factor} * ({g} - {g} * {g})", f"{g} * (1 - {g}) * ({factor})",
        f"{factor} * {g} - {factor} * {g} * {g}",
    )  # fmt: skip


def tanh_slope(value: str, argument: str = "") -> tuple[str, ...]:
    forms = (f"(1 - {value} ** 2)", f"(1 - {value}) * (1 + {value})", f"(1 - {value} * {value})")
    return (*forms, f"1 / np.cosh({argument}) ** 2") if argument else forms


CHOICES: dict[str, tuple[tuple[str, ...], ...]] = {
    "rnn": (
        LOOP, ARRIVES, WEIGHTS, BIAS, tanh_slope("h[t]"),
        ("dU += da.T @ x[t - 1]", "dU = dU + da.T @ x[t - 1]"),
        ("dh_next = da @ W", "dh_next = (W.T @ da.T).T"),
    ),
    "lstm": (
        SIGMOID, LOOP, ARRIVES, WEIGHTS, BIAS,
        *(sigmoid_slope(f"d{g}", g) for g in "fio"),
        ("(1 - tanh_c**2)", "(1 - tanh_c) * (1 + tanh_c)", "(1 / np.cosh(c[t]) ** 2)"),
        ("dc = dc_out[t - 1] + dh", "dc = dc_out[t - 1]\n        dc = dc + dh"),
        ("dc_next = dc * f[t]", "dc_next = f[t] * dc", "dc *= f[t]\n        dc_next = dc"),
        ("df = dc * c[t - 1]", "df = c[t - 1] * dc"),
    ),
    "gru": (
        SIGMOID, LOOP, ARRIVES, BIAS, sigmoid_slope("dr", "r"), sigmoid_slope("dz", "z"),
        ("dz = dh * (g[t] - before)", "dz = dh * g[t] - dh * before"),
        ("(1 - g[t] ** 2)", "(1 - g[t]) * (1 + g[t])"),
        ("dh * (1 - z[t]) + du * r[t]", "du * r[t] + dh - dh * z[t]"),
    ),
    "peephole_lstm": (
        SIGMOID, LOOP, ARRIVES, WEIGHTS, BIAS,
        ("(1 - tanh_c**2)", "(1 - tanh_c) * (1 + tanh_c)"),
        ("(da_f * c[t - 1]).sum(axis=0)", "np.sum(c[t - 1] * da_f, axis=0)"),
        ("dc_next + da_f * p[\"p_f\"] + da_i * p[\"p_i\"]",
         "da_i * p[\"p_i\"] + da_f * p[\"p_f\"] + dc_next"),
        ("dx[t - 1] += da @ p", "dx[t - 1] = dx[t - 1] + da @ p"),
    ),
}  # fmt: skip
COUNT = 200


def written(number: int) -> tuple[str, str]:
    """The cell and the source of a variant."""
    cell = [*CHOICES][number % len(CHOICES)]
    rng = random.Random(number)
    source = right(cell)
    for old, *others in CHOICES[cell]:
        assert old in source, (cell, old)
        source = source.replace(old, rng.choice([old, *others]))
    return cell, source


def drawn(number: int) -> tuple[str, object]:
    """The cell and the module of a variant; every fourth is batch first behind an adapter."""
    cell, source = written(number)
    module = load(source, f"{cell}_{number}")
    return cell, adapted(module) if number // len(CHOICES) % 4 == 3 else module


def adapted(module: object) -> object:
    """Batch-first code, and the adapter that a user writes around it."""

    def turned(arrays: object) -> dict[str, np.ndarray]:
        return {name: np.swapaxes(value, 0, 1) for name, value in arrays.items()}

    def batch_first_forward(params, inputs, initial):
        states, tape = module.forward(params, turned(inputs), initial)
        return turned(states), tape

    def batch_first_backward(params, tape, cotangents):
        found = module.backward(params, tape, turned(cotangents))
        return found["params"], turned(found["inputs"]), found["initial"]

    def forward(params, inputs, initial=None, constants=None):
        states, tape = batch_first_forward(params, turned(inputs), initial)
        return {name: value.copy() for name, value in turned(states).items()}, tape

    def backward(params, tape, cotangents):
        grads, dx, first = batch_first_backward(params, tape, turned(cotangents))
        dx = {name: value.copy() for name, value in turned(dx).items()}
        return {"params": grads, "inputs": dx, "initial": first}

    return SimpleNamespace(
        PARAMETERS=module.PARAMETERS, INPUTS=module.INPUTS, STATES=module.STATES,
        forward=forward, backward=backward,
    )  # fmt: skip
