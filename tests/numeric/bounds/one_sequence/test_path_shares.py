"""Path shares: they sum to one, agree with an LSTM written by hand, are slopes of log σ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from profiles import NIGHTLY
from trajectories import CELLS, STACKS, path

from derive import Cell, catalogue, differentiate
from derive.calculus.paths import path_graph
from numeric.bounds.one_sequence.path_shares import PathShare, PathShares, path_shares
from numeric.bounds.one_sequence.step_jacobians import Jacobians, run
from numeric.bounds.one_sequence.tracks import follow

SOME = ("lstm_fgr", "gru_reset_after", "rhn_3", "cornn", "atr", "nas", "clockwork_rnn", "scrn",
        *STACKS)  # fmt: skip


@pytest.mark.parametrize("name", CELLS if NIGHTLY else SOME)
def test_shares_sum_to_one_and_the_norm_is_the_products(name):
    found = path(name, steps=9, seed=5)
    track = follow(found, windows=(1,), dominate=False)
    shares = path_shares(found)
    if math.isinf(track.log10_measured[-1]):
        assert shares is None
        return
    assert sum(p.share for p in shares.paths) == pytest.approx(1, abs=1e-9)
    assert shares.log10_norm == pytest.approx(track.log10_measured[-1], abs=1e-9)
    assert all(p.size >= abs(p.share) - 1e-12 for p in shares.paths)


def _lstm_terms(found, t):
    """The nine terms of the LSTM's step Jacobian, written out by hand, in rows c, h."""
    p, n = found.parameters, found.states["h"].shape[1]
    c_prev, h_prev, x = found.states["c"][t], found.states["h"][t], found.inputs["x"][t]
    c = found.states["c"][t + 1]
    net = {g: p[f"W_{g}h"] @ h_prev + p[f"W_{g}x"] @ x + p[f"b_{g}"] for g in "fico"}
    f, i, o = (1 / (1 + np.exp(-net[g])) for g in "fio")
    g = np.tanh(net["c"])
    psi = o * (1 - np.tanh(c) ** 2)
    into_c = {
        "c → c × f": ("c", np.diag(f)),
        "h → f → c": ("h", np.diag(c_prev * f * (1 - f)) @ p["W_fh"]),
        "h → i → c": ("h", np.diag(g * i * (1 - i)) @ p["W_ih"]),
        "h → c_tilde → c": ("h", np.diag(i * (1 - g * g)) @ p["W_ch"]),
    }
    terms = {}
    place = {"c": 0, "h": n}
    for label, (by, block) in into_c.items():
        whole = np.zeros((2 * n, 2 * n))
        whole[:n, place[by] : place[by] + n] = block
        terms[label] = whole
        whole = np.zeros((2 * n, 2 * n))
        whole[n:, place[by] : place[by] + n] = np.diag(psi) @ block
        terms[f"{label} → h"] = whole
    whole = np.zeros((2 * n, 2 * n))
    whole[n:, n:] = np.diag(np.tanh(c) * o * (1 - o)) @ p["W_oh"]
    return terms | {"h → o → h": whole}


def test_the_lstm_agrees_with_its_terms_written_by_hand():
    found = path("lstm", steps=6, seed=3)
    terms = [_lstm_terms(found, t) for t in range(2, 6)]
    steps = [sum(t.values()) for t in terms]
    product = np.linalg.multi_dot(steps[::-1])
    U, s, Vt = np.linalg.svd(product)
    want = dict.fromkeys(terms[0], 0.0)
    for place, own in enumerate(terms):
        right = np.linalg.multi_dot([np.eye(8), *steps[:place][::-1], Vt[0]])
        left = np.linalg.multi_dot([U[:, 0], *steps[place + 1 :][::-1], np.eye(8)])
        for label, term in own.items():
            want[label] += left @ term @ right / s[0] / len(terms)
    shares = path_shares(found, 4)
    assert {p.label: pytest.approx(p.share, abs=1e-9) for p in shares.paths} == want
    assert sum(want.values()) == pytest.approx(1)
    named = shares.by_name()
    assert next(iter(named)) == "f"
    through = [label for label in want if label.endswith(("→ c → h", "→ c × f → h"))]
    assert len(through) == 4
    assert named["c"] == pytest.approx(sum(want[label] for label in through))


def test_a_share_is_the_derivative_of_the_norm_by_the_size_of_its_term():
    found = path("gru", steps=8, seed=2)
    factors = [f.matrix for f in Jacobians(found).backwards()]
    shares = {p.label: p.share for p in path_shares(found).paths}
    p, eps = found.parameters, 1e-6
    direct = []
    for t in range(8):
        net = p["W_zh"] @ found.states["h"][t] + p["W_zx"] @ found.inputs["x"][t] + p["b_z"]
        direct.append(np.diag(1 / (1 + np.exp(net))))

    def log_norm(e):
        made = [J + e * D for J, D in zip(factors, direct[::-1], strict=True)]
        return math.log(np.linalg.norm(np.linalg.multi_dot(made), 2))

    slope = (log_norm(eps) - log_norm(-eps)) / (2 * eps)
    assert shares["h → h × z"] == pytest.approx(slope / 8, abs=1e-6)


def test_growth_is_the_factor_of_a_path_alone():
    cell = Cell.parse(name="leak", equations="h = h_prev / 2 + 0.25 * h_prev + 0 * x",
                      sizes={"x": "n"})  # fmt: skip
    found = run(differentiate(cell), {}, {"x": np.zeros((5, 3))}, {"h": np.ones(3)})
    (only,) = path_shares(found).paths
    assert only.share == 1
    assert only.growth == pytest.approx(0.75)


def test_too_many_paths_are_joined_by_their_first_edge_and_still_sum_to_one():
    graph = path_graph(differentiate(catalogue["rhn_3"]), most=5)
    assert len(graph.routes) == 3
    assert len(path_graph(differentiate(catalogue["rhn_3"])).routes) == 27


def test_joined_paths_carry_what_their_members_carry(monkeypatch):
    found = path("rhn_3", steps=5)
    each = path_shares(found)
    monkeypatch.setattr(
        "numeric.bounds.one_sequence.path_shares.path_graph", lambda d: path_graph(d, most=5)
    )
    joined = path_shares(found)
    for one in joined.paths:
        first = one.route.nodes[1]
        parts = sum(p.share for p in each.paths if p.route.nodes[1] == first)
        assert one.share == pytest.approx(parts, abs=1e-9)


def test_a_product_that_is_zero_has_no_shares_and_a_lag_must_exist():
    found = path("rnn", steps=4)
    dead = path("irnn", steps=4)
    dead.parameters["W"][:] = 0
    assert path_shares(run(dead.derivation, dead.parameters, dead.inputs)) is None
    for lag in (0, 5):
        with pytest.raises(ValueError, match="lag: expected 1 to 4"):
            path_shares(found, lag)


def test_a_path_that_works_against_the_others_carries_nothing():
    route = path_graph(differentiate(catalogue["rnn"])).routes[0]
    against, along = (PathShare(route, share, abs(share), 1.0) for share in (-1.4, 1.2))
    assert PathShares(1, 0.0, (against, along, along)).most is along
    assert PathShares(1, 0.0, ()).most is None


@pytest.mark.parametrize("power", [-600, 600])
def test_weights_whose_squares_are_no_floats_have_the_same_shares(power):
    cell = Cell.parse(
        name="two", equations="g = W @ h_prev\nh = a * h_prev + g + x", sizes={"x": "n"}
    )
    rng = np.random.default_rng(0)
    weights = {"W": rng.normal(size=(3, 3)), "a": rng.normal(size=3)}
    plain, scaled = (
        path_shares(run(differentiate(cell), {k: np.ldexp(v, power) for k, v in weights.items()},
                        {"x": np.zeros((1, 3))}))
        for power in (0, power)
    )  # fmt: skip
    assert scaled.log10_norm == pytest.approx(plain.log10_norm + power * math.log10(2))
    for one, other in zip(plain.paths, scaled.paths, strict=True):
        assert one.route == other.route
        assert other.share == pytest.approx(one.share)
        assert math.log2(other.growth) == pytest.approx(math.log2(one.growth) + power)
