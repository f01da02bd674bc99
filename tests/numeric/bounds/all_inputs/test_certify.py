"""A-priori certificates: sound over every cell, and the published conditions as special cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_settings import sequence, setting
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import NIGHTLY, by_day
from trajectories import CELLS

from derive import Cell, catalogue, differentiate
from numeric.bounds.all_inputs.certify import certify, everywhere
from numeric.bounds.all_inputs.fractional_norm import NAME
from numeric.bounds.all_inputs.from_below import cone_holds, cone_rate
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.tracks import follow
from numeric.numbers.intervals import Interval

LAGS = 50 if NIGHTLY else 12


@pytest.mark.by_default("antisymmetric_rnn", "lru", "cfn", "mut3", "hgrn2")
@pytest.mark.parametrize("name", by_day(CELLS, 12))
@settings(max_examples=200 if NIGHTLY else 1)
@given(seed=st.integers(0, 10**6), gain=st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_no_admissible_sequence_leaves_its_box_or_its_bounds(name, seed, gain):
    found = setting(name, gain, seed)
    steps = 40 if NIGHTLY else 14
    lags = min(LAGS, steps)
    certificate = certify(found, lags, steps=steps)
    for draw_seed in range(2 if NIGHTLY else 1):
        path = sequence(found, steps, seed + draw_seed)
        if certificate.box is not None:
            for state, box in certificate.box.items():
                whole = path.states[state].reshape((steps + 1, -1))
                assert np.all(whole >= box.lo.ravel() - 1e-9)
                assert np.all(whole <= box.hi.ravel() + 1e-9)
        track = follow(path, lags=lags, windows=(1,), dominate=False)
        for method in certificate.methods:
            for above, measured in zip(method.log10_upper, track.log10_measured, strict=True):
                assert measured <= above + 1e-9, method.name
        if certificate.carousel_rate:
            for lag, measured in enumerate(track.log10_measured, 1):
                assert measured >= lag * math.log10(certificate.carousel_rate) - 1e-9


def test_an_invariant_set_is_invariant_and_a_smaller_one_is_not():
    found = setting("lstm", 0.3)
    ranges = Ranges(found)
    box = invariant_box(ranges)
    assert box is not None
    image = ranges.step(box)
    assert all(image[n].lo.min() >= box[n].lo.min() - 1e-6 for n in box)
    half = {n: type(v)(v.lo / 2, v.hi / 2) for n, v in box.items()}
    assert not all(ranges.step(half)[n].within(half[n]) for n in half)


def test_without_a_forget_gate_no_invariant_set_is_claimed_and_bounded_slopes_give_a_rate():
    certificate = certify(setting("lstm_nfg", 0.3), 10)
    assert certificate.box is None
    assert 1 <= certificate.rate < 3
    assert certificate.finite


def test_where_slopes_grow_with_the_state_and_no_set_is_invariant_there_is_no_rate():
    certificate = certify(setting("peephole_lstm", 2.0), 10)
    assert certificate.box is None
    assert not certificate.unlimited
    assert math.isinf(certificate.rate)
    assert math.isfinite(certificate.log10_upper[-1])


def test_an_invariant_set_of_the_lstm_is_found_however_slowly_the_cell_grows():
    """|c| ≤ ī ḡ / (1 − f̄) is finite for every net, here with f̄ close to 1."""
    found = setting("lstm", 1.0, box=(-3.0, 3.0), n=24, scale=2.0)
    box = invariant_box(Ranges(found))
    assert box is not None
    assert box["c"].magnitude.max() > 100
    assert box["h"].magnitude.max() <= 1


@pytest.mark.parametrize(("bound", "want"), [(0.9, "vanishes"), (1.1, "undecided")])
def test_a_diagonal_jacobian_is_bounded_by_its_largest_entry(bound, want):
    u = np.linspace(-bound, bound, 5)
    found = setting("indrnn", n=5, u=u)
    rate = certify(found, 3).rate
    assert bound <= rate <= bound * (1 + 1e-12)
    assert (rate < 1) == (want == "vanishes")


@pytest.mark.long
def test_the_row_stack_is_never_worse_than_the_triangle_and_scaling_helps_the_rnn():
    for name in ("lstm", "gru", "mut2", "cornn", "rhn_3"):
        rates = {m.name: m.rate for m in certify(setting(name, 0.3, 4), 2).methods}
        assert rates["row-stack"] <= rates["states, 2-norm"] * (1 + 1e-12)
    found = setting("rnn", 0.6, 1, n=16)
    methods = {m.name: m for m in certify(found, 40).methods}
    scaled, plain = methods["row-stack, scaled"], methods["states, 2-norm"]
    assert scaled.rate < 1 < plain.rate
    radius = np.abs(np.linalg.eigvals(found.parameters["W"])).max()
    assert scaled.rate >= radius
    assert scaled.log10_upper[0] >= math.log10(np.linalg.norm(found.parameters["W"], 2))


def test_pascanu_the_rnn_vanishes_when_the_largest_singular_value_is_below_one():
    for seed in range(5):
        found = setting("rnn", 0.45, seed, n=8)
        sigma = np.linalg.svd(found.parameters["W"])[1][0]
        method = certify(found, 3).methods[0]
        assert method.rate <= sigma * (1 + 1e-9)
        assert method.log10_upper[2] <= 3 * math.log10(sigma) + 1e-9


def test_kanai_the_gru_at_rest_has_the_eigenvalues_of_a_half_plus_a_quarter():
    zeros = {f"b_{g}": np.zeros(4) for g in "zrh"}
    for gain in (1.0, 4.0):
        found = setting("gru", gain, 3, **zeros)
        eigenvalues = np.linalg.eigvals(found.parameters["W_hh"])
        want = np.abs(0.5 + eigenvalues / 4).max()
        assert certify(found, 2).rest_rate == pytest.approx(want, rel=1e-8)


def test_the_lstm_at_rest_has_the_published_eigenvalue_and_may_explode():
    zero = {name: np.zeros(4) for name in ("b_i", "b_c", "b_o")} | {"b_f": np.full(4, 2.0)}
    found = setting("lstm", 6.0, 1, **zero)
    eigenvalues = np.linalg.eigvals(found.parameters["W_ch"])
    want = np.abs(1 / (1 + math.exp(-2)) + eigenvalues / 4).max()
    assert want > 1
    assert certify(found, 2).rest_rate == pytest.approx(want, rel=1e-8)


def test_a_state_that_does_not_rest_gets_no_rate():
    assert certify(setting("lstm", 1.0, 1), 2).rest_rate is None


@pytest.mark.long
def test_bonassi_whatever_his_condition_certifies_is_certified_here():
    """His σ̄ are suprema over |x| ≤ 1, |h| ≤ 1; z weighs the new state here, so σ̄_z is 1 − inf z."""
    published = ours = 0
    for seed in range(60 if NIGHTLY else 6):
        rng = np.random.default_rng(seed)
        found = setting("gru", rng.uniform(0.02, 0.4), seed, start=(-1.0, 1.0), scale=0.3)
        p = found.parameters

        def rows(M):
            return np.abs(M).sum(axis=1)

        def sup(gate, sign, p=p):
            net = sign * p[f"b_{gate}"] + rows(p[f"W_{gate}h"]) + rows(p[f"W_{gate}x"])
            return float((1 / (1 + np.exp(-net))).max())

        new = rows(p["W_hh"]) + rows(p["W_hx"]) + np.abs(p["b_h"])
        candidate = float(np.tanh(new).max())
        keep, reset = sup("z", -1), sup("r", 1)
        left = rows(p["W_hh"]).max() * (rows(p["W_rh"]).max() / 4 + reset)
        right = 1 - 0.25 * (1 + candidate) / (1 - keep) * rows(p["W_zh"]).max()
        certified = certify(found, 1).rate < 1
        published += left < right
        ours += certified
        assert certified or not left < right
    assert ours >= published > 0


def test_clockwork_the_rate_is_that_of_the_slowest_module():
    found = setting("clockwork_rnn", 0.4, 2, n=8)
    certificate = certify(found, 8, {"n": (2, 2, 2, 2)})
    W = found.parameters["W_H"] * found.constants["blocks"]
    norms = [np.linalg.norm(W[i : i + 2, i : i + 2], 2) for i in range(0, 8, 2)]
    want = max(norm ** (1 / 2**i) for i, norm in enumerate(norms))
    rate = next(m.rate for m in certificate.methods if m.name.startswith("modules"))
    assert rate <= want * 1.05
    dense = next(m.rate for m in certificate.methods if m.name == "states, 2-norm")
    assert rate < dense


@pytest.mark.parametrize("change", [{"alpha": 0.0}, {"omega": 0.5}, {"beta": 0.001}])
def test_the_cone_is_checked_exactly_and_a_larger_rate_is_rejected(change):
    numbers = {"low": 0.9, "alpha": 0.01, "beta": 0.02, "omega": 1.0} | change
    rate = cone_rate(**numbers)
    assert rate is not None
    assert cone_holds(rate, **numbers)
    assert not cone_holds(rate * 1.001, **numbers)


def test_no_cone_is_claimed_beyond_the_condition():
    assert cone_rate(0.5, 0.3, 0.2, 1.0) is None
    assert cone_rate(-0.1, 0.0, 0.1, 1.0) is None


def test_a_box_upside_down_is_refused():
    with pytest.raises(ValueError, match="low ≤ high"):
        setting("rnn", box=(1.0, -1.0))


def test_a_partition_that_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match="add up to"):
        certify(setting("rnn"), 2, {"n": (1, 1)})


def test_a_fresh_cell_is_bounded_as_any_other():
    cell = Cell.parse(name="fresh", equations="h = h_prev / 2 + 0.1 * tanh(W @ h_prev + U @ x)")
    rng = np.random.default_rng(0)
    weights = {"W": rng.normal(size=(3, 3)), "U": rng.normal(size=(3, 2))}
    made = certify(Setting(differentiate(cell), weights, {"n": 3, "m": 2}), 5)
    assert 0.5 <= made.rate < 1


def _infinity(matrix):
    return float(np.abs(matrix).sum(axis=1).max())


def test_miller_and_hardt_whatever_their_conditions_certify_is_certified_here():
    """With φ = sup f: ‖W_i‖, ‖W_o‖ < 1 − φ, ‖W_z‖ ≤ (1 − φ)/4, ‖W_f‖ < (1 − φ)², all in ‖·‖_∞.

    Nets are drawn around the edge of their region, each matrix from 0.5 to 2.6 times its size.
    """
    published = ours = 0
    for seed in range(80 if NIGHTLY else 5):
        rng = np.random.default_rng(seed)
        phi = float(rng.uniform(0.6, 0.75))
        room = 1 - phi
        edge = {"W_ih": room, "W_oh": room, "W_ch": room / 4, "W_fh": room**2}
        size = rng.uniform(0.5, 2.6)
        changed = {}
        for name, most in edge.items():
            W = rng.normal(size=(3, 3))
            changed[name] = W * (most * size * rng.uniform(0.7, 1.0) / _infinity(W))
        changed |= {f"b_{g}": np.zeros(3) for g in "ico"}
        found = setting("lstm", 0.1, seed, n=3, scale=0.1, **changed)
        rest = _infinity(changed["W_fh"]) + _infinity(found.parameters["W_fx"])
        bias = math.log(phi / (1 - phi)) - rest
        found = setting("lstm", 0.1, seed, n=3, scale=0.1, **changed, b_f=np.full(3, bias))
        inside = all(_infinity(found.parameters[name]) < most for name, most in edge.items())
        certified = certify(found, 1).rate < 1
        published += inside
        ours += certified
        assert certified or not inside
    assert published > 0
    assert ours >= 2 * published


@pytest.mark.long
def test_terzi_his_matrix_bounds_ours_entry_by_entry():
    """A = [[σ̄_f, a], [σ̄_o σ̄_f, a σ̄_o + ¼ σ̄_x ‖W_oh‖]] with scalar suprema and slopes of ¼.

    a = ¼ ‖W_fh‖ σ̄_i σ̄_g / (1 − σ̄_f) + σ̄_i ‖W_ch‖ + ¼ ‖W_ih‖ σ̄_g, at |x| ≤ 1, |h| ≤ 1.
    """
    published = 0
    for seed in range(6 if NIGHTLY else 4):
        found = setting("lstm", 0.05 + 0.05 * seed, seed, start=(0.0, 0.0), n=3, scale=0.2)
        p = found.parameters
        two = {g: np.linalg.norm(p[f"W_{g}h"], 2) for g in "fico"}
        net = {g: float((np.abs(p[f"W_{g}h"]).sum(axis=1) + np.abs(p[f"W_{g}x"]).sum(axis=1)
                         + (np.abs if g == "c" else np.asarray)(p[f"b_{g}"])).max())
               for g in "fico"}  # fmt: skip
        f, i, o = (1 / (1 + math.exp(-net[g])) for g in "fio")
        g = math.tanh(net["c"])
        x = math.tanh(i * g / (1 - f))
        a = two["f"] * i * g / (1 - f) / 4 + i * two["c"] + two["i"] * g / 4
        theirs = np.array([[f, a], [o * f, a * o + x * two["o"] / 4]])
        ours = next(m for m in certify(found, 1).methods if m.name == "states, 2-norm")
        assert np.all(ours.matrix <= theirs * (1 + 1e-9))
        vanishes = np.abs(np.linalg.eigvals(theirs)).max() < 1
        published += vanishes
        assert ours.rate < 1 or not vanishes
    assert published > 0


def drawn_net(cell, sizes, box):
    drawn = draw(cell, sizes, 1.5, 6, 3, 0.7)
    found = Setting(differentiate(cell), drawn["parameters"], sizes, box)
    return drawn["parameters"], certify(found, 10, steps=10)


@pytest.mark.parametrize("name", ["delta_net", "delta_product"])
def test_keys_of_length_1_and_rates_up_to_2_do_not_explode_by_a_rate_of_exactly_1(name):
    for width in (1.0, 100.0):
        _, found = drawn_net(catalogue[name], {"n": 3, "k": 4, "m": 2}, (-width, width))
        assert found.rate == 1
        assert found.unlimited


def test_a_rate_above_2_is_not_certified_to_stay_below_1():
    text = catalogue["delta_product"].text.replace("2 * sigmoid", "2.5 * sigmoid")
    cell = Cell.parse(name="too_much", equations=text, outputs=("y",))
    _, found = drawn_net(cell, {"n": 2, "k": 3, "m": 2}, (-30.0, 30.0))
    assert found.rate > 1.1


def test_the_rate_of_gated_linear_attention_is_the_largest_gate_of_any_input_in_the_box():
    sizes = {"n": 4, "k": 5, "m": 3, "k1": 2}
    parameters, found = drawn_net(catalogue["gla"], sizes, (-1.0, 2.0))
    both = parameters["W_a2"] @ parameters["W_a1"]
    most = np.where(both > 0, 2.0, -1.0)  # the input at which each gate is largest
    gates = np.exp(-np.log1p(np.exp(-(both * most).sum(axis=1))) / 16)
    assert found.rate == pytest.approx(gates.max(), rel=1e-13)
    assert found.rate >= gates.max()


def test_the_rate_of_rwkv6_is_the_upper_end_of_the_range_of_its_gates():
    sizes = {"n": 2, "k": 3, "m": 2, "k1": 2}
    cell = catalogue["rwkv6"]
    parameters, found = drawn_net(cell, sizes, (-1.0, 1.0))
    ranges = Ranges(Setting(differentiate(cell), parameters, sizes))
    assert found.box is not None
    assert found.rate == pytest.approx(ranges.values(found.box)["w"].hi.max(), rel=1e-14)


@pytest.mark.parametrize(
    ("name", "gain"), [("gru", 2.0), ("lstm_nfg", 0.3), ("peephole_lstm", 2.0)]
)
def test_rates_alone_are_those_that_come_with_everything(name, gain):
    found = setting(name, gain)
    whole, rates = certify(found, 3), certify(found, 3, sharp=False)
    assert {m.name: m.rate for m in rates.methods if m.name != NAME} == {
        m.name: m.rate for m in whole.methods if m.name != NAME
    }
    assert (rates.rest_rate, rates.carousel_rate) == (whole.rest_rate, whole.carousel_rate)
    assert whole.finite or not whole.unlimited
    assert not rates.finite
    assert rates.least_rate is None


@pytest.mark.parametrize(("name", "gain"), [("lstm", 0.2), ("gru", 0.2), ("gru", 2.0)])
def test_methods_asked_for_by_name_are_those_that_come_with_all(name, gain):
    found = setting(name, gain)
    whole = {m.name: m.rate for m in certify(found, 1, sharp=False).methods}
    for asked in [(name,) for name in whole if not name.startswith("row-stack")]:
        made = certify(found, 1, sharp=False, only=asked)
        assert {m.name: m.rate for m in made.methods} == {name: whole[name] for name in asked}
        assert made.carousel_rate is None
    stacks = certify(found, 1, sharp=False, only=("row-stack, scaled",))
    rates = {m.name: m.rate for m in stacks.methods}
    alone = whole["row-stack"]
    assert rates["row-stack"] == alone
    if alone < 1:  # I is a diagonal too
        assert rates["row-stack, scaled"] == alone
    else:
        assert rates.get("row-stack, scaled") == whole.get("row-stack, scaled")
    assert not certify(found, 1, sharp=False, only=()).methods


@pytest.mark.parametrize("name", ["rnn", "clockwork_rnn"])
def test_products_of_any_steps_are_bounded_over_the_box_that_is_given(name: str) -> None:
    """Of all states nothing holds where constants change with time: bounds from a start do not."""
    cell = catalogue[name]
    made = draw(cell, {"n": 4, "m": 2}, 0.3, 8, 0, 1.0)
    asked = Setting(differentiate(cell), made["parameters"], {"n": 4, "m": 2}, (-1.0, 1.0),
                      (0.0, 0.0), made["constants"])  # fmt: skip
    whole, ranges = certify(asked, 5), Ranges(asked)
    assert everywhere(ranges, whole.box, 5).log10_upper == whole.log10_upper
    wide = {n: Interval(v.lo - 0.5, v.hi + 0.5) for n, v in whole.box.items()}
    assert everywhere(ranges, wide, 5).box is wide
    assert everywhere(ranges, wide, 5).holds_at({n: v.hi.T for n, v in wide.items()})
    assert bool(everywhere(ranges, None, 5).methods) == (name == "rnn")
