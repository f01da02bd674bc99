"""Runs of drawn cells along drawn sequences."""

from __future__ import annotations

import numpy as np
from profiles import NIGHTLY

from derive import catalogue, differentiate
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.meaning.sizes import size_names

STEPS = 50 if NIGHTLY else 13


def drawn(name, n=4, m=3, steps=STEPS, gain=1.0, seed=0):
    cell = catalogue[name]
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
