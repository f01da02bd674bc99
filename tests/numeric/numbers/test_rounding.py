"""Numbers that carry their error keep the value that the code has, whatever its error."""

from __future__ import annotations

import math

import pytest

from numeric.numbers.rounding import Double


@pytest.mark.parametrize("value", [-0.5, 3.0, -2.0])
def test_a_logarithm_of_which_rounding_decides_keeps_its_value(value: float) -> None:
    """The error is anything; the value is still what the code computes."""
    found = Double(value, 10.0).log1p()
    assert found.error == math.inf
    assert found.value == (math.log1p(value) if value > -1 else -math.inf)
    sure = Double(value, 1e-9).log1p() if value > -1 else None
    assert sure is None or 1e-9 / (1 + abs(value)) <= sure.error < 1e-8


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_an_infinite_angle_has_no_number(name: str) -> None:
    found = getattr(Double(math.inf, math.inf), name)()
    assert math.isnan(found.value)
    assert found.error == math.inf
    assert getattr(Double(0.5, 0.0), name)().value == getattr(math, name)(0.5)
