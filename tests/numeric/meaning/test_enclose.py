"""Enclosures of expressions: no more than the values, and no less."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell
from numeric.meaning.enclose import enclose
from numeric.numbers.intervals import Interval, interval


def test_a_mixture_takes_its_share_at_both_ends() -> None:
    """Its two weights are one number: each of the ends gives one of the limits."""
    cell = Cell.parse(
        name="mixed", equations="h = (1 - z) * u + z * v + h_prev", inputs=("z", "u", "v")
    )

    def between(low: float, high: float) -> Interval:
        return Interval(np.array([[low]]), np.array([[high]]))

    values = {"z": between(0.2, 0.7), "u": between(1, 2), "v": between(-1, 3),
              "h_prev": interval(np.zeros((1, 1)))}  # fmt: skip
    found = enclose(cell.equations[0].value, values, {"n": 1})
    assert found.lo.item() == pytest.approx(-0.4, rel=1e-12)
    assert found.hi.item() == pytest.approx(2.7, rel=1e-12)
    assert found.lo.item() <= 0.3 * 1 - 0.7
    assert found.hi.item() >= 0.3 * 2 + 0.7 * 3


def test_a_square_is_no_product_of_two_numbers() -> None:
    cell = Cell.parse(name="squared", equations="h = u * u + h_prev", inputs=("u",))
    values = {"u": Interval(np.array([[-2.0]]), np.array([[1.0]])),
              "h_prev": interval(np.zeros((1, 1)))}  # fmt: skip
    found = enclose(cell.equations[0].value, values, {"n": 1})
    assert found.lo.item() == 0
    assert found.hi.item() == pytest.approx(4.0, rel=1e-12)
