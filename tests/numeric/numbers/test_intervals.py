"""Intervals contain what they must: against exact rationals and mpmath at many digits."""

from __future__ import annotations

import operator
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import by_day
from sympy import MatrixSymbol

from derive import Cell
from derive.language.expr import Concat, size
from derive.language.functions import FUNCTIONS
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import slope_on, value_on
from numeric.numbers import intervals as iv
from numeric.numbers.intervals import Interval, interval

FLOATS = st.floats(-1e6, 1e6, allow_subnormal=True)
PAIRS = st.tuples(FLOATS, FLOATS).map(sorted)


def box(pair):
    return Interval(np.array([pair[0]]), np.array([pair[1]]))


@pytest.mark.parametrize("act", [operator.add, operator.sub, operator.mul, operator.truediv])
@given(a=PAIRS, b=PAIRS, s=st.fractions(0, 1), t=st.fractions(0, 1))
def test_operations_contain_the_exact_result(act, a, b, s, t):
    x = Fraction(a[0]) + s * (Fraction(a[1]) - Fraction(a[0]))
    y = Fraction(b[0]) + t * (Fraction(b[1]) - Fraction(b[0]))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found = act(box(a), box(b))
    if act is operator.truediv and y == 0:
        return
    exact = act(x, y)
    low, high = found.lo[0], found.hi[0]
    assert np.isneginf(low) or Fraction(low) <= exact
    assert np.isposinf(high) or exact <= Fraction(high)


@pytest.mark.parametrize(("a", "b"), [(1e200, 1e-310), (1e-310, 1e200), (1e300, 5e-324)])
def test_products_of_large_and_subnormal_numbers_keep_their_error(a, b):
    found = interval(np.full((1, 3), a)) @ interval(np.full((3, 1), b * 1.1))
    exact = 3 * Fraction(a) * Fraction(b * 1.1)
    assert Fraction(found.lo[0, 0]) < exact < Fraction(found.hi[0, 0])


@pytest.mark.parametrize("exponent", [400, -400])
def test_numbers_beyond_the_floats_have_an_interval(exponent):
    for sign in (1, -1):
        found = iv.rational(sign * Fraction(10) ** exponent)
        low, high = float(found.lo), float(found.hi)
        assert np.isinf(low) or Fraction(low) <= sign * Fraction(10) ** exponent
        assert np.isinf(high) or Fraction(high) >= sign * Fraction(10) ** exponent


@given(seed=st.integers(0, 10**6), n=st.integers(1, 5), width=st.sampled_from([0.0, 1e-9, 1.0]))
def test_matrix_products_contain_the_exact_product(seed, n, width):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 4)), rng.normal(size=(4, 3))
    found = Interval(a - width, a + width) @ b
    exact = [[sum(Fraction(a[i, k]) * Fraction(b[k, j]) for k in range(4)) for j in range(3)]
             for i in range(n)]  # fmt: skip
    for i in range(n):
        for j in range(3):
            assert Fraction(found.lo[i, j]) <= exact[i][j] <= Fraction(found.hi[i, j])


def test_a_product_without_outward_rounding_would_be_caught():
    a, b = np.full((1, 3), 0.1), np.full((3, 1), 0.1)
    exact = 3 * Fraction(0.1) ** 2
    bare = Fraction(float((a @ b)[0, 0]))
    found = interval(a) @ b
    assert bare != exact
    assert Fraction(found.lo[0, 0]) < exact < Fraction(found.hi[0, 0])


POINTS = np.concatenate([
    np.linspace(-6, 6, 61), [-800.0, -745.0, -40.0, -20.0, 20.0, 40.0, 800.0, 1e-300, -1e-200, 1e-8]
])  # fmt: skip


def _exact(formula, x):
    from sympy import lambdify

    return lambdify(*formula, modules="mpmath")(mpmath.mpf(x))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_and_slopes_contain_the_exact_value(name):
    from derive.language.functions import X

    row = FUNCTIONS[name]
    kinks = {-2.5, -1.0, 0.0, 1.0, 2.5}
    mpmath.mp.dps = 60
    for point in by_day(POINTS, 3):
        if (float(point) in kinks and row.kink) or (row.needs and point <= 0):
            continue
        if abs(point) > 50 and name in {"exp", "gelu", "silu", "elu", "softplus", "sin"}:
            continue
        for rule, formula in ((value_on, row.formula), (slope_on, row.slope)):
            bound = row.bind(formula, ())
            want = (
                _exact((X, bound), float(point)) if bound.free_symbols else mpmath.mpf(str(bound))
            )
            found = rule(row, ())(interval(np.array([point])))
            assert mpmath.mpf(float(found.lo[0])) <= want <= mpmath.mpf(float(found.hi[0])), point
    mpmath.mp.dps = 15


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@given(pair=st.tuples(st.floats(-6, 6), st.floats(-6, 6)).map(sorted), s=st.floats(0, 1))
def test_ranges_contain_every_point_of_the_box(name, pair, s):
    point = pair[0] + s * (pair[1] - pair[0])
    point = min(max(point, pair[0]), pair[1])
    row = FUNCTIONS[name]
    for rule in (value_on, slope_on):
        wide, one = rule(row, ())(box(pair)), rule(row, ())(box((point, point)))
        assert wide.lo[0] <= one.hi[0]
        assert one.lo[0] <= wide.hi[0]


def test_a_convex_combination_stays_between_its_parts():
    cell = Cell.parse(
        name="mix", equations="h = (1 - z) * h_prev + z * x", constants=["z"], sizes={"x": "n"}
    )
    z = Interval(np.array([[0.1]]), np.array([[0.9]]))
    unit = Interval(np.array([[-1.0]]), np.array([[1.0]]))
    found = enclose(cell.equations[0].value, {"z": z, "h_prev": unit, "x": unit}, {"n": 1})
    assert found.hi[0, 0] < 1 + 1e-12


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match="lower end"):
        Interval(np.array([1.0]), np.array([0.0]))
    with pytest.raises(ValueError, match="NaN"):
        Interval(np.array([np.nan]), np.array([0.0]))


def test_no_bound_times_zero_is_zero():
    wide = Interval(np.array([-np.inf]), np.array([np.inf]))
    assert (wide * 0.0).magnitude[0] == 0
    assert np.isinf(iv.exp(wide).hi[0])
    assert iv.tanh(wide).hi[0] == 1.0


@pytest.mark.parametrize("point", [709.0, 710.0, 1e4, 1e160])
def test_what_overflows_is_at_least_the_largest_float(point):
    there = box((point, point))
    low = mpmath.mpf(float(iv.exp(there).lo[0]))
    assert mpmath.mpf("8e307") < low <= mpmath.exp(mpmath.mpf(point))
    assert iv.sigmoid(-there).hi[0] < 1e-300
    assert slope_on(FUNCTIONS["softplus"], ())(-there).hi[0] < 1e-300


def test_a_product_of_one_sign_keeps_it():
    part, whole = Interval(np.zeros(1), np.ones(1)), Interval(np.array([1e-200]), np.array([0.9]))
    for a, b in ((part, whole), (-part, -whole), (part, part)):
        assert (a * b).lo == 0
        assert (a * -b).hi == 0
    mixed = Interval(np.array([-1e-200]), np.ones(1))
    assert (mixed * whole).lo < 0  # it underflows, and is not 0


@pytest.mark.parametrize("zero", ["left", "right", "neither"])
@pytest.mark.parametrize("stack", ["left", "right", "both"])
def test_a_product_of_zeros_has_the_shape_of_the_product(zero, stack):
    """Beside a stack of matrices, as a state of zeros is beside all its changes."""
    a, b = (np.ones(((4,) if stack in (side, "both") else ()) + shape)
            for side, shape in (("left", (2, 3)), ("right", (3, 5))))  # fmt: skip
    a, b = (value * (zero != side) for side, value in (("left", a), ("right", b)))
    found, wanted = interval(a) @ interval(b), a @ b
    assert found.shape == wanted.shape
    assert np.all((found.lo <= wanted) & (wanted <= found.hi))
    assert zero == "neither" or not np.any(found.magnitude)


def test_parts_that_move_and_parts_that_stay_are_stacked():
    """As in the matrix of a map, where one argument of a concat changes with the state."""
    n = size("n")
    a, b = (MatrixSymbol(name, n, 1) for name in "ab")
    moving, still = np.arange(6.0).reshape(3, 2, 1), np.array([[7.0], [8.0]])
    found = enclose(Concat(a, b), {"a": interval(moving), "b": interval(still)}, {"n": 2})
    wanted = np.concatenate([moving, np.broadcast_to(still, (3, 2, 1))], axis=1)
    np.testing.assert_array_equal(found.lo, wanted, strict=True)


SPECIAL = [-np.inf, -1.7e308, -1.0, -1e-300, -5e-324, -0.0, 0.0, 5e-324, 1e-300, 3.0, 1.7e308,
           np.inf]  # fmt: skip
ENDS = [(a, b) for a in SPECIAL for b in SPECIAL if a <= b and (np.isfinite(a) or a != b)]


def members(ends):
    """An end itself; beyond an infinite one a number that no float is."""
    return [Fraction(2**1030) * int(np.sign(e)) if np.isinf(e) else Fraction(e) for e in ends]


@pytest.mark.parametrize("act", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_special_ends_give_ends_in_order_around_the_exact_result(act):
    """Most operations do not look again at what they make: no end of theirs may be NaN."""
    lo, hi = np.array(ENDS).T
    found = act(Interval(lo[:, None], hi[:, None]), Interval(lo, hi))
    assert np.all(found.lo <= found.hi)
    for i, j in np.ndindex(*found.shape):
        low, high = found.lo[i, j], found.hi[i, j]
        for x, y in product(members(ENDS[i]), members(ENDS[j])):
            if act is operator.truediv and y == 0:
                continue
            assert np.isneginf(low) or Fraction(low) <= act(x, y), (ENDS[i], ENDS[j])
            assert np.isposinf(high) or act(x, y) <= Fraction(high), (ENDS[i], ENDS[j])


def test_middles_and_radii_of_special_ends_reach_both():
    middles, radii = Interval(*np.array(ENDS).T).halves()
    for middle, radius, ends in zip(middles, radii, ENDS, strict=True):
        assert np.isfinite(middle)
        off = max(abs(member - Fraction(middle)) for member in members(ends))
        assert radius == np.inf if np.any(np.isinf(ends)) else off <= Fraction(radius)
        assert middle == 0 or max(map(abs, ends)) > 1e-300 or min(ends) > 0 or max(ends) < 0
