"""Gains, regions and modules: closed formulas they must meet, and nets they must hold for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from numeric.bounds.all_inputs.certify import certify, period_of
from numeric.bounds.all_inputs.clock_modules import module_rates, modules_of
from numeric.bounds.all_inputs.gain_scan import (
    CLOSED,
    FACTORS,
    REST,
    Scan,
    crossing,
    recurrent,
    scaled,
    scan,
)
from numeric.bounds.all_inputs.gate_region import miller_hardt, region
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.one_sequence.tracks import follow
from numeric.meaning.default_constants import default_constants, modules

SIZES = {"n": 6, "m": 3}


def setting(name: str, steps: int = 24) -> Setting:
    """A small drawn net."""
    cell = catalogue[name]
    drawn = draw(cell, SIZES, 1.0, 1, 0, 0.3)["parameters"]
    constants = default_constants(cell, {**SIZES, "T": steps})
    return Setting(differentiate(cell), drawn, SIZES, constants=constants)


def test_the_critical_gain_of_the_elman_network_is_one_over_the_norm():
    made = setting("rnn")
    found = scan(made)
    wanted = 1 / np.linalg.norm(made.parameters["W"], 2)
    assert found.crossing(CLOSED) == pytest.approx(wanted, rel=1e-6)
    assert found.certified(CLOSED) == max(f for f in FACTORS if f < wanted)
    radius = np.abs(np.linalg.eigvals(made.parameters["W"])).max()
    assert found.crossing(REST) == pytest.approx(1 / radius, rel=1e-3)


def test_what_multiplies_a_state_is_scaled_and_nothing_else():
    cell = catalogue["peephole_lstm"]
    assert {*recurrent(cell)} == {"W_fh", "W_ih", "W_ch", "W_oh", "p_f", "p_i", "p_o"}
    made = scaled(cell, {"W_fh": np.ones((2, 2)), "W_fx": np.ones((2, 2))}, 3.0)
    assert made["W_fh"].max() == 3.0
    assert made["W_fx"].max() == 1.0
    assert recurrent(catalogue["t_rnn"]) == ()
    assert scan(setting("t_rnn")) is None


def test_a_series_of_certificates_ends_at_the_first_gap():
    held = Scan((1.0, 2.0, 4.0), {"a": (0.5, math.inf, 0.9), "b": (1.0, 2.0)}, {}, ())
    assert held.certified("a") == 1.0
    assert held.certified("b") is None
    assert held.crossing("a") is None
    assert crossing((1.0, 4.0), (0.25, 4.0)) == pytest.approx(2.0)


def test_a_method_is_asked_up_to_where_it_proves_no_decay():
    found = scan(setting("lstm"))
    for name, rates in found.upper.items():
        count = len(found.followed(name))
        assert all(rate < 1 for rate in rates[: count - 1])
        assert name == CLOSED or all(rate == math.inf for rate in rates[count:])
    assert len({len(found.followed(name)) for name in found.upper}) > 2
    held = Scan((1.0, 2.0, 4.0), {"a": (0.5, 1.0, 0.9), "b": (0.5, 0.6)}, {}, ())
    assert (held.followed("a"), held.followed("b"), held.followed("c")) == (
        (0.5, 1.0),
        (0.5, 0.6),
        (),
    )


def test_growth_at_rest_that_stops_again_is_not_said_of_all_larger_factors():
    """At rest J is 0.9 + g − g²/2: above 1 from 0.2 to 1.5, below it at 2 and 3."""
    cell = Cell.parse(name="back", sizes={"x": "n"}, equations=(
        "a = W @ h_prev\nh = 0.9 * h_prev + tanh(a) - 0.5 * (V @ tanh(a)) + x"))  # fmt: skip
    weights = {"W": np.eye(2), "V": np.eye(2)}
    found = scan(Setting(differentiate(cell), weights, {"n": 2, "k1": 2}))
    rest = dict(zip(found.factors, found.lower[REST], strict=True))
    assert rest[1.0] > 1 > rest[2.0]
    assert found.crossing(REST) == pytest.approx(0.1, rel=0.2)
    assert found.explodes is None
    plain = scan(setting("rnn"))
    grown = [rate > 1 for rate in plain.lower[REST]]
    assert plain.explodes == FACTORS[grown.index(True)]
    assert all(grown[grown.index(True) :])


def test_the_region_of_the_lstm_is_that_of_its_closed_form_and_holds_miller_and_hardts():
    found = region(differentiate(catalogue["lstm"]))
    for top, g in zip(found.gates[:-1], found.ours[:-1], strict=True):
        keep = 1 - top
        exact = keep / (1.25 + 0.25 / keep + keep * math.tanh(1 / keep) / 4)
        assert g <= exact <= g + 1e-6
    assert found.theirs[:-1] == tuple(map(miller_hardt, found.gates[:-1]))
    assert found.holds_theirs
    assert found.ratio > 2


def test_a_net_inside_the_region_forgets_whatever_its_inputs_are():
    top, cell = 0.6, catalogue["lstm"]
    found = region(differentiate(cell))
    g = 0.999 * float(np.interp(top, found.gates, found.ours))
    rng = np.random.default_rng(2)
    drawn = draw(cell, SIZES, 1.0, 1, 3, 1.0)["parameters"]
    for gate in "fico":
        sums = np.abs(drawn[f"W_{gate}h"]).sum(axis=1, keepdims=True)
        drawn[f"W_{gate}h"] = drawn[f"W_{gate}h"] * g / sums
        drawn[f"b_{gate}"] = rng.normal(size=6)
    drawn["W_fx"] = np.zeros((6, 3))
    drawn["b_f"] = np.full(6, math.log(top / (1 - top)) - g)
    track = follow(run(differentiate(cell), drawn, {"x": 5 * rng.normal(size=(60, 3))}))
    assert track.log10_upper["product"][-1] < track.log10_lower["direction"][29] < -1


@pytest.mark.parametrize("name", ["coupled_lstm", "peephole_lstm"])
def test_other_cells_that_keep_a_state_have_a_region_but_not_theirs(name):
    found = region(differentiate(catalogue[name]))
    assert found.theirs is None
    assert found.ratio is None
    assert found.ours[0] > found.ours[20] > found.ours[-1] == 0


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm_nfg", "nas"])
def test_cells_without_a_gate_that_keeps_have_no_region(name):
    assert region(differentiate(catalogue[name])) is None


def test_the_rate_of_a_clockworks_module_is_a_root_of_its_own_norm():
    made = setting("clockwork_rnn")
    found = module_rates(made, certify(made, 1).box)
    assert found.lengths == (2, 2, 1, 1)
    assert found.period == 8
    assert found.acting == (8, 4, 2, 1)
    module = modules(6)
    for k, rate in enumerate(found.rates):
        own = made.parameters["W_H"][np.ix_(module == k, module == k)]
        assert rate == pytest.approx(np.linalg.norm(own, 2) ** (1 / 2**k), rel=1e-6)
    assert found.triangular
    assert found.whole == pytest.approx(max(found.rates), rel=1e-3)
    assert found.whole >= max(found.rates) * (1 - 1e-12)


def test_a_period_divides_the_steps_or_is_all_of_them():
    assert modules_of(setting("rnn")) is None
    assert period_of(setting("clockwork_rnn"), 24) == 8
    short = setting("clockwork_rnn", steps=12)
    assert period_of(short, 12) == 12
    assert module_rates(short, certify(short, 1).box).acting == (12, 6, 3, 1)


def test_modules_of_a_matrix_have_no_rates():
    """L S + S R: parts of rows and parts of columns are not the same parts.

    With L = diag(0.6, 0) and R = diag(0, 0.6) one entry of S is multiplied by 1.2 at each step.
    """
    cell = Cell.parse(name="sides", equations="S = L @ S_prev + S_prev @ R + outer(tick, x)",
                      sizes={"x": "n"}, constants=["tick[t]"], matrices=["L", "R"])  # fmt: skip
    weights = {"L": np.diag([0.6, 0.0]), "R": np.diag([0.0, 0.6])}
    made = Setting(differentiate(cell), weights, {"n": 2}, constants={"tick": np.eye(2)[:1]})
    assert modules_of(made) == ("n", (1, 1))
    assert module_rates(made, made.box(cell.states, (-9.0, 9.0))) is None


@pytest.mark.parametrize(("by", "inner"), [
    ("sigmoid(W_i @ x)", "b * dot(k, q_prev)"), ("2 * dot(k, k)", "U @ q_prev"),
])  # fmt: skip
def test_a_sum_over_the_units_has_no_size_of_its_own(by, inner):
    """Through b 𝟙ᵀ diag(k), or times 2 kᵀk, the growth is n times that of one unit's weights."""
    cell = Cell.parse(name="summed", equations=f"""
k = tanh(W_k @ x)
f = sigmoid(W_f @ x + U_f @ q_prev)
i = {by}
o = sigmoid(W_o @ x)
z = tanh(W_z @ x + {inner})
p = f * p_prev + i * z
q = o * tanh(p)""")  # fmt: skip
    derivation, n = differentiate(cell), 40
    own = {"b": np.full(n, 0.2), "U": 0.2 * np.eye(n), "W_f": np.full((n, 1), -9.0)}
    own |= {name: np.full((n, 1), 9.0) for name in ("W_k", "W_i", "W_o")}
    sizes = {"n": n, "k1": n, "m": 1}
    weights = {s.name: own.get(s.name, np.zeros([sizes[str(e)] for e in s.shape if e != 1]))
               for s in cell.parameters}  # fmt: skip
    path = run(derivation, weights, {"x": np.ones((6, 1))})
    assert follow(path, windows=(), dominate=False).log10_lower["direction"][-1] > 4
    found = region(derivation)
    assert found is None or found.ours[1] < 0.2
