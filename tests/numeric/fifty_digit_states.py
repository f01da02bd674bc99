"""Trajectories in fifty digits, from the equations."""

from __future__ import annotations

import numpy as np

from numeric.meaning.run_cell import run_cell
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward

LIFT = np.vectorize(Forward.lift, otypes=[object])


def exact(cell, made):
    """The states of the exact trajectory from zeros, as pairs of floats, high and low."""
    groups = [made["parameters"], {k: v[:, None] for k, v in made["inputs"].items()}]
    lifted = [{k: LIFT(v) for k, v in group.items()} for group in groups]
    start = {k: LIFT(np.zeros((1, *v.shape))) for k, v in made["initial"].items()}
    states = run_cell(cell, *lifted, start, {k: LIFT(v) for k, v in made["constants"].items()},
                      MULTIPRECISION)  # fmt: skip
    found = {}
    for state in cell.states:
        rows = [[e.value if isinstance(e, Forward) else e for e in np.ravel(v)]
                for v in states[state.name]]  # fmt: skip
        high = np.array([[float(e) for e in row] for row in rows])
        low = np.array([[float(e - type(e)(float(e))) for e in row] for row in rows])
        found[state.name] = (high, low)
    return found
