"""Functions of the table over intervals: from the formula, and more sharply where a rule is known.

In: a function of the table and a box of arguments. Out: an `Interval` that contains φ, or φ′, of
every argument in the box. A function whose slope never changes sign is taken at the ends of the
box; any other, and every slope, by its formula part by part; both are cut to the stated range. A
comparison that the box does not decide leaves both sides open. `VALUES` and `SLOPES` hold what is
sharper than that: rules that keep small values exact in relative terms, or that use symmetry.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache, partial, reduce
from typing import Any, Final

import numpy as np
from sympy import (
    Add,
    And,
    Basic,
    Expr,
    Float,
    Function,
    GreaterThan,
    Heaviside,
    LessThan,
    Max,
    Min,
    Mul,
    Number,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Set,
    StrictGreaterThan,
    StrictLessThan,
    pi,
    sqrt,
)
from sympy.logic.boolalg import BooleanTrue

from derive.language.functions import ElementwiseFunction, X
from numeric.numbers import intervals as iv
from numeric.numbers.intervals import Interval, interval
from numeric.numbers.primitives import PRIMITIVES, Primitive, ufunc_name

Array = Any
Rule = Callable[[Interval], Interval]
Certainty = tuple[Array, Array]
Numbers = tuple[Number, ...]
_LEAK: Final = Rational(1, 100)
_HUGE: Final = 1e300
_TINY: Final = 1e-300
_row: Final = lru_cache(maxsize=1024)(ElementwiseFunction.at)


@lru_cache(maxsize=1024, typed=True)
def number(value: Expr) -> Interval:
    """A float interval around an exact constant."""
    if isinstance(value, Float):
        value = Rational(value)
    if isinstance(value, Rational):
        return iv.rational(Fraction(int(value.p), int(value.q)))
    found = float(value.evalf(30))
    ends = (np.asarray(np.nextafter(found, sign * np.inf)) for sign in (-1, 1))
    return Interval(*ends)


# ---- formulas part by part -----------------------------------------------------------------------


@lru_cache(maxsize=1024)
def by_formula(formula: Basic) -> Rule:
    """The formula of one variable as a rule on intervals.

    Raises:
        TypeError: if the formula holds a part without a meaning on intervals.
    """
    if formula == X:
        return lambda x: x
    if not formula.free_symbols:
        fixed = number(formula)
        return lambda x: fixed
    for kind, make in PARTS.items():
        if isinstance(formula, kind):
            return make(formula)
    raise TypeError(f"no interval for {type(formula).__name__}: {formula}")


def _folded(join: Callable[[Interval, Interval], Interval]) -> Callable[[Expr], Rule]:
    def make(formula: Expr) -> Rule:
        parts = [by_formula(part) for part in formula.args]
        return lambda x: reduce(join, [part(x) for part in parts])

    return make


def _power(formula: Pow) -> Rule:
    """Integer powers, and powers of the root; pairs of equal factors as squares, never negative.

    Raises:
        TypeError: for any other power.
    """
    base, exponent, root = by_formula(formula.base), formula.exp, formula.exp.q == 2
    if exponent.q > 2:
        raise TypeError(f"no interval for the power {formula}: only integers and halves")
    exponent = int(exponent * 2) if root else int(exponent)

    def rule(x: Interval) -> Interval:
        value = iv.sqrt(base(x)) if root else base(x)
        squares, rest = divmod(abs(exponent), 2)
        factors = [value.square()] * squares + [value] * rest
        raised = reduce(operator.mul, factors)
        return raised if exponent > 0 else iv.reciprocal(raised)

    return rule


def _extreme(pick: Callable[[Array, Array], Array]) -> Callable[[Expr], Rule]:
    def join(a: Interval, b: Interval) -> Interval:
        return Interval(pick(a.lo, b.lo), pick(a.hi, b.hi))

    return _folded(join)


def _chosen(verdict: Certainty, high: Interval, low: Interval) -> Interval:
    """`high` where it certainly holds, `low` where it certainly does not, else both."""
    yes, no = verdict
    both = high.hull(low)
    return Interval(
        np.where(yes, high.lo, np.where(no, low.lo, both.lo)),
        np.where(yes, high.hi, np.where(no, low.hi, both.hi)),
    )


def _piecewise(formula: Piecewise) -> Rule:
    *pieces, (last, _) = formula.args
    otherwise = by_formula(last)
    made = [(by_formula(piece), _decided(condition)) for piece, condition in reversed(pieces)]

    def rule(x: Interval) -> Interval:
        value = otherwise(x)
        for piece, condition in made:
            value = _chosen(condition(x), piece(x), value)
        return value

    return rule


def _heaviside(formula: Heaviside) -> Rule:
    inner = by_formula(formula.args[0])

    def rule(x: Interval) -> Interval:
        value = inner(x)
        return _chosen((value.lo > 0, value.hi <= 0), interval(1.0), interval(0.0))

    return rule


def _decided(condition: Basic) -> Callable[[Interval], Certainty]:
    """Where a condition certainly holds, and where it certainly does not.

    Raises:
        TypeError: for a condition of another kind.
    """
    if isinstance(condition, BooleanTrue):
        return lambda x: (np.True_, np.False_)
    if isinstance(condition, (And, Or)):
        parts = [_decided(part) for part in condition.args]
        all_of, one_of = operator.and_, operator.or_
        if isinstance(condition, Or):
            all_of, one_of = one_of, all_of

        def joined(x: Interval) -> Certainty:
            found = [part(x) for part in parts]
            return reduce(all_of, [yes for yes, _ in found]), reduce(
                one_of, [no for _, no in found]
            )

        return joined
    if isinstance(condition, (StrictGreaterThan, StrictLessThan)):
        return _larger(condition.gts, condition.lts)
    if isinstance(condition, (GreaterThan, LessThan)):
        smaller = _larger(condition.lts, condition.gts)
        return lambda x: smaller(x)[::-1]
    raise TypeError(f"no interval for the condition {type(condition).__name__}: {condition}")


def _larger(left: Expr, right: Expr) -> Callable[[Interval], Certainty]:
    first, second = by_formula(left), by_formula(right)

    def compare(x: Interval) -> Certainty:
        one, two = first(x), second(x)
        return one.lo > two.hi, one.hi <= two.lo

    return compare


_BY_ROOT_PI: Final = number(1 / sqrt(pi))


def _primitive(row: Primitive) -> Rule:
    """φ at both ends where it only rises, else φ(middle) ± radius · sup |φ′|."""
    function: Callable[[Array], Array] = getattr(np, row.name, row.of_each)

    def at(point: Array) -> Interval:
        found = iv.widened(function(point))
        zero = (point == 0) & row.is_odd
        return Interval(
            np.where(zero, 0.0, found.lo - _TINY), np.where(zero, 0.0, found.hi + _TINY)
        )

    def rule(x: Interval) -> Interval:
        if row.is_increasing:
            return Interval(at(x.lo).lo, at(x.hi).hi)
        return at(x.middle) + interval(x.radius) * _symmetric(
            row.slope(x, iv, _BY_ROOT_PI).magnitude
        )

    return rule


def _symmetric(size: Array) -> Interval:
    return Interval(-size, size)


ELEMENTARY: Final[Mapping[str, Rule]] = {
    "exp": iv.exp, "log": iv.log, "tanh": iv.tanh, "sin": iv.sin, "cos": iv.cos,
    **{name: _primitive(row) for name, row in PRIMITIVES.items()},
}  # fmt: skip


def _elementary(formula: Function) -> Rule:
    name = ufunc_name(type(formula).__name__)
    if name not in ELEMENTARY:
        raise TypeError(f"no interval for the function {name}: {formula}")
    inner, outer = by_formula(formula.args[0]), ELEMENTARY[name]
    return lambda x: outer(inner(x))


PARTS: Final[dict[type, Callable[[Any], Rule]]] = {
    Add: _folded(operator.add), Mul: _folded(operator.mul), Pow: _power,
    Max: _extreme(np.maximum), Min: _extreme(np.minimum), Piecewise: _piecewise,
    Heaviside: _heaviside, Function: _elementary,
}  # fmt: skip


# ---- sharper rules of single functions ---------------------------------------------------------


def _clipped(low: float, high: float) -> Callable[[Interval], Interval]:
    return lambda x: Interval(np.clip(x.lo, low, high), np.clip(x.hi, low, high))


def _leaky(x: Interval, alpha: Any = _LEAK) -> Interval:
    """Max(x, 0) + α min(x, 0), increasing for α ≥ 0."""
    return _clipped(0.0, np.inf)(x) + number(alpha) * _clipped(-np.inf, 0.0)(x)


def _elu(x: Interval, alpha: Any = S.One) -> Interval:
    below = _clipped(-np.inf, 0.0)(x)
    return _clipped(0.0, np.inf)(x) + number(alpha) * (iv.exp(below) - 1.0)


def _softsign(x: Interval) -> Interval:
    """X / (1 + |x|) at both ends, within ±1."""

    def at(point: Array) -> Interval:
        finite = interval(np.clip(point, -1e300, 1e300))
        return finite / (1.0 + finite.absolute())

    return Interval(np.maximum(at(x.lo).lo, -1.0), np.minimum(at(x.hi).hi, 1.0))


def _scaled_tanh(x: Interval, *given: Any) -> Interval:
    alpha, beta = map(number, (*given, *_STANH[len(given) :]))
    return alpha * iv.tanh(beta * x)


_STANH: Final = (Rational(17159, 10000), Rational(2, 3))
VALUES: Final[dict[str, Callable[..., Interval]]] = {
    "tanh": iv.tanh, "sigmoid": iv.sigmoid, "leaky_relu": _leaky, "elu": _elu,
    "softplus": iv.softplus, "abs": Interval.absolute, "softsign": _softsign,
    "scaled_tanh": _scaled_tanh,
}  # fmt: skip


def _falling(at: Callable[[Interval], Interval]) -> Callable[[Interval], Interval]:
    """A slope that is even and falls with |x|: its largest value where |x| is smallest."""

    def rule(x: Interval) -> Interval:
        found = at(interval(np.stack([x.mignitude, x.magnitude])))
        return Interval(np.maximum(found.lo[1], 0.0), found.hi[0])

    return rule


def _logistic_slope(distance: Interval) -> Interval:
    """σ′ = e / (1 + e)² with e = exp(−|x|), exact in relative terms for every x; at most ¼."""
    power = iv.exp(-distance)
    found = power / (1.0 + power).square()
    return Interval(found.lo, np.minimum(found.hi, 0.25))


_sigmoid_slope: Final = _falling(_logistic_slope)


def _tanh_slope(x: Interval) -> Interval:
    """Tanh′(x) = 4 σ′(2x)."""
    found = _sigmoid_slope(x * 2.0)
    return Interval(4.0 * found.lo, 4.0 * found.hi)


def _scaled_slope(x: Interval, *given: Any) -> Interval:
    alpha, beta = map(number, (*given, *_STANH[len(given) :]))
    return alpha * beta * _tanh_slope(beta * x)


def _half(x: Interval, low: Interval) -> Interval:
    return _chosen((x.lo > 0, x.hi <= 0), interval(1.0), low)


def _elu_slope(x: Interval, alpha: Any = S.One) -> Interval:
    return _half(x, number(alpha) * iv.exp(_clipped(-np.inf, 0.0)(x)))


SLOPES: Final[dict[str, Callable[..., Interval]]] = {
    "tanh": _tanh_slope, "sigmoid": _sigmoid_slope,
    "leaky_relu": lambda x, alpha=_LEAK: _half(x, number(alpha)),
    "elu": _elu_slope, "softplus": iv.sigmoid,
    "softsign": _falling(lambda d: reciprocal_square(1.0 + d)),
    "scaled_tanh": _scaled_slope,
}  # fmt: skip


def reciprocal_square(x: Interval) -> Interval:
    """1 / x²."""
    return iv.reciprocal(x.square())


# ---- what users of this file call ----------------------------------------------------------------


def value_on(function: ElementwiseFunction, parameters: Numbers) -> Rule:
    """φ of every argument in a box: the rule, made once."""
    if (own := _own(VALUES, function, parameters)) is not None:
        made = own
    elif not parameters and (function.slope_range.inf >= 0 or function.slope_range.sup <= 0):
        made = partial(_at_the_ends, function)
    else:
        made = partial(broadcast, by_formula(function.bind(function.formula, parameters)))
    return partial(_cut, made, *_ends(_row(function, parameters).range))


def slope_on(function: ElementwiseFunction, parameters: Numbers) -> Rule:
    """φ′ of every argument in a box: the rule, made once."""
    formula = function.bind(function.slope, parameters)
    made = _own(SLOPES, function, parameters) or partial(broadcast, by_formula(formula))
    return partial(_cut, made, *_ends(_row(function, parameters).slope_range))


def _own(table: Mapping[str, Any], function: ElementwiseFunction, given: Numbers) -> Any:
    own: Any = table.get(function.name)
    fits = own is not None and all(parameter >= 0 for parameter in given)
    return (lambda x: own(x, *given)) if fits else None


def _at_the_ends(function: ElementwiseFunction, x: Interval) -> Interval:
    """A function that only rises, or only falls; far out only its range bounds it."""
    rule = by_formula(function.bind(function.formula, ()))
    first, last = (x.lo, x.hi) if function.slope_range.inf >= 0 else (x.hi, x.lo)
    low, high = (broadcast(rule, interval(np.clip(end, -_HUGE, _HUGE))) for end in (first, last))
    return Interval(np.where(np.abs(first) > _HUGE, -np.inf, low.lo),
                    np.where(np.abs(last) > _HUGE, np.inf, high.hi))  # fmt: skip


def broadcast(rule: Rule, x: Interval) -> Interval:
    """The rule's value, for a constant too as large as its argument."""
    found = rule(x)
    if found.shape == x.shape:
        return found
    return Interval(np.broadcast_to(found.lo, x.shape), np.broadcast_to(found.hi, x.shape))


def _cut(rule: Rule, low: Array, high: Array, x: Interval) -> Interval:
    """What of the rule's value lies in the stated range."""
    found = rule(x)
    return Interval(*(np.minimum(np.maximum(end, low), high) for end in (found.lo, found.hi)))


def _ends(bounds: Set) -> tuple[Array, Array]:
    """The ends of a range as floats, rounded outwards; as arrays no operation makes them one."""
    return (
        np.array(-np.inf if bounds.inf.is_infinite else float(number(bounds.inf).lo)),
        np.array(np.inf if bounds.sup.is_infinite else float(number(bounds.sup).hi)),
    )
