"""What is printed never says more than is proved: bounds outwards, boxes inwards."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from numeric.numbers.printed import (
    box_around,
    box_ends,
    box_text,
    ceiling,
    floor,
    rate_down,
    rate_up,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(value=FLOATS)
def test_bounds_are_rounded_outwards_from_their_exact_value(value):
    assert Fraction(ceiling(value)) >= Fraction(value)
    assert Fraction(floor(value)) <= Fraction(value)


@example(ends=(-2.4999996, 2.4999996))
@example(ends=(0.1, math.nextafter(0.1, 1)))
@given(ends=st.tuples(FLOATS, FLOATS).map(sorted))
def test_a_printed_box_lies_inside_the_one_that_is_meant(ends):
    low, high = ends
    first, last = map(Fraction, box_ends(low, high))
    assert first <= last
    assert low == high or Fraction(low) <= first
    assert low == high or last <= Fraction(high)


@pytest.mark.parametrize(("low", "high", "text"), [
    (-1.0, 1.0, "[-1, 1]"), (0.0, 0.0, "[0, 0]"),
    (-2.4999996, 2.4999996, "[-2.4999996, 2.4999996]"),
    (-0.1, 0.1, "[-0.1, 0.1]"), (0.3, 0.3, "[0.3, 0.3]"), (-math.inf, math.inf, "[-inf, inf]"),
    (0.0, 1e-9, "[0, 1e-9]"), (-3.14159265, 1e20, "[-3.14159, 1e+20]"),
])  # fmt: skip
def test_boxes_as_people_read_them(low, high, text):
    assert box_text(low, high) == text


@given(text=st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=0,
                        max_value=10**6))  # fmt: skip
def test_a_box_given_in_decimals_holds_them_and_is_printed_as_given(text):
    low, high = box_around(-text, text)
    assert Decimal(low) <= -text
    assert Decimal(high) >= text
    if len(text.normalize().as_tuple().digits) <= 6:
        assert Fraction(box_text(low, high)[1:-1].split(", ")[1]) == Fraction(text)


@given(value=st.floats(100, 1e300))
def test_the_power_of_ten_of_a_rate_is_rounded_up(value):
    above, below = (Decimal(say(value).removeprefix("10^")) for say in (rate_up, rate_down))
    with localcontext(prec=60):
        assert Decimal(10) ** below <= Decimal(value) <= Decimal(10) ** above
