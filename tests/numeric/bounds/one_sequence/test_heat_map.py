"""Norms over a grid of times, beside products multiplied out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trajectories import path

from numeric.bounds.one_sequence import heat_map as module
from numeric.bounds.one_sequence.heat_map import heat_map
from numeric.bounds.one_sequence.step_jacobians import Jacobians


@pytest.mark.parametrize("small", [100, 0])
def test_the_heat_map_agrees_with_the_products(monkeypatch, small):
    monkeypatch.setattr(module, "_SMALL", small)
    found = path("lstm", steps=12)
    times, logs = heat_map(found, 5)
    factors = [factor.matrix for factor in Jacobians(found).backwards()][::-1]
    for i, t in enumerate(times):
        for j, k in enumerate(times[:i]):
            product = np.linalg.multi_dot([np.eye(8), *factors[k:t][::-1]])
            assert logs[i, j] == pytest.approx(math.log10(np.linalg.norm(product, 2)), abs=1e-6)
    assert np.isnan(logs[0, -1])


@pytest.mark.parametrize("gain", [0.3, 6.0])
def test_pairs_far_apart_neither_underflow_nor_overflow(monkeypatch, gain):
    found = path("irnn" if gain > 1 else "rnn", n=3, steps=300, gain=gain)
    times, plain = heat_map(found, 6)
    monkeypatch.setattr(module, "_SMALL", 0)
    assert heat_map(found, 6)[0] == times
    assert np.allclose(heat_map(found, 6)[1], plain, rtol=1e-6, atol=1e-4, equal_nan=True)


def test_a_product_of_zero_has_no_logarithm(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 0)
    _, logs = heat_map(path("rnn", n=3, steps=6, gain=0.0), 3)
    assert np.all(np.isneginf(logs[np.tril_indices(3, -1)]))
