"""Measured Jacobian products: right, and below every bound that is claimed of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trajectories import CELLS, STACKS

from derive import catalogue, differentiate
from numeric.bounds.drawn import draw, multipliers
from numeric.bounds.one_sequence.measured import log10_products, measure


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", *STACKS])
@pytest.mark.parametrize("gain", [0.1, 1.0, 4.0])
def test_no_measured_norm_exceeds_its_bound(name, gain):
    for curve in measure(differentiate(CELLS[name]), [gain], state_size=6, steps=20).curves:
        for low, high in zip(curve.log10_measured, curve.log10_upper, strict=True):
            assert low <= high + 1e-10


def test_products_neither_underflow_nor_overflow():
    small, large = np.eye(2) * 1e-200, np.eye(2) * 1e200
    assert log10_products([small] * 5)[-1] == pytest.approx(-1000)
    assert log10_products([large] * 5)[-1] == pytest.approx(1000)
    assert log10_products([np.eye(2), np.zeros((2, 2)), np.eye(2)])[1:] == [-math.inf] * 2


def test_the_latest_factor_stands_on_the_left():
    first, last = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([3.0, 0.0])
    assert log10_products([last, first]) == pytest.approx([math.log10(3), math.log10(3)])
    assert log10_products([first, last])[1] == -math.inf


def test_the_rate_of_the_rnn_is_that_of_its_weights():
    derivation = differentiate(catalogue["rnn"])
    (curve,) = measure(derivation, [0.5], state_size=4, steps=3, seed=5).curves
    (_, gamma), (_, norm) = curve.constants
    weights = draw(derivation.cell, {"n": 4, "m": 8}, 0.5, 3, 5, 0.3)["parameters"]["W"]
    assert gamma == 1.0
    assert norm == pytest.approx(np.linalg.svd(weights)[1][0])
    assert curve.log10_upper[2] == pytest.approx(3 * math.log10(norm))


def test_measuring_twice_gives_the_same_numbers():
    derivation = differentiate(catalogue["lstm"])
    assert measure(derivation, [1.0], steps=5) == measure(derivation, [1.0], steps=5)


def test_what_multiplies_a_state_is_drawn_with_the_gain_and_is_not_zero():
    cell = catalogue["indrnn"]
    assert {s.name: scales for s, scales in multipliers(cell).items()} == {"u": True}
    assert {s.name: scales for s, scales in multipliers(catalogue["fast_rnn"]).items()} == {
        "alpha": False, "beta": True,
    }  # fmt: skip
    assert multipliers(catalogue["lstm"]) == {}
    found = measure(differentiate(cell), gains=(1.0, 2.0), state_size=8, steps=5)
    assert all(math.isfinite(curve.log10_measured[0]) for curve in found.curves)


def test_where_the_gain_plays_no_part_there_is_one_curve():
    assert len(measure(differentiate(catalogue["t_rnn"]), state_size=4, steps=5).curves) == 1
    assert len(measure(differentiate(catalogue["rnn"]), state_size=4, steps=5).curves) == 3
