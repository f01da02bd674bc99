"""Rounding outwards: past the exact result, and nowhere else; a bound is no number never."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from numeric.numbers.outward import LOW, above, added, all_of, below, between, down, moved, up

SEVENTHS = np.array([0.1, -0.1, 1.0, 3.0, -7.0, 1e100]) / 7


def test_a_rounded_product_lies_between_and_is_not_the_exact_one():
    found = np.outer(SEVENTHS, SEVENTHS).ravel()
    exact = [Fraction(a) * Fraction(b) for a in SEVENTHS for b in SEVENTHS]
    kept = np.zeros(found.shape, dtype=bool)
    for low, x, high in zip(down(found, kept), exact, up(found, kept), strict=True):
        assert Fraction(low) < x < Fraction(high)
    assert sum(x != Fraction(near) for x, near in zip(exact, found, strict=True)) > len(found) / 2


def test_what_is_exact_stays():
    kept = np.array([True, False])
    assert np.array_equal(down(np.array([1.0, 1.0]), kept), [1.0, np.nextafter(1.0, 0.0)])
    assert np.array_equal(up(np.array([1.0, 1.0]), kept), [1.0, np.nextafter(1.0, 2.0)])
    assert moved(np.array(2.0), np.True_, np.array(np.inf)).shape == ()


def test_no_number_is_no_bound():
    lost, kept = np.array([np.nan]), np.array([False])
    assert down(lost, kept) == -np.inf
    assert up(lost, kept) == np.inf
    with np.errstate(invalid="ignore"):
        assert below(np.array([np.inf])) == -np.inf


@pytest.mark.parametrize("value", [1.0, -1.0, 1e-310, 0.0])
def test_a_functions_value_is_between_what_is_below_and_above(value: float):
    low, high = below(np.array([value])), above(np.array([value]))
    assert (low < value < high) or value == low == high == 0


def test_the_smallest_and_the_largest_of_each_entry():
    low, high = between([np.array([1.0, 5.0]), np.array([2.0, -3.0]), np.array([0.0, 0.0])])
    assert np.array_equal(low, [0.0, -3.0])
    assert np.array_equal(high, [2.0, 5.0])
    assert not all_of(between([np.array([np.nan]), np.array([1.0])])[0] <= 1.0)


def test_all_of_no_truths_is_true():
    assert all_of(np.ones(3, dtype=bool))
    assert all_of(np.ones(0, dtype=bool))
    assert not all_of(np.array([True, False]))


def test_a_sum_is_moved_but_where_one_part_is_zero():
    a, b = np.array([0.1, 0.0, -3.0]), np.array([0.2, 0.3, 0.0])
    want = [np.nextafter(0.1 + 0.2, -np.inf), 0.3, -3.0]
    assert np.array_equal(added(a, b, LOW), want)
    assert np.array_equal(added(a[:1], b[:1], LOW), want[:1])
    assert added(np.array(0.1), np.array(0.2), LOW).shape == ()
