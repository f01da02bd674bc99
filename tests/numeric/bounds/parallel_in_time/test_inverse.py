"""Sums of norms of products, against the products themselves."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.bounds.parallel_in_time.inverse import WINDOW, inverse_norms, norms_above


def sums(matrices):
    """Both sums by all products, in float64."""
    steps = len(matrices)
    norms = np.zeros((steps, steps))
    for k in range(steps):
        product = np.eye(matrices.shape[1])
        norms[k, k] = 1.0
        for t in range(k + 1, steps):
            product = matrices[t] @ product
            norms[t, k] = np.linalg.norm(product, 2)
    return norms.sum(axis=1).max(), norms.sum(axis=0).max()


@pytest.mark.parametrize("steps", [1, 2, WINDOW, WINDOW + 1, 3 * WINDOW + 5])
@pytest.mark.parametrize("gain", [0.3, 0.8])
def test_at_least_the_sums_and_close_to_them(steps: int, gain: float) -> None:
    rng = np.random.default_rng(steps)
    matrices = gain * rng.normal(size=(steps, 6, 6)) / np.sqrt(6)
    found = inverse_norms(matrices, np.zeros(steps))
    rows, columns = sums(matrices)
    assert rows <= found.rows <= 1.3 * rows
    assert columns <= found.columns <= 1.3 * columns


def test_one_factor_windows_are_looser_but_hold() -> None:
    matrices = np.random.default_rng(3).normal(size=(30, 5, 5)) / 3
    rows, columns = sums(matrices)
    loose, close = inverse_norms(matrices, np.zeros(30), 1), inverse_norms(matrices, np.zeros(30))
    assert rows <= close.rows < loose.rows
    assert columns <= close.columns < loose.columns


def test_what_the_matrices_may_be_off_by_counts() -> None:
    matrices = np.full((3, 1, 1), 0.5)
    found = inverse_norms(matrices, np.full(3, 0.25))
    assert 1 + 0.75 + 0.75**2 <= found.rows <= 1 + 0.75 + 0.75**2 + 1e-9


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1.0, 1e100, 1e200])
def test_norms_of_any_size(scale: float) -> None:
    matrices = np.random.default_rng(0).normal(size=(4, 5, 5))
    found = norms_above(matrices * scale, np.zeros(4)) / scale
    true = np.linalg.norm(matrices, 2, axis=(1, 2))
    assert np.all(true * (1 - 1e-14) <= found)
    assert np.all(found <= 1.3 * true)


def test_zero_and_infinite_matrices() -> None:
    assert inverse_norms(np.zeros((4, 3, 3)), np.zeros(4)).rows == pytest.approx(1.0)
    assert inverse_norms(np.full((4, 3, 3), np.inf), np.zeros(4)).rows == np.inf
