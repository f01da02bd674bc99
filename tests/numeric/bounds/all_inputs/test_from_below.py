"""Lower bounds of growth: below every matrix that is meant."""

from __future__ import annotations

import numpy as np
import pytest
from exact_jacobians import distance, exact_jacobian
from trajectories import drawn

from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.all_inputs.from_below import radius_below, rest_jacobian, resting_rate
from numeric.bounds.all_inputs.ranges import Ranges, Setting
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


@pytest.mark.parametrize(
    ("equations", "grows"),
    [
        ("k = l2norm(U @ x, 0.1)\nh = 2 * h_prev + k", True),
        ("k = l2norm(U @ x)\nh = 2 * h_prev + k", False),
        ("h = 2 * h_prev + 0.1 * norm(h_prev) * (U @ x)", False),
    ],
)
def test_nothing_is_said_of_rest_where_the_step_or_its_slope_has_no_value(equations, grows):
    """A vector of zeros over its length is no vector, and the length has no slope there."""
    cell = Cell.parse(name="keyed", equations=equations, inputs=("x",))
    setting = Setting(derivation_of(cell), {"U": np.eye(2)}, {"n": 2, "m": 2})
    found = resting_rate(Ranges(setting))
    assert (found == pytest.approx(2.0)) if grows else (found is None)
