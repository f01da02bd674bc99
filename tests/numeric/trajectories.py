"""Cells whose bounds are checked, and runs of them along drawn sequences."""

from __future__ import annotations

import numpy as np
from profiles import NIGHTLY

from derive import Cell, catalogue, differentiate
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.meaning.sizes import size_names

STEPS = 50 if NIGHTLY else 13
STACKED = "h = concat(identity(W @ h_prev + U @ x), identity(V @ h_prev + Q @ x))"
CURVED_STACK = "h = concat(tanh(W @ h_prev + U @ x), sigmoid(V @ h_prev + Q @ x))"
GATED_STACK = """
z = sigmoid(M @ h_prev + N @ x + b)
h = z * h_prev + (1 - z) * concat(tanh(W @ h_prev + U @ x), sigmoid(V @ (z * h_prev) + Q @ x))
"""
TWO_STACKS = """
g = concat(tanh(W @ h_prev + U @ x), V @ c_prev)
c = c_prev * sigmoid(A @ g)
h = concat(g, c / 2)
"""
SOFTMAX_STACK = (
    "h = sigmoid(zeta) * tanh(W @ concat(h_prev, x)) + U @ softmax(h_prev) / (2 + x * x)"
)
STACKS = {
    "stacked": Cell.parse(name="stacked", equations=STACKED),
    "curved_stack": Cell.parse(name="curved_stack", equations=CURVED_STACK),
    "gated_stack": Cell.parse(name="gated_stack", equations=GATED_STACK),
    "two_stacks": Cell.parse(name="two_stacks", equations=TWO_STACKS),
    "softmax_stack": Cell.parse(
        name="softmax_stack", equations=SOFTMAX_STACK, scalars=["zeta"], sizes={"x": "n"}
    ),
}
CELLS = {**catalogue, **STACKS}
"""The catalogue, and cells that have a concatenation in a state's path."""


def drawn(name, n=4, m=3, steps=STEPS, gain=1.0, seed=0):
    cell = CELLS[name]
    own = {str(s) for state in cell.states for s in state.shape[0].free_symbols}
    sizes = {size: n if size in own else m for size in size_names(cell)}
    made = draw(cell, sizes, gain, steps, seed, 0.7)
    rng = np.random.default_rng(seed)
    for key, value in made["parameters"].items():
        if value.ndim < 2:
            made["parameters"][key] = rng.normal(size=value.shape) * 0.5
    return differentiate(cell), made


def path(name, **more):
    derivation, made = drawn(name, **more)
    return run(derivation, made["parameters"], made["inputs"], made["initial"], made["constants"])
