"""A cell with every node, and arguments of its programs."""

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
