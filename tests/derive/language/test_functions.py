"""One law a test, over every row of the table of elementwise functions."""

import dataclasses

import mpmath
import pytest
from profiles import by_day
from sympy import (
    Basic,
    Float,
    Interval,
    Max,
    Min,
    Piecewise,
    Rational,
    S,
    diff,
    lambdify,
    simplify,
    solve,
)
from sympy.core.relational import Relational

from derive.language.functions import ALPHA, FUNCTIONS, ElementwiseFunction, X, Y

POINTS = [-7.3, -2.6, -1.2, -0.4, 0.3, 0.9, 2.1, 2.9, 6.5]
POSITIVE = [abs(x) for x in POINTS]
ROWS = list(FUNCTIONS.values())
STEPS = [row for row in ROWS if row.surrogate is not None]
OWN = [row for row in ROWS if row.surrogate is None]  # their slope is that of their formula


def at(row, expr, symbol, value):
    return float(row.bind(expr, ()).subs(symbol, Float(value, 30)).evalf(30))


def points_of(row):
    """Points at which the function is defined."""
    return POSITIVE if row.needs else POINTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_slope_is_the_derivative_of_the_formula_or_of_what_is_declared_for_it(row):
    made = row.formula if row.surrogate is None else row.surrogate
    for x in points_of(row):
        numeric = mpmath.diff(lambda v, row=row: mpmath.mpf(at(row, made, X, v)), x, h=1e-4)
        assert at(row, row.slope, X, x) == pytest.approx(float(numeric), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_smooth_slopes_equal_sympys_own_derivative(row):
    if row.kink:
        return
    if row.formula.has(Piecewise):
        assert leaps(row) == []
    else:
        assert simplify(diff(row.formula, X) - row.slope) == 0


def leaps(row):
    """Where one piece of the slope ends and the next does not go on from it."""
    slope = row.bind(row.slope, ())
    ends = {end for one in slope.atoms(Relational) for end in solve(one.lhs - one.rhs, X)}
    sides = {end: [at(row, slope, X, end + far) for far in (-1e-9, 1e-9)] for end in ends}
    return [end for end, (left, right) in sides.items() if abs(left - right) > 1e-6]


def test_a_kink_that_is_not_stated_is_noticed():
    assert leaps(FUNCTIONS["leaky_relu"]) == [0]
    assert leaps(FUNCTIONS["softsign"]) == []


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.slope_from_output is not None], ids=lambda row: row.name
)
def test_slope_from_output_agrees_with_slope_from_input(row):
    for x in points_of(row):
        y = at(row, row.formula, X, x)
        from_output = at(row, row.slope_from_output, Y, y)
        assert from_output == pytest.approx(at(row, row.slope, X, x), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_and_slopes_lie_in_the_stated_ranges(row):
    value = lambdify(X, row.bind(row.formula, ()), "mpmath")
    slope = lambdify(X, row.bind(row.slope, ()), "mpmath")
    lows = {"value": [], "slope": []}
    for step in by_day(range(1 if row.needs else -4000, 4001), 8):
        x = mpmath.mpf(step) / 200
        x = x * x * x / 5 if row.needs else x
        lows["value"].append(value(x))
        lows["slope"].append(slope(x))
    for kind, stated in (("value", row.range), ("slope", row.slope_range)):
        low, high = (mpmath.mpf(float(b)) for b in (stated.inf, stated.sup))
        assert min(lows[kind]) >= low
        assert max(lows[kind]) <= high
        for bound, reached in ((low, min(lows[kind])), (high, max(lows[kind]))):
            if abs(bound) < 3:
                assert abs(bound - reached) < 0.06, (kind, bound, reached)


@pytest.mark.parametrize("numbers", [(0.3, 0.2), (1, 1), (2.5, 3), (40, 0.5)])
@pytest.mark.parametrize("row", [r for r in ROWS if r.parameters], ids=lambda row: row.name)
def test_ranges_hold_and_are_reached_for_other_numbers_too(row, numbers):
    one = row.at(tuple(Rational(str(n)) for n in numbers[: len(row.parameters)]))
    for expr, stated in ((one.formula, one.range), (one.slope, one.slope_range)):
        value = lambdify(X, expr, "mpmath")
        found = [value(mpmath.mpf(step) ** 3 / 2000) for step in range(-60, 61)]
        low, high = (mpmath.mpf(float(end)) for end in (stated.inf, stated.sup))
        assert low - 1e-12 <= min(found)
        assert max(found) <= high + 1e-12
        for end, reached in ((low, min(found)), (high, max(found))):
            assert abs(end) == mpmath.inf or abs(end - reached) < 0.06 * (1 + abs(end))


def test_ranges_that_disagree_with_those_of_the_defaults_are_refused():
    with pytest.raises(ValueError, match="at the defaults"):
        dataclasses.replace(FUNCTIONS["elu"], ranges=None)


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [("relu", 0, 0), ("leaky_relu", 0, 0.01), ("elu", 0, 1), ("hard_sigmoid", 2.5, 0),
     ("hard_sigmoid", -2.5, 0), ("hard_tanh", 1, 0), ("hard_tanh", -1, 0)],
)  # fmt: skip
def test_subgradient_at_a_kink_is_the_stated_one(name, x, slope):
    row = FUNCTIONS[name]
    assert row.kink
    assert at(row, row.slope, X, x) == slope
    assert at(row, row.slope_from_output, Y, at(row, row.formula, X, x)) == slope


def test_a_row_with_an_unbound_symbol_is_refused():
    with pytest.raises(ValueError, match="formula uses unbound"):
        ElementwiseFunction("bad", ALPHA * X, S.One, None, S.Reals, Interval(0, 1), "bad")


def jumps(row):
    """Where a value changes faster than the bound of the slope lets it."""
    value, step = lambdify(X, row.bind(row.formula, ()), "mpmath"), mpmath.mpf(1) / 64
    points = [step * k for k in range(-640, 641)]
    values = [value(x) for x in points]
    most = step * mpmath.mpf(str(row.largest_slope.evalf(20))) * (1 + mpmath.mpf(10) ** -10)
    pairs = zip(points, values, values[1:], strict=False)
    return [float(x) for x, left, right in pairs if abs(right - left) > most]


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_a_step_jumps_at_zero_and_is_flat_elsewhere(row):
    assert [at(row, row.formula, X, x) for x in (-2, -1e-9, 0, 1e-9, 2)] == [0, 0, 0, 1, 1]
    assert jumps(row) == [0.0]
    assert row.kink


@pytest.mark.parametrize(
    "row", [r for r in OWN if r.largest_slope.is_finite], ids=lambda row: row.name
)
def test_a_value_jumps_nowhere(row):
    assert jumps(row) == []


def test_a_jump_is_noticed():
    stairs = Piecewise((X, X > 1), (X + 1, True))
    row = ElementwiseFunction("stairs", stairs, S.One, None, S.Reals, Interval(1, 1), "s")
    assert jumps(row) == [1.0]


def written(row: ElementwiseFunction) -> list[Basic]:
    parts = (row.formula, row.slope, row.slope_from_output, row.surrogate, *(row.ranges or ()))
    return [part for part in parts if part is not None]


def evaluated(part: Basic) -> Basic:
    return part.replace(
        lambda node: isinstance(node, (Max, Min)), lambda node: node.func(*node.args)
    )


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=lambda row: row.name)
def test_no_row_has_an_extreme_that_sympy_would_write_otherwise(row):
    """They are taken as they stand."""
    for part in written(row):
        assert evaluated(part) == part
        assert evaluated(part).args == part.args


def test_an_extreme_with_an_argument_too_many_is_noticed():
    part = 1 + Max(X, X - 1, evaluate=False)
    assert evaluated(part) != part


def test_what_an_argument_has_to_be_is_said():
    assert FUNCTIONS["log"].needs == "positive"
    assert FUNCTIONS["sqrt"].needs == "not negative"
    assert not FUNCTIONS["tanh"].needs


def test_a_row_is_a_key_without_its_sets_being_written_out(monkeypatch):
    hashed = []
    monkeypatch.setattr(type(S.Reals), "__hash__", lambda self: hashed.append(self) or 0)
    assert len({FUNCTIONS["log"], FUNCTIONS["leaky_relu"], FUNCTIONS["log"]}) == 2
    assert not hashed
