"""Settings with drawn weights, and sequences from their boxes."""

from __future__ import annotations

import numpy as np
from profiles import NIGHTLY
from trajectories import CELLS

from derive import differentiate
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import shape_of, size_names


def sizes_for(cell, n=4, m=3):
    own = {str(s) for state in cell.states for s in state.shape[0].free_symbols}
    return {name: n if name in own else m for name in size_names(cell)}


def setting(name, gain=0.5, seed=0, box=(-1.0, 1.0), start=(-0.5, 0.5), n=4, scale=0.3, **changed):
    cell = CELLS[name]
    sizes = sizes_for(cell, n)
    drawn = draw(cell, sizes, gain, 1, seed, scale)["parameters"]
    rng = np.random.default_rng(seed + 1)
    for symbol in cell.parameters:
        if drawn[symbol.name].ndim < 2:
            drawn[symbol.name] = rng.normal(size=drawn[symbol.name].shape) * 0.3
    drawn |= changed
    constants = default_constants(cell, {**sizes, "T": 40 if NIGHTLY else 16})
    return Setting(differentiate(cell), drawn, sizes, box, start, constants)


def sequence(found, steps, seed):
    rng = np.random.default_rng(seed)
    cell, (low, high), (first, last) = (
        found.derivation.cell, found.input_box, found.initial_box
    )  # fmt: skip
    inputs = {name: rng.uniform(low, high, size=(steps, len(value.lo)))
              for name, value in found.inputs().items()}  # fmt: skip
    initial = {state.name: rng.uniform(first, last, size=shape_of(state, found.sizes))
               for state in cell.states}  # fmt: skip
    constants = {name: value[:steps] if name in cell.sequences else value
                 for name, value in found.constants.items()}  # fmt: skip
    return run(found.derivation, found.parameters, inputs, initial, constants)
