"""The norm-domination matrix in numbers: no block's norm exceeds its entry."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day
from trajectories import CELLS, path

from derive import differentiate
from derive.calculus.jacobian import diagonal_columns
from numeric.bounds import domination
from numeric.bounds.all_inputs import gate_pieces
from numeric.bounds.domination import ROWS, SPECTRAL, Domination, Parts, StepNorms
from numeric.bounds.one_sequence.step_jacobians import Jacobians
from numeric.bounds.one_sequence.tracks import dominating
from numeric.numbers.intervals import interval


@pytest.mark.parametrize("name", by_day(CELLS, 7))
def test_each_block_is_dominated(name):
    jacobians = Jacobians(path(name, steps=2, gain=2.0))
    parts = Parts(jacobians.sizes)
    starts = np.cumsum([0, *jacobians.widths])
    for near, N in zip(jacobians.backwards(), dominating(jacobians, 2, parts), strict=True):
        for a, row in enumerate(N):
            for b, bound in enumerate(row):
                block = near.matrix[starts[a] : starts[a + 1], starts[b] : starts[b + 1]]
                assert np.linalg.norm(block, 2) <= bound + near.error


@pytest.mark.parametrize(("norm", "order"), [(SPECTRAL, 2), (ROWS, np.inf)])
@pytest.mark.parametrize("second", [1.0, -1.0, 0.1])
def test_a_stack_is_as_large_as_its_parts_together(norm, order, second):
    """‖[W; cW]‖₂ = √(1 + c²) ‖W‖₂, above the larger part; ‖[W; cW]‖_∞ is the larger part's."""
    W = np.array([[2.0, 1.0, 0.5, 0.0], [0.0, 1.0, -1.0, 3.0]])
    weights = {"W": W, "V": second * W, "U": W[:, :3], "Q": W[:, :3]}
    values = {name: interval(value) for name, value in weights.items()}
    derivation = differentiate(CELLS["stacked"])
    parts = Parts({"k1": 2, "k2": 2, "m": 3})
    domination = Domination(derivation, values, parts, norm)
    sup = dict.fromkeys(diagonal_columns(derivation.step_jacobian), np.ones(2))
    exact = np.linalg.norm(np.vstack([W, second * W]), order)
    (bound,) = domination.matrix(sup, values).ravel()
    assert exact <= bound <= (1.0 if norm == ROWS else np.sqrt(2)) * exact * (1 + 1e-12)
    finest = Domination(derivation, values, Parts(parts.sizes, finest=True), norm)
    units = StepNorms(finest, sup, values).of(derivation.step_jacobian.blocks["h", "h"])
    assert np.all(units >= np.abs(np.vstack([W, second * W])))


@pytest.mark.parametrize("up", [domination._up, gate_pieces._up])
def test_what_is_not_zero_stays_far_enough_above_for_products(up):
    """However small the others beside it are, and where all are large."""
    for values in ([1.0, 2.0], [1.0, 5e-324], [1.0, 1e-151, 0.0], [1e-200], [0.0], []):
        values = np.array(values)
        found = up(values, 3)
        assert np.array_equal(found == 0, values == 0)
        assert np.all(found >= values)
        assert np.all(found[values > 0] >= 1e-150)
        assert np.all(found[values == 1.0] > 1.0)
