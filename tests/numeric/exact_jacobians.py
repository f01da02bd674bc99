"""Step Jacobians to fifty digits, by forward accumulation through the cell's own equations."""

from __future__ import annotations

import numpy as np

from numeric.meaning.run_cell import run_cell as interpret
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, fifty, independent

_lift = np.vectorize(Forward.lift, otypes=[object])


def exact_jacobian(found, step):
    """J of one step (from 0) of a run at the stored states, an object array of 50 digits."""
    cell = found.derivation.cell
    before = {s.name: found.states[s.name][step] for s in cell.states}
    variables = independent({("initial", name): value[None] for name, value in before.items()})
    timed = {name: value[step : step + 1] if name in cell.sequences else value
             for name, value in found.constants.items()}  # fmt: skip
    with np.errstate(all="ignore"):
        after = interpret(
            cell,
            {name: _lift(value) for name, value in found.parameters.items()},
            {name: _lift(value[step][None, None]) for name, value in found.inputs.items()},
            {name: value for (_, name), value in variables.items()},
            {name: _lift(value) for name, value in timed.items()},
            MULTIPRECISION,
        )
    count, zero = sum(map(np.size, before.values())), fifty(0)
    return np.array([[entry.derivatives.get(k, zero) for k in range(count)]
                     for s in cell.states for entry in np.ravel(after[s.name][-1])])  # fmt: skip


def distance(exact, matrix):
    """‖exact − matrix‖₂, the difference taken in fifty digits, less what they round themselves."""
    gap = exact - np.vectorize(fifty, otypes=[object])(matrix)
    rounded = np.abs(exact) * fifty(10) ** -49
    return float(np.linalg.norm(np.where(np.abs(gap) <= rounded, fifty(0), gap).astype(float), 2))
