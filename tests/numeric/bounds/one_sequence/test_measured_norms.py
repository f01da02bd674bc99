"""Norms measured with vectors alone, beside products multiplied out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from profiles import by_day
from trajectories import CELLS, path

from numeric.bounds.one_sequence import measured_norms as module
from numeric.bounds.one_sequence.measured_norms import measured_norms
from numeric.bounds.one_sequence.step_jacobians import Jacobians, run

VECTORS = [name for name, cell in CELLS.items()
           if all(state.shape[1] == 1 for state in cell.states)]  # fmt: skip


def exact(found, lag):
    factors = [near.matrix for near in Jacobians(found).backwards(lag)]
    product = factors[0] if lag == 1 else np.linalg.multi_dot(factors)
    size = float(np.linalg.norm(product, 2))
    return math.log10(size) if size else -math.inf


def shifted(found, amount):
    """The run with its vector parameters moved."""
    moved = {name: value + amount if np.ndim(value) == 1 else value
             for name, value in found.parameters.items()}  # fmt: skip
    initial = {name: value[0] for name, value in found.states.items()}
    return run(found.derivation, moved, found.inputs, initial, found.constants)


@pytest.mark.by_default("3", "1024-antisymmetric_rnn")
@pytest.mark.parametrize("name", by_day(VECTORS, 16))
@pytest.mark.parametrize("chunk", [1024, 3])
def test_runs_side_by_side_have_the_norms_of_their_products(monkeypatch, name, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    found = path(name, steps=7)
    runs = [found, shifted(found, 0.5), shifted(found, -0.25)]
    other = {n: v * 0.9 if np.ndim(v) == 2 else v for n, v in found.parameters.items()}
    runs.append(replace(found, parameters=other))
    for lag in (1, 6):
        for one, value in zip(runs, measured_norms(runs, lag), strict=True):
            assert value == pytest.approx(exact(one, lag), abs=1e-5)


def test_the_direction_of_a_neighbour_is_a_start_and_no_answer():
    found = path("lstm", steps=7)
    for start in np.eye(8):
        assert measured_norms([found], 7, start)[0] == pytest.approx(exact(found, 7), abs=1e-5)
