"""The step at all times at once: what it makes of a trajectory, and by how much it misses it.

In: a run whose states need not be those of its equations. Out: `Evaluation`: F_t(s_{t−1}) for every
t, about, and the residual r_t = F_t(s_{t−1}) − s_t with what it may be off by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numeric.bounds.one_sequence.step_jacobians import Run, enclosed_values
from numeric.bounds.parallel_in_time.distance import Errors
from numeric.numbers.intervals import gamma
from numeric.numbers.lengths import lengths

Array = Any
_LEAST: Final = 1e-150  # more than a length whose squares underflow


@dataclass(frozen=True)
class Evaluation:
    """The stored states of the steps, r_t of them and what its entries may be off by, F_t.

    Shapes: stored, residual and blurred (T, n) of the whole state; each state of image (T + 1, n),
    the initial one first.
    """

    stored: Array
    residual: Array
    blurred: Array
    image: dict[str, Array]

    def missed(self, apart: Array) -> Errors:
        """At least ‖r_t‖₂ of some of the states and of all."""
        most = np.abs(self.residual) + self.blurred
        every = np.ones_like(apart)
        return Errors(above(lengths(most[:, apart]), apart), above(lengths(most), every))


def evaluated(run: Run) -> Evaluation:
    """One evaluation of the step, all times side by side."""
    names = [state.name for state in run.derivation.cell.states]
    values = enclosed_values(run, 0, run.steps)
    stored = np.concatenate([run.states[name][1:] for name in names], axis=1)
    low, high = (np.concatenate([np.broadcast_to(end, (end.shape[0], run.steps)).T
                                 for end in ends], axis=1)
                 for ends in ([values[name].lo for name in names],
                              [values[name].hi for name in names]))  # fmt: skip
    residual = (low - stored) + (high - low) / 2
    blurred = (high - low) * (1 + gamma(4)) + gamma(4) * (np.abs(stored) + np.abs(low))
    image = {}
    for name, held in run.states.items():
        after = np.broadcast_to(values[name].middle.T, (run.steps, held.shape[1]))
        image[name] = np.concatenate([held[:1], after])
    return Evaluation(stored, residual, blurred, image)


def above(sizes: Array, apart: Array) -> Array:
    """Lengths over some of the states, or of a block beside them, rounded up; 0 of none."""
    raising = 1 + gamma(2 * apart.size**2 + 64)
    return sizes * raising + _LEAST if apart.any() else np.zeros_like(sizes)
