"""Sums of norms of products, against the products themselves."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.bounds.parallel_in_time import inverse
from numeric.bounds.parallel_in_time.inverse import WINDOW, Inverse, inverse_norms, norms_above


def sums(matrices, weights=1.0):
    """Both sums by all products, in float64."""
    steps = len(matrices)
    norms = np.zeros((steps, steps))
    for k in range(steps):
        product = np.eye(matrices.shape[1])
        norms[k, k] = 1.0
        for t in range(k + 1, steps):
            product = matrices[t] @ product
            norms[t, k] = np.linalg.norm(product, 2)
    w = np.broadcast_to(weights, (steps,))
    return (norms @ w).max(), (w @ norms).max()


@pytest.mark.parametrize("steps", [1, 2, WINDOW, WINDOW + 1, 3 * WINDOW + 5])
@pytest.mark.parametrize("gain", [0.3, 0.8])
def test_at_least_the_sums_and_close_to_them(steps: int, gain: float) -> None:
    rng = np.random.default_rng(steps)
    matrices = gain * rng.normal(size=(steps, 6, 6)) / np.sqrt(6)
    found = inverse_norms(matrices, np.zeros(steps))
    for weights in (1.0, rng.uniform(size=steps)):
        rows, columns = sums(matrices, weights)
        assert rows <= found.rows(weights) <= 1.3 * rows
        assert columns <= found.columns(weights) <= 1.3 * columns


@pytest.mark.parametrize("strides", [1, 2, 4, 7, 50])
def test_longer_strides_hold_and_are_never_looser(strides: int) -> None:
    """Over 43 steps in windows of 6: J whole windows at once, beyond them by their products."""
    turn = np.array([[np.cos(0.3), -4 * np.sin(0.3)], [np.sin(0.3) / 4, np.cos(0.3)]])
    rng = np.random.default_rng(strides)
    matrices = turn + 0.02 * rng.normal(size=(43, 2, 2))
    weights = rng.uniform(size=43)
    found = inverse_norms(matrices, np.zeros(43), 6, strides)
    assert len(found.far) == min(strides, 7)
    rows, columns = sums(matrices, weights)
    loose = inverse_norms(matrices, np.zeros(43), 6)
    assert rows <= found.rows(weights) <= loose.rows(weights) * (1 + 1e-9)
    assert columns <= found.columns(weights) <= loose.columns(weights) * (1 + 1e-9)
    if strides >= 7:
        assert found.rows(weights) < 0.7 * loose.rows(weights)


@pytest.mark.parametrize("strides", [1, 7])
def test_sums_at_each_time_are_those_of_the_majorant_without_errors(strides: int) -> None:
    rng = np.random.default_rng(0)
    found = inverse_norms(rng.normal(size=(43, 2, 2)) / 2, np.zeros(43), 6, strides)
    weights, none = rng.uniform(size=43), np.zeros(43)
    want = found.majorant(none, weights, none, none)
    np.testing.assert_allclose(found.along(weights), want, rtol=1e-12)
    assert found.along(weights).max() == pytest.approx(found.rows(weights), rel=1e-12)


def test_every_norm_is_that_of_its_own_product() -> None:
    matrices = np.random.default_rng(5).normal(size=(19, 3, 3)) / 2
    found = inverse_norms(matrices, np.zeros(19), 4, 9)
    lags = {**dict(enumerate(found.near)), **{4 * j: n for j, n in enumerate(found.far, 1)}}
    assert [*lags] == [0, 1, 2, 3, 4, 8, 12, 16]
    for lag, norms in lags.items():
        assert len(norms) == 19 - lag
        for t, norm in enumerate(norms, lag):
            product = np.eye(3)
            for factor in matrices[t - lag + 1 : t + 1]:
                product = factor @ product
            true = np.linalg.norm(product, 2)
            assert true * (1 - 1e-12) <= norm <= 1.3 * true


@pytest.mark.parametrize(("steps", "lags"), [(1, 5), (5, 5), (6, 5), (23, 5), (23, 40), (11, 1)])
def test_norms_that_no_time_changes_go_on_by_the_last_of_them(steps: int, lags: int) -> None:
    """Of κ_0 … κ_w the sum at each time is that of κ_{aw+b} = κ_w^a κ_b."""
    rng = np.random.default_rng(lags)
    norms = np.append(1.0, rng.uniform(0.3, 1.2, lags))
    weights = rng.uniform(size=steps)
    found = inverse.constant_norms(norms, steps)
    far = [norms[lags] ** (lag // lags) * norms[lag % lags] for lag in range(steps)]
    want = np.array([sum(far[lag] * weights[t - lag] for lag in range(t + 1))
                     for t in range(steps)])  # fmt: skip
    np.testing.assert_allclose(found.along(weights), want, rtol=1e-12)
    assert np.all(found.along(weights) >= want * (1 - 1e-15))
    assert found.rows(weights) == pytest.approx(want.max(), rel=1e-12)
    assert inverse.constant_norms(np.array([1.0, np.inf]), 3).along(np.zeros(3))[2] == np.inf


@pytest.mark.parametrize("size", [2, 6])
def test_roundings_of_long_products_add_up_and_are_not_multiplied(size: int) -> None:
    """A turn has a norm of 1 and Frobenius' of √n: 49 strides of that are more than 10¹⁶."""
    turn = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    found = inverse_norms(np.tile(turn, (200, 1, 1)), np.full(200, 1e-15), 4, 60)
    assert len(found.far) == 49
    assert all(1 <= norm.max() <= 1.1 for norm in found.far)


def test_norms_are_sharper_where_products_are_long() -> None:
    """Of a turn, whose singular values are all 1, which powers of ‖·‖_F tell the worst."""
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(16, 16)))[0]
    matrices = np.tile(turn, (30, 1, 1))
    short, long = (inverse_norms(matrices, np.zeros(30), 5, strides) for strides in (1, 2))
    for lag in range(1, 5):
        assert 1 <= long.near[lag].max() < 1.05 < 1.15 < short.near[lag].min()


def test_a_stride_that_is_one_off_is_shown_wrong(monkeypatch) -> None:
    """Products of windows that do not meet are no products of the sequence."""
    right = inverse._multiplied
    monkeypatch.setattr(inverse, "_multiplied", lambda a, b, c, d, e: right(
        a, b, c, np.roll(d, 1, axis=0), e))  # fmt: skip
    matrices = np.random.default_rng(5).uniform(0.2, 1.2, size=(30, 1, 1))
    found = inverse_norms(matrices, np.zeros(30), 4, 7)
    true = inverse_norms(matrices, np.zeros(30), 29)
    assert any(np.any(norms < true.near[4 * j] * (1 - 1e-9)) for j, norms in
               enumerate(found.far, 1))  # fmt: skip


def test_one_factor_windows_are_looser_but_hold() -> None:
    matrices = np.random.default_rng(3).normal(size=(30, 5, 5)) / 3
    rows, columns = sums(matrices)
    loose, close = inverse_norms(matrices, np.zeros(30), 1), inverse_norms(matrices, np.zeros(30))
    assert rows <= close.rows() < loose.rows()
    assert columns <= close.columns() < loose.columns()


def test_what_the_matrices_may_be_off_by_counts() -> None:
    matrices = np.full((3, 1, 1), 0.5)
    found = inverse_norms(matrices, np.full(3, 0.25))
    assert 1 + 0.75 + 0.75**2 <= found.rows() <= 1 + 0.75 + 0.75**2 + 1e-9
    errors = np.array([0.5, 0.1, 0.2, 0.3, 0.25, 0.1, 0.0, 0.2, 0.1])
    found = inverse_norms(np.full((9, 1, 1), 0.5), errors, 2, 4)
    want = sums((0.5 + errors)[:, None, None])
    assert (want[0], want[1]) == pytest.approx((found.rows(), found.columns()), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1.0, 1e100, 1e200])
def test_norms_of_any_size(scale: float) -> None:
    matrices = np.random.default_rng(0).normal(size=(4, 5, 5))
    found = norms_above(matrices * scale, np.zeros(4)) / scale
    true = np.linalg.norm(matrices, 2, axis=(1, 2))
    assert np.all(true * (1 - 1e-14) <= found)
    assert np.all(found <= 1.3 * true)


def test_zero_and_infinite_matrices() -> None:
    assert inverse_norms(np.zeros((4, 3, 3)), np.zeros(4)).rows() == pytest.approx(1.0)
    for strides in (1, 3):
        found: Inverse = inverse_norms(np.full((9, 3, 3), np.inf), np.zeros(9), 2, strides)
        assert found.rows() == found.columns() == np.inf
