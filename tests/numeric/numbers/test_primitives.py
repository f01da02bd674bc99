"""Each primitive is what its row says, and every arithmetic derives its own from that row."""

from __future__ import annotations

import dataclasses
import math

import mpmath
import numpy as np
import pytest
import sympy
from autograd import elementwise_grad

from derive.language.functions import X
from numeric.meaning.enclose_functions import ELEMENTARY, _primitive
from numeric.numbers.degree import Degree
from numeric.numbers.fifty_digits import Forward, fifty
from numeric.numbers.intervals import Interval
from numeric.numbers.prime_field import Dual
from numeric.numbers.primitives import NOT_IN_NUMPY, PRIMITIVES, Primitive, ufunc_name
from numeric.numbers.random_functions import PRIME, random_functions
from numeric.numbers.rounding import Double, Single
from numeric.verification.oracles import AUTOGRAD, _traced

ROWS = list(PRIMITIVES.values())
POINTS = [-1e9, -37.2, -3.0, -0.4, -1e-9, 0.0, 2e-300, 0.3, 1.0, 5.5, 1e4]
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def faults(row: Primitive) -> list[str]:
    """What the row says of its function and SymPy does not."""
    formula = getattr(sympy, row.short_name)(X)
    slope = sympy.diff(formula, X)
    found = []
    if sympy.simplify(slope - row.slope(X, sympy, 1 / sympy.sqrt(sympy.pi))) != 0:
        found.append("slope")
    if (sympy.simplify(formula.subs(X, -X) + formula) == 0) != row.is_odd:
        found.append("is_odd")
    if row.is_increasing and sympy.calculus.util.minimum(slope, X) < 0:
        found.append("is_increasing")
    if sympy.calculus.util.continuous_domain(slope, X, sympy.S.Reals) != sympy.S.Reals:
        found.append("smooth everywhere")
    return found


@EACH
def test_a_row_says_what_sympy_says(row: Primitive) -> None:
    assert faults(row) == []


def test_a_wrong_row_is_noticed() -> None:
    row = PRIMITIVES["arctan"]
    wrong = dataclasses.replace(row, slope=lambda a, *_: 1 / (1 + a))
    assert faults(wrong) == ["slope"]
    assert faults(dataclasses.replace(row, is_odd=False)) == ["is_odd"]
    assert faults(Primitive("sin", lambda a, *_: sympy.cos(a), True, True)) == ["is_increasing"]
    assert faults(Primitive("tan", lambda a, *_: 1 + sympy.tan(a) ** 2, True, True)) == [
        "smooth everywhere"
    ]


@EACH
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_entry_after_entry_it_is_the_nearest_float_but_for_one(row: Primitive, dtype: str) -> None:
    points = np.array(POINTS, dtype)
    found = row.of_each(points)
    assert found.dtype == row.of_each(points[:0]).dtype == points.dtype
    with mpmath.workdps(60):
        for got, point in zip(found, points, strict=True):
            want = getattr(mpmath, row.short_name)(mpmath.mpf(float(point)))
            assert abs(float(got) - want) <= np.spacing(np.abs(got))


def test_names_lead_back_and_forth() -> None:
    for row in ROWS:
        assert ufunc_name(row.short_name) == row.name
        assert (row.name in NOT_IN_NUMPY) != isinstance(getattr(np, row.name, None), np.ufunc)
    assert ufunc_name("tanh") == "tanh"


@EACH
def test_fifty_digits_carry_value_and_slope(row: Primitive) -> None:
    for point in POINTS:
        found = getattr(Forward(fifty(point), {0: fifty(1)}), row.name)()
        with mpmath.workdps(60):
            want = getattr(mpmath, row.short_name)(mpmath.mpf(point))
            slope = row.slope(mpmath.mpf(point), mpmath, 1 / mpmath.sqrt(mpmath.pi))
            value, moved = mpmath.mpf(str(found.value)), mpmath.mpf(str(found.derivatives[0]))
            assert abs(value - want) <= abs(want) * mpmath.mpf(10) ** -49
            assert abs(moved - slope) <= abs(slope) * mpmath.mpf(10) ** -30


@EACH
def test_field_elements_carry_the_slope_and_the_parity(row: Primitive) -> None:
    with random_functions(4) as functions:
        a = Dual(123456789, 987, -0.7)
        found = getattr(a, row.name)()
        slope = row.slope(Dual(a.value, 0, a.shadow), Dual)
        assert found.tangent == slope.value * a.tangent % PRIME
        assert found.shadow == row.at(-0.7)
        if row.is_odd:
            assert getattr(-a, row.name)().value == PRIME - found.value
            assert getattr(Dual.lift(0), row.name)().value == 0
        assert functions.asked > 1
        assert getattr(Dual(123456790, 0, -0.7), row.name)().value != found.value


def test_a_primitive_that_is_not_odd_is_random_on_both_sides() -> None:
    row = Primitive("cosh", lambda a: a, is_odd=False, is_increasing=False)
    with random_functions(4) as functions:
        assert functions.primitive(row, 5) != PRIME - functions.primitive(row, PRIME - 5)
        assert functions.asked == 1 + 2


@EACH
@pytest.mark.parametrize("kind", [Double, Single])
def test_the_rounding_bound_covers_an_error_of_the_argument(row: Primitive, kind: type) -> None:
    for point in POINTS:
        for error in (0.0, 1e-12 * abs(point), 1e-3 * abs(point)):
            found = getattr(kind(point, error), row.name)()
            for moved in (point - error, point + error):
                with mpmath.workdps(60):
                    want = getattr(mpmath, row.short_name)(mpmath.mpf(moved))
                assert abs(mpmath.mpf(found.value) - want) <= found.error


def test_a_slope_may_take_a_root_in_every_arithmetic() -> None:
    row = Primitive("arcsinh", lambda a, of=np, *_: 1 / of.sqrt(1 + a * a), True, True)
    assert faults(row) == []
    slope = 1 / math.sqrt(1 + 0.7**2)
    found = Forward(fifty(0.7), {0: fifty(1)}).primitive(row)
    assert math.isclose(float(found.derivatives[0]), slope, rel_tol=1e-15)
    assert math.isclose(elementwise_grad(_traced(row))(0.7), slope, rel_tol=1e-15)
    with random_functions(4):
        assert Dual(123456789, 987, -0.7).primitive(row).tangent not in (0, 987)
    moved = Double(0.7, 1e-3).primitive(row)
    assert abs(math.asinh(0.701) - moved.value) <= moved.error < 1e-3


def test_what_does_not_only_rise_is_enclosed_by_its_steepest_slope() -> None:
    box = Interval(np.array([-0.5]), np.array([0.25]))
    for row in ROWS:
        found = _primitive(dataclasses.replace(row, is_increasing=False))(box)
        assert found.lo[0] <= row.at(-0.5) < row.at(0.25) <= found.hi[0]
        assert found.hi[0] - found.lo[0] < 1


def test_degrees_count_it_as_a_new_variable() -> None:
    found = Degree(7.0, 2.0, 0.5).arctan()
    assert (found.top, found.bottom) == (1.0, 1.0)
    assert math.isclose(found.shadow, math.atan(0.5), rel_tol=1e-15)


@EACH
def test_an_interval_contains_it_and_is_tight(row: Primitive) -> None:
    for low in POINTS:
        for high in (p for p in POINTS if p >= low):
            box = Interval(np.array([low]), np.array([high]))
            found = ELEMENTARY[row.name](box)
            for point in (low, high, 0.5 * low + 0.5 * high):
                with mpmath.workdps(60):
                    want = getattr(mpmath, row.short_name)(mpmath.mpf(point))
                assert found.lo[0] <= want <= found.hi[0]
            width = row.at(high) - row.at(low)
            assert found.hi[0] - found.lo[0] <= width + 1e-12 * max(
                abs(row.at(low)), abs(row.at(high)), 1e-280
            )


@EACH
def test_autograd_has_it(row: Primitive) -> None:
    points = np.array([-3.0, -0.4, 0.3, 5.5])
    found = elementwise_grad(AUTOGRAD.function(row.name))(points)
    np.testing.assert_allclose(found, [row.slope(float(p)) for p in points], rtol=1e-14, atol=0)
