"""Step Jacobians: within their error of those of fifty digits, and that error is none too large."""

from __future__ import annotations

import numpy as np
import pytest
from exact_jacobians import distance, exact_jacobian
from profiles import NIGHTLY, by_day
from trajectories import CELLS, path

from numeric.bounds.one_sequence.step_jacobians import Jacobians

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
