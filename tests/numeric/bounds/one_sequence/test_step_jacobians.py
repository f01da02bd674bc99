"""Step Jacobians: within their error of those of fifty digits, and that error is none too large."""

from __future__ import annotations

import numpy as np
import pytest
from exact_jacobians import distance, exact_jacobian
from profiles import NIGHTLY, by_day
from trajectories import CELLS, path

from numeric.bounds.one_sequence.step_jacobians import Jacobians, run

STEPS = 5 if NIGHTLY else 1


@pytest.mark.parametrize("name", by_day(CELLS, 9))
def test_the_exact_jacobian_lies_within_the_error(name):
    found = path(name, steps=STEPS, seed=2)
    for step, near in zip(reversed(range(STEPS)), Jacobians(found).backwards(), strict=True):
        assert distance(exact_jacobian(found, step), near.matrix) <= near.error
        assert near.error <= 1e-11 * (1 + np.linalg.norm(near.matrix))


@pytest.mark.parametrize(
    "name", ["rnn", "lstm", "gru", "curved_stack", "gated_stack", "two_stacks"]
)
def test_without_an_error_it_would_lie_outside(name):
    found = path(name, steps=1, seed=2)
    (near,) = Jacobians(found).backwards()
    assert 0 < distance(exact_jacobian(found, 0), near.matrix) < near.error


def test_where_gates_are_far_out_the_middle_is_the_float():
    """There z is 0 or 1: an entry of the state stays, or nothing of it is left."""
    near = path("gru", steps=3, seed=0)
    weights = {name: value * 1e160 for name, value in near.parameters.items()}
    for one in Jacobians(run(near.derivation, weights, near.inputs)).backwards():
        assert one.error < 1e-9
        assert set(np.ravel(np.round(one.matrix, 9))) <= {0.0, 1.0}


def test_a_slope_that_underflows_is_zero_whatever_it_is_multiplied_by():
    """What is known of it is that it lies between 0 and 1e-307: no 10^-7 is measured of that."""
    near = path("rnn", steps=3, seed=0)
    weights = {name: value * 1e300 for name, value in near.parameters.items()}
    for one in [*Jacobians(run(near.derivation, weights, near.inputs)).backwards()][:-1]:
        assert not np.any(one.matrix)
        assert one.error > 0
