"""Rates of nonnegative matrices, proved again in exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from numeric.numbers.spectral_radius import collatz, log_collatz, perron_rate


def exact(matrix):
    return [[Fraction(float(entry)) for entry in row] for row in matrix]


@given(seed=st.integers(0, 10**6), n=st.integers(1, 5))
def test_perron_rates_are_proved_in_rationals(seed, n):
    N = np.abs(np.random.default_rng(seed).normal(size=(n, n)))
    rate, vector = perron_rate(N)
    for row, own in zip(exact(N), vector, strict=True):
        total = sum(e * Fraction(v) for e, v in zip(row, vector, strict=True))
        assert total <= Fraction(rate) * Fraction(own)
    assert rate <= np.abs(np.linalg.eigvals(N)).max() * (1 + 1e-6)


def test_triangular_and_zero_matrices_have_a_rate():
    assert perron_rate(np.zeros((2, 2)))[0] == 0
    rate, vector = perron_rate(np.array([[0.5, 7.0], [0.0, 0.5]]))
    assert 0.5 <= rate < 0.51
    assert min(vector) > 0
    assert collatz([[Fraction(1, 3)]], [1.0]) >= 1 / 3


def test_no_float_above_is_no_bound():
    assert collatz([[Fraction(10) ** 400]], [1.0]) == np.inf


def test_a_large_matrix_is_bounded_in_floats_as_in_rationals():
    N = np.abs(np.random.default_rng(0).normal(size=(20, 20)))
    v = np.abs(np.random.default_rng(1).normal(size=20)) + 0.1
    assert collatz(exact(N), v.tolist()) <= log_collatz(N, v) <= collatz(exact(N), v) * (1 + 1e-12)
