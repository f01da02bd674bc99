"""Norms over a grid of times, beside products multiplied out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trajectories import path

from numeric.bounds.one_sequence import heat_map as module
from numeric.bounds.one_sequence import tracks
from numeric.bounds.one_sequence.heat_map import heat_map
from numeric.bounds.one_sequence.step_jacobians import Jacobians
from numeric.numbers.matrices import Near


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
    assert np.allclose(heat_map(found, 6)[1], plain, rtol=0, atol=1e-7, equal_nan=True)


def test_products_of_a_track_are_taken_where_they_end(monkeypatch):
    """23 steps in windows of 8 from the end on, 7 left over; the ends nearest to times asked."""
    monkeypatch.setattr(tracks, "_SMALL", 0)
    monkeypatch.setattr(tracks, "SEGMENTS", 3)
    monkeypatch.setattr(module, "_SMALL", 0)
    found = path("lstm", steps=23)
    track = tracks.follow(found, windows=(1,))
    assert [lag for lag, _ in track.segments] == [8, 16, 23]
    factors = [factor.matrix for factor in Jacobians(found).backwards()][::-1]
    for points, expected in ((40, (0, 7, 15, 23)), (2, (0, 23)), (4, (0, 7, 15, 23))):
        times, logs = heat_map(found, points, track)
        assert times == expected
        for i, t in enumerate(times):
            for j, k in enumerate(times[:i]):
                product = np.linalg.multi_dot([np.eye(8), *factors[k:t][::-1]])
                assert logs[i, j] == pytest.approx(math.log10(np.linalg.norm(product, 2)), abs=1e-6)


def test_a_product_of_zero_has_no_logarithm(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 0)
    _, logs = heat_map(path("rnn", n=3, steps=6, gain=0.0), 3)
    assert np.all(np.isneginf(logs[np.tril_indices(3, -1)]))


@pytest.mark.parametrize(("decades", "count"), [(5, 6), (40, 5), (290, 1)])
def test_states_that_do_not_mix_are_measured_by_what_lasts(decades, count):
    """What is largest in the end may be small on the way: nothing of it is lost."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        logs = rng.uniform(-decades, 0.0, size=(count, 24))
        found = module._by_vectors([Near(np.diag(10.0**row)).balanced() for row in logs])
        for (later, earlier), value in found.items():
            exact = logs[earlier:later].sum(axis=0).max()
            assert value == pytest.approx(exact, abs=1e-9)


def test_a_search_does_not_end_where_it_tarries():
    """It tarries at the second largest value while its first vector hides the largest."""
    start = np.random.default_rng(24).normal(size=24)
    shares = np.append(1e-4, np.ones(23))  # of the first vector along each singular vector
    across = start / np.linalg.norm(start) - shares / np.linalg.norm(shares)
    turn = np.eye(24) - 2 * np.outer(across, across) / (across @ across)
    values = np.append([1.0, 0.9], np.linspace(0.3, 0.0, 22))
    found = module._by_vectors([Near(turn @ np.diag(values) @ turn)])
    assert found[1, 0] == pytest.approx(0.0, abs=1e-6)
