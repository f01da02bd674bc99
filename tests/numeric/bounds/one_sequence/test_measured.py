"""Measured Jacobian products: right, and below every bound that is claimed of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from numeric.bounds.drawn import draw, multipliers
from numeric.bounds.one_sequence.measured import log10_products, measure, trajectory
from numeric.meaning.interpret import run

GRU = """
z = sigmoid(W_zh @ h_prev + W_zx @ x + b_z)
r = sigmoid(W_rh @ h_prev + W_rx @ x + b_r)
h_tilde = tanh(W_hh @ (r * h_prev) + W_hx @ x + b_h)
h = (1 - z) * h_prev + z * h_tilde
"""
STACK = "h = sigmoid(zeta) * tanh(W @ concat(h_prev, x)) + U @ softmax(h_prev) / (2 + x * x)"
CELLS = {
    "rnn": catalogue["rnn"],
    "lstm": catalogue["lstm"],
    "gru": Cell.parse(name="gru", equations=GRU),
    "stack": Cell.parse(
        name="stack", equations=STACK, scalars=["zeta"], sizes={"x": "n"}
    ),
}  # fmt: skip


def drawn(cell, steps=4, gain=1.0, seed=1):
    sizes = {"n": 3, "m": 2}
    return draw(cell, sizes, gain, steps, seed, 0.5)


@pytest.mark.parametrize("name", CELLS)
def test_jacobians_equal_a_complex_step_of_the_equations(name):
    cell = CELLS[name]
    given = drawn(cell)
    made = trajectory(differentiate(cell), **given).jacobians
    product = np.linalg.multi_dot([made[t] for t in (3, 2, 1, 0)])
    inputs = {key: value[:, None, :].astype(complex) for key, value in given["inputs"].items()}
    parameters = {key: np.asarray(v, dtype=complex) for key, v in given["parameters"].items()}
    columns = []
    for state in cell.states:
        for place in range(3):
            initial = {k: v[None, :].astype(complex) for k, v in given["initial"].items()}
            initial[state.name][0, place] += 1e-30j
            last = run(cell, parameters, inputs, initial)
            columns.append(np.concatenate([last[s.name][-1][0].imag for s in cell.states]) / 1e-30)
    np.testing.assert_allclose(product, np.array(columns).T, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("gain", [0.1, 1.0, 4.0])
def test_no_measured_norm_exceeds_its_bound(name, gain):
    for curve in measure(differentiate(CELLS[name]), [gain], state_size=6, steps=20).curves:
        for low, high in zip(curve.log10_measured, curve.log10_upper, strict=True):
            assert low <= high + 1e-10


@pytest.mark.parametrize("name", CELLS)
def test_each_block_is_dominated(name):
    cell = CELLS[name]
    path = trajectory(differentiate(cell), **drawn(cell, gain=2.0))
    for jacobian, dominating in zip(path.jacobians, path.dominating, strict=True):
        for a in range(len(cell.states)):
            for b in range(len(cell.states)):
                block = jacobian[3 * a : 3 * a + 3, 3 * b : 3 * b + 3]
                assert np.linalg.norm(block, 2) <= dominating[a, b] * (1 + 1e-12)


def test_products_neither_underflow_nor_overflow():
    small, large = np.eye(2) * 1e-200, np.eye(2) * 1e200
    assert log10_products([small] * 5)[-1] == pytest.approx(-1000)
    assert log10_products([large] * 5)[-1] == pytest.approx(1000)
    assert log10_products([np.eye(2), np.zeros((2, 2)), np.eye(2)])[1:] == [-math.inf] * 2


def test_the_latest_factor_stands_on_the_left():
    first, last = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([3.0, 0.0])
    assert log10_products([first, last]) == pytest.approx([math.log10(3), math.log10(3)])
    assert log10_products([last, first])[1] == -math.inf


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
