"""How gradients are kept: tracks enclose what they measure, gates keep what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from studies_of_runs import diagnosed

from derive import Cell, catalogue
from numeric.bounds.all_inputs.gain_scan import CLOSED, FACTORS, scan
from numeric.bounds.drawn import draw
from numeric.bounds.memory import SHIFTS, by_gain, keeping, kept_state
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.remedy import measured_norm
from numeric.meaning.sizes import usual_sizes


@pytest.mark.parametrize(("name", "wanted"), [
    ("lstm", ("c", "f", "b_f", False)), ("gru", ("h", "z", "b_z", True)),
    ("gru_reset_after", ("h", "z", "b_z", False)), ("mgu", ("h", "f", "b_f", True)),
    ("rnn", None), ("lstm_nfg", None), ("coupled_lstm", ("c", "f", "b_f", False)),
])  # fmt: skip
def test_the_gate_that_keeps_a_state_is_found(name, wanted):
    found = kept_state(catalogue[name])
    assert (found and (found.state, found.gate, found.bias, found.opposite)) == wanted


GATE = "z = sigmoid(W_z @ x + b_z)"


@pytest.mark.parametrize(("gate", "share", "opposite"), [
    (GATE, "z", False), (GATE, "(1 - z)", True), (GATE, "(-z + 1)", True),
    ("z = sigmoid(b_z + W_z @ x)", "z", False),
    (GATE, "(1 + z)", None), (GATE, "(1 - 0.5 * z)", None), (GATE, "(1 - z * z)", None),
    (GATE, "(2 - z)", None), ("z = sigmoid(V @ tanh(W_z @ x + b_z))", "z", None),
    ("z = sigmoid(2 * (W_z @ x + b_z))", "z", None),
    ("z = sigmoid(1 - (W_z @ x + b_z))", "z", None),
    ("z = sigmoid(W_z @ x + b_z + 1)", "z", None), ("z = sigmoid(W_z @ x + b_z + b_z)", "z", None),
    ("z = sigmoid(exp(W_z @ h_prev) + b_z)", "z", None),
])  # fmt: skip
def test_what_is_kept_is_the_gate_of_its_bias_or_one_less_that(gate, share, opposite):
    cell = Cell.parse(name="made", equations=f"{gate}\nh = {share} * h_prev + W @ x")
    found = kept_state(cell)
    assert (found and found.opposite) is opposite
    if found is not None:
        assert found.at(cell, 3.0) == pytest.approx(1 / (1 + math.exp(-3)), rel=1e-15)


def test_more_is_kept_with_a_larger_shift_whatever_the_sign():
    for name in ("lstm", "gru"):
        found = kept_state(catalogue[name])
        shares = [found.at(catalogue[name], shift) for shift in SHIFTS]
        assert shares[0] == 0.5
        assert shares == sorted(shares)
        assert abs(shares[1] - 1 / (1 + math.exp(-1))) <= 1e-15


def test_tracks_are_those_of_the_shifted_bias_and_enclose_it():
    cell, sizes = catalogue["gru"], {"n": 4, "m": 3}
    x = {"x": np.random.default_rng(1).uniform(-1, 1, (9, 3))}
    found = keeping(cell, sizes, x, 0, 0.5)
    assert [*found.shifted] == [*SHIFTS]
    parameters = draw(cell, sizes, 1.0, 1, 0, 0.5)["parameters"]
    for shift, track in found.shifted.items():
        moved = {**parameters, "b_z": parameters["b_z"] - shift}
        path = run(diagnosed("gru").run.derivation, moved, x)
        exact = measured_norm(path, 9)
        assert abs(track.log10_measured[-1] - exact) <= 1e-9 * abs(exact)
        (upper,), (lower,) = track.log10_upper.values(), track.log10_lower.values()
        assert lower[-1] <= exact + 1e-12
        assert exact - 1e-12 <= upper[-1]
    assert keeping(catalogue["rnn"], sizes, x, 0, 0.5) is None


@pytest.mark.long
def test_the_norm_over_the_gain_lies_where_the_bounds_say():
    found = diagnosed("rnn")
    made = by_gain(found.run, scan(found.setting, found.certificate), 9)
    for measured, upper in zip(made.measured, made.upper, strict=True):
        assert measured <= upper
    sizes = usual_sizes(catalogue["rnn"], 4, 3)
    rest = {"x": np.zeros((9, sizes["m"]))}
    for factor, lower in zip(made.factors, made.lower, strict=True):
        scaled = {**found.run.parameters, "W": factor * found.run.parameters["W"]}
        path = run(found.run.derivation, scaled, rest)
        assert lower <= measured_norm(path, 9)
    assert by_gain(diagnosed("lstm").run, scan(diagnosed("lstm").setting), 9) is None


def test_a_gain_that_is_not_among_those_of_the_curve_is_not_named():
    found = diagnosed("rnn")
    tried = scan(found.setting, found.certificate)
    short = replace(tried, upper={**tried.upper, CLOSED: (0.5, 1.5)})
    assert short.certified(CLOSED) == FACTORS[0]
    assert by_gain(found.run, short, 9).certified is None


def test_where_another_method_proves_decay_it_is_not_open():
    found = diagnosed("rnn")
    tried = scan(found.setting, found.certificate)
    gap = next(k for k, rate in enumerate(tried.upper[CLOSED]) if rate >= 1)
    made = by_gain(found.run, tried, 9)
    assert FACTORS[gap] > made.certified
    for rate, is_open in ((1.0, True), (0.9, False)):
        rates = {**dict.fromkeys(tried.upper, (2.0,) * 14), "other": (rate,) * 14}
        made = by_gain(found.run, replace(tried, upper=rates), 9)
        assert (FACTORS[gap] in made.open) is is_open


def test_a_gate_without_a_bias_of_its_own_is_passed_over():
    bare = Cell.parse(name="bare", equations="f = sigmoid(W @ h_prev + U @ x)\nh = f * h_prev + x",
                      sizes={"x": "n"})  # fmt: skip
    assert kept_state(bare) is None
