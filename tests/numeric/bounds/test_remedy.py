"""Remedies: the measured norm is that of the product, changes are what they say, bounds hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue, differentiate
from numeric.bounds.all_inputs.gain_scan import recurrent
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Jacobians, run
from numeric.bounds.remedy import ADD, MULTIPLY, Change, biases, is_bias_of, measured_norm, remedies
from numeric.meaning.sizes import usual_sizes

CELLS = by_day(("rnn", "lstm", "gru", "peephole_lstm", "clockwork_rnn", "cornn"), 2)


def small_run(cell, steps=9, gain=1.0):
    drawn = draw(cell, usual_sizes(cell, 4, 3), gain, steps, 0, 0.5)
    return run(differentiate(cell), **drawn)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("lag", [1, 7])
def test_the_measured_norm_is_that_of_the_product_of_step_jacobians(name, lag):
    path = small_run(catalogue[name])
    factors = [near.matrix for near in Jacobians(path).backwards(lag)]
    product = factors[0] if lag == 1 else np.linalg.multi_dot(factors)
    wanted = math.log10(np.linalg.norm(product, 2))
    assert abs(measured_norm(path, lag) - wanted) <= 1e-9 * abs(wanted)


def test_biases_are_what_is_added_alone():
    assert {s.name: t for s, t in biases(catalogue["peephole_lstm"]).items()} == {
        "b_f": "f", "b_i": "i", "b_c": "c_tilde", "b_o": "o"}  # fmt: skip
    assert biases(catalogue["indrnn"]) == {catalogue["indrnn"].parameters[-1]: "h"}
    assert biases(Cell.parse(name="bare", equations="h = tanh(W @ h_prev + U @ x)")) == {}


def test_what_an_output_alone_reads_is_no_remedy():
    cell = Cell.parse(
        name="read", outputs=["y"],
        equations="h = tanh(W @ h_prev + U @ x + b)\nr = V @ h + c\ny = tanh(C @ r + D @ h + d)",
    )  # fmt: skip
    assert recurrent(cell) == ("W",)
    assert [symbol.name for symbol in biases(cell)] == ["b"]


@pytest.mark.parametrize(("value", "own"), [
    ("sigmoid(W @ x + b)", True), ("W @ x + b", True), ("softmax(W @ x + b)", True),
    ("sigmoid(W @ x - b)", False), ("sigmoid(2 * (W @ x + b))", False),
    ("2 * tanh(W @ x + b)", False),
    ("sigmoid(V @ tanh(W @ x + b))", False), ("sigmoid(W @ x + b + tanh(b))", False),
])  # fmt: skip
def test_the_bias_of_a_symbol_is_a_term_of_what_its_function_takes(value, own):
    cell = Cell.parse(name="made", equations=f"z = {value}\nh = z * h_prev")
    (bias,) = [symbol for symbol in cell.parameters if symbol.name == "b"]
    assert is_bias_of(bias, cell.equations[0]) is own


def test_a_change_changes_what_it_names_and_nothing_else():
    cell = catalogue["rnn"]
    held = {"W": np.ones((2, 2)), "U": np.ones((2, 1)), "b": np.zeros(2)}
    added = Change(ADD, ("b",), 1.0, "h").applied(cell, held)
    assert added["b"].tolist() == [1.0, 1.0]
    assert added["W"] is held["W"]
    assert Change(MULTIPLY, ("W",), 2.0).applied(cell, held)["W"].max() == 2.0
    assert held["b"].tolist() == [0.0, 0.0]


def test_the_remedy_is_the_nearest_to_one_and_its_effect_is_enclosed():
    path = small_run(catalogue["lstm"])
    found = remedies(path, 9)
    change, after = found.best
    assert change.names == ("b_f",)
    assert abs(after) == min(abs(value) for _, value in found.tried)
    assert found.lower <= after <= found.upper
    parameters = change.applied(catalogue["lstm"], path.parameters)
    again = run(path.derivation, parameters, path.inputs,
                {name: value[0] for name, value in path.states.items()})  # fmt: skip
    assert measured_norm(again, 9) == after


def test_no_remedy_is_said_where_none_helps():
    found = remedies(small_run(catalogue["lstm"]), 9)
    assert replace(found, before=found.tried[0][1] / 2).best is None
    assert replace(found, tried=()).best is None


@pytest.mark.parametrize(("length", "helps"), [(0.3, False), (0.4, True)])
def test_rounding_is_no_remedy_of_a_gradient_that_is_zero(length, helps):
    """W = u vᵀ and W W = (v·u) W, which is 0 but for rounding where v·u is."""
    cell = Cell.parse(name="dead", equations="h = relu(W @ h_prev + U @ x + b)")
    W = np.outer([0.1, 0.2, 0.3], [length, 0.6, -0.5])
    path = run(differentiate(cell), {"W": W, "U": np.zeros((3, 1)), "b": np.full(3, -0.5)},
               {"x": np.zeros((3, 1))})  # fmt: skip
    found = remedies(path, 2)
    assert found.before == -math.inf
    assert math.isfinite(found.tried[0][1])
    assert (found.best is not None) is helps
