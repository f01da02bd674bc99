"""Rank correlation and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.search.correlation import rank_correlation


def test_ranks_alone_count() -> None:
    left = [*range(20)]
    found = rank_correlation(left, [x**3 for x in left])
    assert (found.value, found.low) == (1.0, None)
    assert rank_correlation(left, [-x for x in left]).value == -1.0


def test_by_hand_with_a_tie() -> None:
    left, right = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 1, 4, 3, 6, 5, 8, 7, 10, 10]
    ranks = [2, 1, 4, 3, 6, 5, 8, 7, 9.5, 9.5]
    found = rank_correlation(left, right)
    assert found.value == pytest.approx(np.corrcoef(left, ranks)[0, 1])
    assert found.low < found.value < found.high < 1


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(300):
        found = rank_correlation([*rng.normal(size=40)], [*rng.normal(size=40)])
        missed += not found.low <= 0 <= found.high
    assert missed <= 30


def test_too_little_to_say() -> None:
    assert rank_correlation([1, 2], [1, 2]).value is None
    assert rank_correlation([1.0] * 20, [*range(20)]).value is None
