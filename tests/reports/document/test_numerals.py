"""Printed numbers: an upper bound is never below its value, a lower one never above."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from derive.typeset.boxes import Number, Operator, Row, Script, Sum
from reports.document.numerals import DOWN, UP, below, figures, inside, label, places, rate
from reports.terminal.bounds import ceiling, floor


def read(box) -> Fraction:
    """The number that a box shows."""
    match box:
        case Number(text):
            return Fraction(text)
        case Sum(((sign, inner),)):
            return -read(inner) if sign == "−" else read(inner)
        case Row((mantissa, Operator("×"), Script(Number("10"), _, power))):
            return read(mantissa) * Fraction(10) ** int(read(power))
    raise AssertionError(box)


FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


@given(FLOATS)
def test_three_figures_are_rounded_to_the_safe_side(value):
    high, low = read(figures(value, UP)), read(figures(value, DOWN))
    assert low <= Fraction(value) <= high
    assert high - low <= abs(Fraction(value)) / 99


@given(st.integers(-(10**7), 10**7), st.sampled_from([-math.inf, 0.0, math.inf]))
@example(12, math.inf)
@example(-3, -math.inf)
def test_places_are_rounded_to_the_safe_side(units, towards):
    value = math.nextafter(units / 100, towards) if towards else units / 100
    low, high = (read(places(value, 2, way)) for way in (DOWN, UP))
    assert low <= Fraction(value) <= high <= low + Fraction(1, 100)
    low, high = Fraction(floor(value, 2)), Fraction(ceiling(value, 2))
    assert low <= Fraction(value) <= high <= low + Fraction(1, 100)


def test_places_of_the_largest_floats():
    assert Fraction(ceiling(1.7e308)) == Fraction(floor(1.7e308)) == Fraction(1.7e308)


@given(st.fractions(0, 10), st.fractions(0, 10))
def test_a_relation_that_holds_is_shown_to_hold(a, b):
    if abs(a - b) > Fraction(1, 10**12):
        left, right = map(read, below(min(a, b), max(a, b)))
        assert min(a, b) <= left < right <= max(a, b)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.97312, "0.974"), (0.99961, "0.9997"), (1.0, "1.00"), (1.2341, "1.24"), (1240.2, "1250")],
)
def test_a_rate_is_told_from_one(value, shown):
    assert rate(value) == Number(shown)
    assert (read(rate(value)) < 1) == (value < 1)


def test_what_is_no_number_has_its_sign():
    assert places(float("inf")) == Number("∞")
    assert places(float("nan")) == Number("–")
    assert figures(float("-inf")) == Sum((("−", Number("∞")),))
    assert figures(0.0, UP) == Number("0")


def test_a_box_is_printed_inwards_and_a_label_on_its_side():
    items = inside(-2.49999961234, 2.49999961234).body.items
    low, high = read(items[0]), read(items[-1])
    assert read(inside(0.0, 1e300).body.items[-1]) <= Fraction(1e300)
    assert Fraction(-2.49999961234) <= low < high <= Fraction(2.49999961234)
    assert label(0.12341, 3, UP) == "0.124"
    assert label(0.12349, 3, DOWN) == "0.123"
