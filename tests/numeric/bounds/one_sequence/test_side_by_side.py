"""Many norms at once by Lanczos' method: those of the matrices, and settled ones left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numeric.bounds.one_sequence.side_by_side import log10_norms, scaled

MATRICES = [np.random.default_rng(k).normal(size=(5, 5)) * 10.0 ** (20 * k) for k in range(4)]


def sweep(which, vectors):
    made = [MATRICES[k].T @ (MATRICES[k] @ v) for k, v in zip(which, vectors.T, strict=True)]
    return scaled(np.array(made).T)


def test_each_map_has_its_own_norm():
    found = log10_norms(sweep, np.ones((5, 4)), 8, 1e-12)
    for value, matrix in zip(found, MATRICES, strict=True):
        assert value == pytest.approx(math.log10(np.linalg.norm(matrix, 2)), abs=1e-9)


def test_one_step_is_a_bound_from_below_and_too_few():
    found = log10_norms(sweep, np.ones((5, 4)), 1, 1e-12)
    true = [math.log10(np.linalg.norm(matrix, 2)) for matrix in MATRICES]
    assert np.all(found <= true)
    assert np.any(found < np.array(true) - 1e-3)


def test_a_map_to_zero_has_no_logarithm():
    assert np.isneginf(log10_norms(lambda which, v: scaled(0 * v), np.ones((3, 2)), 4, 1e-9)).all()
