"""Bounds along a trajectory: above and below the exact product, of every cell and in rationals."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import NIGHTLY, by_day
from trajectories import CELLS, drawn, path

from numeric.bounds.one_sequence.step_jacobians import Jacobians, run
from numeric.bounds.one_sequence.tracks import enclosed, follow, lyapunov_exponents
from numeric.bounds.one_sequence.windows import Windows, scaled_columns
from numeric.numbers.matrices import Near


@pytest.mark.by_default(
    "delta_net",
    "depth_gated_lstm",
    "lmu",
    "lstm_nog",
    "para_lstm",
    "cfn",
    "fast_rnn",
    "mut1",
    "ugrnn",
    "antisymmetric_rnn",
)
@pytest.mark.parametrize("name", by_day(CELLS, 10))
@settings(max_examples=300 if NIGHTLY else 1)
@given(seed=st.integers(0, 10**6), gain=st.sampled_from([1.0, 0.1, 3.0]))
def test_no_bound_is_violated_at_any_lag(name, seed, gain):
    found = path(name, gain=gain, seed=seed)
    track = follow(found, windows=(1, 2, 5, 10))
    product, scale = np.eye(sum(Jacobians(found).widths)), 0.0
    for place, factor in enumerate(Jacobians(found).backwards()):
        product = product @ factor.matrix
        norm = float(np.linalg.norm(product, 2))
        if norm == 0:
            break
        product, scale = product / norm, scale + math.log10(norm)
        if scale < -12 - math.log10(1 + place):
            continue
        for side, methods in ((1, track.log10_upper), (-1, track.log10_lower)):
            for method, values in methods.items():
                assert side * (values[place] - scale) >= -1e-9, method
        assert track.log10_measured[place] == pytest.approx(scale, abs=1e-6)


@pytest.mark.by_default(
    "delta_net",
    "depth_gated_lstm",
    "lmu",
    "lstm_nog",
    "para_lstm",
    "cfn",
    "fast_rnn",
    "mut1",
    "ugrnn",
    "antisymmetric_rnn",
)
@pytest.mark.parametrize("name", by_day(CELLS, 10))
def test_one_lag_alone_is_what_all_lags_end_in(name):
    found = path(name, steps=12)
    track, alone = follow(found, windows=(1,), dominate=False), enclosed(found, 12)
    assert alone.stepwise == pytest.approx(track.log10_upper["window_1"][-1], abs=1e-9)
    assert alone.lower <= alone.measured <= alone.upper <= alone.stepwise
    assert alone.measured == pytest.approx(track.log10_measured[-1], abs=1e-6)
    assert alone.upper == pytest.approx(min(v[-1] for v in track.log10_upper.values()), abs=1e-6)


def test_states_that_do_not_mix_are_measured_by_their_own_products():
    """Where every factor is diagonal, the norm is that of the largest product of entries."""
    found = path("min_gru", n=40, steps=24, gain=8.0, seed=1)
    track = follow(found, windows=(1, 6), dominate=False)
    logs = np.zeros(40)
    for place, factor in enumerate(Jacobians(found).backwards()):
        logs += np.log10(np.abs(np.diag(factor.matrix)))
        assert track.log10_measured[place] == pytest.approx(logs.max(), abs=1e-4)
        assert track.log10_upper["product"][place] >= logs.max() - 1e-9
        assert track.log10_lower["direction"][place] <= logs.max() + 1e-9


@pytest.mark.parametrize(("name", "n"), [("rnn", 4), ("lstm", 3), ("rnn", 60), ("lru", 4)])
def test_the_gap_is_that_of_the_two_largest_singular_values(name, n):
    found = path(name, n=n, steps=6)
    product = np.linalg.multi_dot([f.matrix for f in Jacobians(found).backwards()])
    first, second, *_ = np.linalg.svd(product, compute_uv=False)
    gap = follow(found, windows=(), dominate=False).gap
    assert gap == pytest.approx(1 - second / first, abs=1e-6)


def test_the_rnn_is_checked_again_in_rationals():
    """‖J_T⋯J_1‖_F² in exact rationals at slopes of 40 digits; ‖·‖₂ ≤ ‖·‖_F ≤ √n ‖·‖₂."""
    import mpmath

    found = path("rnn", n=3, m=2, steps=6)
    mpmath.mp.dps = 60
    W = [[Fraction(float(x)) for x in row] for row in found.parameters["W"]]
    U, b = found.parameters["U"], found.parameters["b"]
    product = [[Fraction(int(i == j)) for j in range(3)] for i in range(3)]
    for t in range(6):
        h, x = found.states["h"][t], found.inputs["x"][t]
        rows = []
        for i in range(3):
            a = sum(W[i][j] * Fraction(float(h[j])) for j in range(3)) + Fraction(float(b[i]))
            a += sum(Fraction(float(U[i, j])) * Fraction(float(x[j])) for j in range(2))
            y = mpmath.tanh(mpmath.mpf(a.numerator) / a.denominator)
            slope = Fraction(int(mpmath.nint((1 - y * y) * mpmath.mpf(10) ** 40)), 10**40)
            rows.append([slope * W[i][j] for j in range(3)])
        product = [[sum(rows[i][k] * product[k][j] for k in range(3)) for j in range(3)]
                   for i in range(3)]  # fmt: skip
    mpmath.mp.dps = 15
    square = sum(entry**2 for row in product for entry in row)
    exact = 0.5 * (math.log10(square.numerator) - math.log10(square.denominator))
    track = follow(found, windows=(1, 2))
    assert min(values[-1] for values in track.log10_upper.values()) >= exact - 0.5 * math.log10(3)
    assert track.log10_lower["direction"][-1] <= exact
    small = np.array([[float(entry) for entry in row] for row in product])
    assert track.log10_measured[-1] == pytest.approx(math.log10(np.linalg.norm(small, 2)), abs=1e-9)


def test_windows_and_scaling_hold_for_plain_matrices():
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.integers(-3, 3, size=(12, 4, 1))
    factors = list(rng.normal(size=(12, 4, 4)) * sizes)
    windows = Windows((1, 2, 3, 6), (1, 2, 3, 6))
    for lag, factor in enumerate(factors, 1):
        windows.add(lag, Near(factor), np.linalg.norm(factor, 2) * (1 + 1e-12))
    product = np.eye(4)
    for place, factor in enumerate(factors):
        product = product @ factor
        exact = math.log10(np.linalg.norm(product, 2))
        for name, values in windows.log10_upper().items():
            assert values[place] >= exact - 1e-9, name
    found = windows.log10_upper()
    assert found["window_6"][-1] <= found["window_3"][-1] <= found["window_1"][-1]


def test_a_window_with_a_factor_left_out_would_be_caught():
    shrink, grow = np.diag([1e-3, 1e-3]), np.diag([1e3, 1e3])
    windows = Windows((2,))
    for lag, factor in enumerate([shrink, grow, shrink, grow], 1):
        windows.add(lag, Near(factor), np.linalg.norm(factor, 2) * (1 + 1e-12))
    assert windows.log10_upper()["window_2"][-1] == pytest.approx(0.0, abs=1e-9)
    assert windows.log10_upper()["window_2"][2] == pytest.approx(-3.0, abs=1e-9)


@pytest.mark.parametrize("windows", [(1,), (2,), (1, 2, 4)])
def test_windows_hold_for_every_matrix_within_the_errors(windows):
    """A = diag(3, 1) with the error 1/2: A + I/2 is one of them, and its powers are known."""
    bank = Windows(windows, windows)
    near = Near(np.diag([3.0, 1.0]), 0.5)
    for lag in range(1, 9):
        bank.add(lag, near, 3.5)
    assert len(bank.log10_upper()) == 2 * len(windows)
    for name, values in bank.log10_upper().items():
        for lag, value in enumerate(values, 1):
            assert value >= lag * math.log10(3.5), name


@pytest.mark.parametrize("powers", [[0, 0], [3, -2], [-4, -1]])
def test_a_scaled_matrix_keeps_the_error_of_its_largest_column(powers):
    scaled = scaled_columns(Near(np.eye(2), 0.25), np.array(powers))
    off = np.zeros((2, 2))
    off[0, np.argmax(powers)] = 0.25
    assert np.array_equal(scaled.matrix, np.diag(2.0 ** np.array(powers)))
    assert scaled.error >= np.linalg.norm(off @ scaled.matrix, 2)


@pytest.mark.long
def test_long_products_neither_underflow_nor_overflow():
    for gain, sign in ((0.3, -1), (6.0, 1)):
        found = path("irnn" if sign > 0 else "rnn", n=3, steps=1500 if sign < 0 else 300, gain=gain)
        track = follow(found, windows=(1, 10))
        assert sign * track.log10_measured[-1] > 30 or math.isinf(track.log10_measured[-1])
        assert not any(math.isnan(value) for value in track.log10_measured)


def test_lyapunov_exponents_sum_to_the_determinant_and_lead_the_norm():
    found = path("rnn", n=4, steps=200, gain=1.2)
    exponents = lyapunov_exponents(found)
    logs = [np.linalg.slogdet(factor.matrix)[1] for factor in Jacobians(found).backwards()]
    assert sum(exponents) == pytest.approx(sum(logs) / 200, rel=1e-8)
    track = follow(found, windows=(1,))
    assert exponents[0] == pytest.approx(track.log10_measured[-1] * math.log(10) / 200, abs=0.05)


@pytest.mark.parametrize("steps", [1, 3, 12])
def test_over_few_steps_the_largest_exponent_is_the_norm_s(steps):
    """They stand on one page, both measured."""
    found = path("lstm", n=5, steps=steps, gain=0.7)
    norm = follow(found, windows=(1,)).log10_measured[-1]
    (largest, *_) = lyapunov_exponents(found, 3)
    assert largest == pytest.approx(norm * math.log(10) / steps, abs=0.02)
    every = [factor.matrix for factor in Jacobians(found).backwards()]
    for one, other in zip(Jacobians(found).forwards(), reversed(every), strict=True):
        np.testing.assert_array_equal(one.matrix, other)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_over_few_steps_exponents_are_singular_values_of_states_wider_than_is_asked(steps):
    """Columns carried along are fewer than the states: the steps go over them several times."""
    for seed in range(3):
        found = path("irnn", n=24, steps=steps, seed=seed)
        product = reduce(lambda P, J: J.matrix @ P, Jacobians(found).forwards(), np.eye(24))
        want = np.log(np.linalg.svd(product, compute_uv=False)[:3]) / steps
        np.testing.assert_allclose(lyapunov_exponents(found, 3), want, atol=2e-3)


@pytest.mark.parametrize(("lags", "windows"), [(0, (1,)), (99, (1,)), (3, (0,))])
def test_lags_and_windows_out_of_range_are_refused(lags, windows):
    with pytest.raises(ValueError, match=r"lag|window"):
        follow(path("rnn", steps=5), lags=lags, windows=windows)


def test_a_state_that_overflows_is_named():
    derivation, made = drawn("irnn", steps=400, gain=400.0)
    with pytest.raises(ValueError, match="the state h is not finite at step"):
        run(derivation, made["parameters"], {"x": np.abs(made["inputs"]["x"]) * 1e5},
            made["initial"])  # fmt: skip


def test_a_product_is_bounded_by_its_factors_where_its_own_bound_is_rough(monkeypatch):
    """Between the lags at which a large product is bounded tightly, one more factor multiplies."""
    for name, value in (("_SMALL", 0), ("_EACH", 1), ("_POINTS", 2)):
        monkeypatch.setattr(f"numeric.bounds.one_sequence.tracks.{name}", value)
    found = path("rnn", gain=0.9, seed=3)
    held = follow(found, windows=(1,), dominate=False).log10_upper["product"]
    product, rough = np.eye(len(found.states["h"][0])), []
    for lag, factor in enumerate(Jacobians(found).backwards()):
        product = product @ factor.matrix
        rough.append(math.log10(np.linalg.norm(product)))
        assert held[lag] >= math.log10(np.linalg.norm(product, 2))
        if lag:
            step = math.log10(np.linalg.norm(factor.matrix, 2))
            assert held[lag] <= held[lag - 1] + step + 1e-9
    assert any(b > a for a, b in zip(held, rough, strict=True))
