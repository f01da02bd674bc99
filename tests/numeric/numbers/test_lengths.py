"""Lengths agree with NumPy's where squares are floats, and scale where they are not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numeric.numbers.lengths import length, lengths


@pytest.mark.parametrize("power", [-1060, -700, -520, 0, 511, 700, 1020])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_power_of_two_leaves_the_length(power, axis):
    vectors = np.round(np.random.default_rng(0).normal(size=(3, 5)) * 64)
    vectors[1] = 0.0
    want = np.linalg.norm(vectors, axis=axis)
    found = lengths(np.ldexp(vectors, power - 8), axis)
    assert found == pytest.approx(np.ldexp(want, power - 8), rel=1e-12 if power > -1000 else 0.1)
    assert (found == 0).tolist() == (want == 0).tolist()


def test_what_is_not_finite_has_no_finite_length():
    assert length(np.array([1.0, -math.inf])) == math.inf
    assert math.isnan(length(np.array([1.0, math.nan])))
    assert length(np.zeros(0)) == 0.0
    assert length(np.array([1e308, 1e308])) == pytest.approx(math.sqrt(2) * 1e308)
    assert length(np.full(4, 1.7e308)) == math.inf
