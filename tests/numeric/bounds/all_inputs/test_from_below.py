"""Lower bounds of growth: below every matrix that is meant."""

from __future__ import annotations

import numpy as np
import pytest
from exact_jacobians import distance, exact_jacobian
from trajectories import drawn

from numeric.bounds.all_inputs.from_below import radius_below, rest_jacobian
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.one_sequence.step_jacobians import enclosed_values, run
from numeric.numbers.matrices import Near


@pytest.mark.parametrize("error", [0.0, 1e-12, 1e-3, 0.1])
def test_a_radius_is_below_that_of_every_matrix_within_the_error(error):
    """diag(1, 1/2) less the error times e₁e₁ᵀ has the radius max(1 − error, 1/2)."""
    found = radius_below(Near(np.diag([1.0, 0.5]), error))
    assert found <= 1 - error
    assert found >= 1 - 10 * error - 1e-12


def test_a_radius_is_not_what_rounding_makes_of_a_nilpotent_matrix():
    """SNS⁻¹ with whole numbers has the radius 0, and computed eigenvalues far from 0."""
    rng = np.random.default_rng(0)
    S = np.tril(rng.integers(-3, 4, size=(6, 6)), -1) + np.eye(6)
    S = S @ S.T
    J = S @ np.diag(np.ones(5), 1) @ np.rint(np.linalg.inv(S))
    assert not np.any(np.linalg.matrix_power(J, 6))
    assert np.abs(np.linalg.eigvals(J)).max() > 1e-4
    assert radius_below(Near(J)) == 0.0


@pytest.mark.parametrize("name", ["gru", "mgu", "gru_reset_after"])
def test_the_exact_jacobian_at_rest_lies_within_the_error(name):
    derivation, made = drawn(name, steps=1, seed=3)
    weights, cell = made["parameters"], derivation.cell
    for key in weights:
        if key in {"b_h", "c_h"}:
            weights[key] = np.zeros_like(weights[key])
    still = {key: np.zeros_like(value) for key, value in made["inputs"].items()}
    found = run(derivation, weights, still)
    assert not any(np.any(found.states[state.name]) for state in cell.states)
    setting = Setting(derivation, weights, found.sizes, (-1.0, 1.0), (0.0, 0.0), {})
    near = rest_jacobian(setting, enclosed_values(found, 0, 1))
    assert 0 < distance(exact_jacobian(found, 0), near.matrix) <= near.error
