"""Rows with a gate taken in pieces: never below what one state of the box reaches."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, differentiate
from numeric.bounds.all_inputs.gate_pieces import _up, split_rate
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box

MIXED = "a = h_prev + x + b\nh = W @ tanh(a)"
GATED = "a = h_prev + x + b\nh = tanh(a) * sigmoid(a)"


def rate(equations, **weights):
    """The rate over all states of [−2, 2]² without inputs, a being h_prev + b."""
    cell = Cell.parse(name="pieces", equations=equations, sizes={"x": "n"})
    setting = Setting(differentiate(cell), weights, {"n": 2}, (0.0, 0.0), (-2.0, 2.0), {})
    ranges = Ranges(setting)
    (method,) = split_rate(ranges, ranges.values(setting.initial()), 1)
    return method.rate


@pytest.mark.parametrize("shift", [0.0, 1.0, 1.9])
def test_units_that_mix_each_take_their_own_worst_value(shift):
    """J = W diag(1 − tanh² a); at a = 0 it is W, of radius 1, and there are such states.

    The two units reach a = 0 in different pieces of their ranges.
    """
    W = np.full((2, 2), 0.5)
    assert 1 <= rate(MIXED, W=W, b=np.array([shift, -shift])) <= 1 + 1e-9


def test_a_gate_alone_is_taken_at_one_value_at_a_time():
    """φ = tanh σ: sup |φ′| is below sup σ · sup tanh′ + sup |tanh| · sup σ′."""
    a = np.linspace(-2, 2, 10001)
    s, y = 1 / (1 + np.exp(-a)), np.tanh(a)
    exact = np.max(np.abs((1 - y * y) * s + y * s * (1 - s)))
    apart = np.max(s) + np.max(np.abs(y)) * 0.25
    assert exact <= rate(GATED, b=np.zeros(2)) < 0.85 * apart


def test_nothing_is_claimed_where_a_diagonal_has_no_bound_and_a_weight_is_zero():
    """J_cc = diag(1 − c²) W diag(−c/√(1 − c²)) grows without end as c nears 1; h comes first.

    In each row of W one unbounded factor is met by 0, and 0 · ∞ is no number.
    """
    cell = Cell.parse(
        name="steep", sizes={name: "n" for name in "xcg"},
        equations="a = 0.5 * h_prev + x\nh = tanh(a)\ng = sqrt(1 - c_prev * c_prev)\n"
                  "c = tanh(W @ g)",
    )  # fmt: skip
    weights = {"W": np.array([[0.0, 0.5], [0.0, 0.5]])}
    setting = Setting(differentiate(cell), weights, {"n": 2}, (-1.0, 1.0), (0.0, 1.0), {})
    ranges = Ranges(setting)
    box = invariant_box(ranges)
    assert box is not None
    assert not [*split_rate(ranges, ranges.values(box), 1)]


def test_what_is_no_number_bounds_nothing_and_what_is_not_zero_stays():
    found = _up(np.array([np.nan, 0.0, 1e-300, 1.0, np.inf]), 1)
    assert np.isinf(found[[0, 4]]).all()
    assert found[1] == 0.0
    assert found[2] == 1e-150
    assert found[3] > 1.0
    assert _up(np.array([1.0, 2.0]), 1).tolist() == [_up(np.float64(x), 1) for x in (1.0, 2.0)]
    assert _up(np.zeros((0, 1)), 1).shape == (0, 1)
