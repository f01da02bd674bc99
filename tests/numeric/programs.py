"""Cells with every node, of vectors and of matrices, and arguments of its programs."""

from __future__ import annotations

import numpy as np

from derive.cell import Cell, declared

MIXED = Cell.parse(
    name="mixed",
    equations="""
z = sigmoid(W @ concat(h_prev, x))
q = tanh((blocks * V - V.T) @ h_prev + U @ softmax(x) + A @ p)
h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * q + z / (1 + h_prev * h_prev) * clock
""",
    constants=["blocks", "clock[t]"],
    scalars=["zeta", "nu"],
)
MATRICES = Cell.parse(
    name="matrices",
    equations="""
k = sigmoid(K @ x)
v = sigmoid(V @ x)
g = sigmoid(dot(w, x))
M = tanh(R @ S_prev @ A + L)
S = g * (diag(v) @ S_prev) + (M @ diag(k)) * S_prev + outer(v - S_prev @ k, k)
z = S.T @ v
y = (S * M) @ (k + z) + sum(z) * v
""",
    outputs=["y"],
    matrices=["A", "L"],
)
"""Every operation on a matrix of each sample; what stands behind the end of a row is not zero."""


class Sizes(dict):
    """Sizes by name; what no test fixes is 3 for a state and 2 for the rest."""

    def __missing__(self, name):
        return 3 if name.startswith("n") else 2


SIZES = Sizes(T=4, B=3, n=3, m=2)


def arguments(cell, sizes=SIZES, dtype=float):
    """Random arguments in the interface's groups, and cotangents."""
    random = np.random.default_rng(7)

    def draw(dims, *lead):
        shape = [sum(int(p) if p.isdigit() else sizes[p] for p in d.split("+")) for d in dims]
        return np.asarray(random.normal(size=(*lead, *shape)), dtype)

    T, B, names = sizes["T"], sizes["B"], declared(cell)
    return {
        "params": {k: draw(d) for k, d in names["PARAMETERS"].items()},
        "inputs": {k: draw(d, T, B) for k, d in names["INPUTS"].items()},
        "initial": {k: draw(d, B) for k, d in names["STATES"].items()},
        "constants": {k: draw(d) for k, d in names["CONSTANTS"].items()},
    }, {k: draw(d, T, B) for k, d in {**names["STATES"], **names.get("OUTPUTS", {})}.items()}
