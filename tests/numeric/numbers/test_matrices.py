"""Certified norms, checked again in exact rationals by another method."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from exact_norms import above, below
from hypothesis import given
from hypothesis import strategies as st

from numeric.bounds.all_inputs.from_below import radius_below
from numeric.bounds.one_sequence.step_jacobians import Piece, StepMatrix
from numeric.numbers import matrices
from numeric.numbers.intervals import interval
from numeric.numbers.matrices import (
    Near,
    bounds,
    frobenius,
    multiply,
    norm_bound,
    raised,
    singular_values,
)


def exact(matrix):
    return [[Fraction(float(entry)) for entry in row] for row in matrix]


@given(seed=st.integers(0, 10**6), n=st.integers(2, 5), power=st.integers(-30, 30))
def test_norm_bounds_hold_in_exact_rationals(seed, n, power):
    A = np.random.default_rng(seed).normal(size=(n, n)) * 10.0**power
    low, high, _ = bounds(Near(A))
    small, large = singular_values(A)
    tight = np.linalg.norm(A, 2)
    assert below(exact(A), high)
    assert below(exact(A), large)
    assert small == 0 or above(exact(A), small)
    assert not below(exact(A), low)
    assert high <= tight * (1 + 1e-4)
    assert large <= tight * (1 + 1e-10)
    assert low >= tight * (1 - 1e-4)


def test_the_exact_check_rejects_a_bound_a_little_too_small():
    A = np.random.default_rng(3).normal(size=(4, 4))
    assert not below(exact(A), np.linalg.norm(A, 2) * (1 - 1e-12))
    assert not above(exact(A), np.linalg.svd(A)[1][-1] * (1 + 1e-12))


@given(seed=st.integers(0, 10**6), length=st.integers(2, 8))
def test_products_stay_within_their_error(seed, length):
    rng = np.random.default_rng(seed)
    factors = [rng.normal(size=(3, 3)) * 10.0 ** rng.integers(-80, 80) for _ in range(length)]
    made, truth = Near(factors[0]).balanced(), exact(factors[0])
    for factor in factors[1:]:
        made = multiply(made, Near(factor).balanced())
        columns = list(zip(*exact(factor), strict=True))
        truth = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
                 for row in truth]  # fmt: skip
    scale = Fraction(2) ** made.exponent
    square = sum((t - scale * Fraction(float(m))) ** 2
                 for row, line in zip(truth, made.matrix, strict=True)
                 for t, m in zip(row, line, strict=True))  # fmt: skip
    assert square <= (scale * Fraction(made.error)) ** 2
    assert made.error <= 1e-10 * frobenius(made.matrix) * 10**length


@given(seed=st.integers(0, 10**6), n=st.integers(2, 6))
def test_a_spectral_radius_is_bounded_from_below(seed, n):
    J = np.random.default_rng(seed).normal(size=(n, n))
    found = radius_below(Near(J, 1e-13))
    assert found <= np.abs(np.linalg.eigvals(J)).max() * (1 + 1e-9)


def test_a_defective_matrix_gets_no_false_radius():
    J = np.array([[0.5, 1.0], [0.0, 0.5]])
    assert radius_below(Near(J)) <= 0.5


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_is_bounded_by_nothing(bad):
    assert singular_values(np.array([[bad, 1.0], [1.0, 1.0]]))[1] == np.inf


def test_an_interval_matrix_is_bounded_with_its_width():
    assert norm_bound(interval(np.eye(3))) >= 1


@pytest.mark.parametrize("power", [-170, -200, -290, -305, -320, 100, 150])
def test_norms_hold_where_squares_leave_the_range_of_floats(power):
    A = np.array([[3.0, 1.0], [-2.0, 5.0]]) * 10.0**power
    low, high, _ = bounds(Near(A))
    small, large = singular_values(A)
    assert below(exact(A), high)
    assert below(exact(A), large)
    assert below(exact(A), frobenius(A))
    assert small == 0 or above(exact(A), small)
    assert low == 0 or not below(exact(A), low)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 5), power=st.integers(-320, 140))
def test_a_singular_matrix_gets_no_least_singular_value(seed, n, power):
    rng = np.random.default_rng(seed)
    A = rng.integers(-3, 4, size=(n, n)) * 10.0**power
    A[-1] = A[0]
    assert singular_values(A)[0] == 0


def test_the_old_fault_squares_that_underflow_would_be_caught(monkeypatch):
    def squares(matrix):
        flat = np.ravel(matrix)
        return raised(float(np.sqrt(flat @ flat)))

    monkeypatch.setattr(matrices, "frobenius", squares)
    A = np.full((2, 2), 1e-170)
    assert not below(exact(A), matrices.norm_bound(interval(A)))


@pytest.mark.parametrize("place", [0, 8191, 8192, 16384, 17160])
def test_every_entry_of_a_long_matrix_counts(place):
    A = np.ones((131, 131))
    A.flat[place] = 1000.0
    assert frobenius(A) == pytest.approx(math.sqrt(17160 + 1e6), rel=1e-9)


def test_no_number_is_no_bound():
    assert frobenius(np.array([np.nan, 1.0])) == np.inf
    assert singular_values(np.full((2, 2), 1e308)) == (0.0, np.inf)
    assert raised(float("nan")) == np.inf


@pytest.mark.parametrize("n", [40, 97])
def test_a_start_that_the_matrix_only_stretches_hides_no_larger_value(n):
    A = np.diag(np.linspace(1.0, 2.0, n))
    A[-1, -1] = 3.0
    start = np.eye(n)[0]
    low, high, _ = bounds(Near(A), start)
    assert (low, high) == (pytest.approx(3.0, rel=1e-8), pytest.approx(3.0, rel=1e-8))


def test_columns_that_are_all_orthogonal_by_their_zeros_have_a_norm():
    entries = np.linspace(-2.0, 1.0, 40)
    place = slice(0, 40)
    low, high, _ = bounds(StepMatrix(np.diag(entries), pieces=(Piece(place, place, True),)))
    assert 2.0 * (1 - 1e-8) <= low <= 2.0 <= high <= 2.0 * (1 + 1e-8)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999, 1 - 1e-9, 1.0, 1 + 1e-9, 1.001, 3.0])
def test_whatever_is_said_of_a_large_norm_its_bound_holds(share):
    """A block diagonal matrix has the norm of its blocks, which rationals decide."""
    rng = np.random.default_rng(5)
    blocks = [rng.normal(size=(4, 4)) for _ in range(20)]
    A = np.zeros((80, 80))
    for k, block in enumerate(blocks):
        A[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] = block
    tight = np.linalg.norm(A, 2)
    found = norm_bound(interval(A), about=share * tight)
    assert all(below(exact(block), found) for block in blocks)
    if 1 <= share < 1.01:
        assert found <= tight * (share + 1e-8)
