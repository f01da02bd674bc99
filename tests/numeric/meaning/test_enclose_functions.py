"""Intervals derived from formulas: kinks left open only where the box holds them, ends taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Ne, Or, Piecewise, Rational, Si, cbrt

from derive.language.functions import FUNCTIONS, X
from numeric.meaning.enclose_functions import SLOPES, VALUES, by_formula, slope_on, value_on
from numeric.numbers.intervals import Interval

RELU6, ARCTAN = FUNCTIONS["relu6"], FUNCTIONS["arctan"]
DERIVED = [n for n in FUNCTIONS if n not in VALUES and FUNCTIONS[n].slope_range.inf >= 0]


def box(low: float, high: float) -> Interval:
    return Interval(np.array([low]), np.array([high]))


def ends(found: Interval) -> tuple[float, float]:
    return float(found.lo[0]), float(found.hi[0])


@pytest.mark.parametrize(
    ("low", "high", "value", "slope"),
    [(-2, -1, (0, 0), (0, 0)), (-2, 0, (0, 0), (0, 0)), (-2, 1, (0, 1), (0, 1)),
     (1, 5, (1, 5), (1, 1)), (5, 6, (5, 6), (0, 1)), (6, 9, (6, 6), (0, 0)),
     (-np.inf, np.inf, (0, 6), (0, 1)), (6, np.inf, (6, 6), (0, 0))],
)  # fmt: skip
def test_a_kink_leaves_both_slopes_only_where_the_box_holds_it(low, high, value, slope) -> None:
    assert ends(value_on(RELU6, ())(box(low, high))) == value
    assert ends(slope_on(RELU6, ())(box(low, high))) == slope


def test_an_even_slope_is_tight_over_zero() -> None:
    low, high = ends(slope_on(ARCTAN, ())(box(-3.0, 2.0)))
    assert 0.1 * (1 - 1e-14) <= low <= 0.1
    assert high == 1.0
    assert ends(slope_on(ARCTAN, ())(box(-np.inf, np.inf))) == (0.0, 1.0)


@pytest.mark.parametrize("name", DERIVED)
@given(pair=st.tuples(st.floats(-50, 50), st.floats(-50, 50)).map(sorted))
def test_a_function_that_only_rises_is_taken_at_its_ends(name: str, pair: list[float]) -> None:
    row = FUNCTIONS[name]
    found = value_on(row, ())(box(*pair))
    first, last = (value_on(row, ())(box(p, p)) for p in pair)
    assert ends(found) == (first.lo[0], last.hi[0])
    assert first.hi[0] - first.lo[0] <= 1e-13 * max(abs(first.hi[0]), 1e-286)


def test_every_derived_rule_is_tried() -> None:
    assert {"relu6", "arctan", "relu", "hard_tanh", "hard_sigmoid", "identity"} <= {*DERIVED}
    assert VALUES.keys() <= FUNCTIONS.keys()
    assert SLOPES.keys() <= FUNCTIONS.keys()


def test_numbers_given_to_a_function_are_used() -> None:
    row = FUNCTIONS["leaky_relu"]
    low, high = ends(value_on(row, (Rational(1, 4),))(box(-4.0, 8.0)))
    assert -1.0 - 1e-15 <= low <= -1.0
    assert 8.0 <= high <= 8.0 * (1 + 1e-15)


@pytest.mark.parametrize("name", [name for name, row in FUNCTIONS.items() if row.parameters])
def test_over_all_numbers_the_stated_ranges_bound_value_and_slope(name: str) -> None:
    row, given = FUNCTIONS[name], (Rational(7, 2),)
    everything = Interval(np.array([-np.inf]), np.array([np.inf]))
    for found, bounds in (
        (value_on(row, given)(everything), row.at(given).range),
        (slope_on(row, given)(everything), row.at(given).slope_range),
    ):
        assert found.lo[0] == pytest.approx(float(bounds.inf))
        assert found.hi[0] == pytest.approx(float(bounds.sup))


def test_a_condition_is_decided_where_the_box_decides_it() -> None:
    rule = by_formula(Piecewise((X, Or(X >= 1, X < -1)), (0, True)))
    for pair, want in {
        (1, 2): (1, 2), (-3, -2): (-3, -2), (-1, 0.5): (0, 0), (-2, -1): (-2, 0), (0.5, 1): (0, 1),
    }.items():  # fmt: skip
        assert ends(rule(box(*pair))) == want


def test_what_has_no_interval_is_refused_by_name() -> None:
    for formula, problem in {
        Si(X): "no interval for the function Si",
        cbrt(1 + X**2): "no interval for the power",
        Piecewise((X, Ne(X, 0)), (0, True)): "no interval for the condition Unequality",
    }.items():
        with pytest.raises(TypeError, match=problem):
            by_formula(formula)
