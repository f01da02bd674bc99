"""Formulas of one variable over any arithmetic: what a function of the table means in numbers.

In: a formula in x, or one of its slopes. Out: a function of arrays, made once for an arithmetic;
`SCALARS` gives each part of a formula its meaning.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import Any, Final

from sympy import (
    Add,
    And,
    Basic,
    Expr,
    Function,
    GreaterThan,
    Heaviside,
    Integer,
    LessThan,
    Max,
    Min,
    Mul,
    Not,
    Number,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    StrictGreaterThan,
    StrictLessThan,
)
from sympy.logic.boolalg import Boolean, BooleanTrue

from derive.language.functions import ElementwiseFunction, X
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.primitives import ufunc_name

Array = Any
_POINTS: Final = tuple(Rational(n, 2) for n in (1, -1, 0, 2, -2, 4, -4, 8, -8, 32, -32, 200, -200))
Scalar = Callable[[Array], Array]


def scalar(formula: Basic, x: Array, arithmetic: Arithmetic) -> Array:
    """The formula of one variable x at every entry.

    Raises:
        TypeError: if the formula holds a part without a meaning here.
    """
    return formula_of(formula, arithmetic)(x)


@lru_cache(maxsize=4096)
def formula_of(formula: Basic, arithmetic: Arithmetic) -> Scalar:
    """The formula as a function of its variable, made once.

    Raises:
        TypeError: if the formula holds a part without a meaning here.
    """
    if formula == X:
        return lambda x: x
    if not formula.free_symbols and not isinstance(formula, BooleanTrue):
        held = arithmetic.number(formula)
        return lambda x: held
    for kind, rule in SCALARS.items():
        if isinstance(formula, kind):
            return rule(formula, arithmetic)
    raise TypeError(f"no number for {type(formula).__name__}: {formula}")


def function_of(
    row: ElementwiseFunction, parameters: tuple[Number, ...], arithmetic: Arithmetic
) -> Scalar:
    """φ of every entry; numbers that carry derivatives get the slope that is declared, if one is.

    Where s′ is declared as the slope of φ, that is φ(x) + s(x) − s, the last one a constant.
    """
    value = formula_of(row.bind(row.formula, parameters), arithmetic)
    if row.surrogate is None or not arithmetic.differentiates:
        return value
    surrogate = formula_of(row.bind(row.surrogate, parameters), arithmetic)

    def declared(x: Array) -> Array:
        moving = surrogate(x)
        return value(x) + (moving - arithmetic.constant(moving))

    return declared


def joined(
    join: Callable[[Array, Array], Array], parts: Sequence[Callable[[Any], Array]]
) -> Callable[[Any], Array]:
    """The values of the parts joined, from the first on."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        one, two = parts
        return lambda at: join(one(at), two(at))
    return lambda at: reduce(join, [part(at) for part in parts])


def _fold(join: Callable[[Array, Array], Array]) -> Callable[[Any, Arithmetic], Scalar]:
    def rule(formula: Expr, arithmetic: Arithmetic) -> Scalar:
        return joined(join, [formula_of(part, arithmetic) for part in _gather(formula)])

    return rule


def _product(formula: Mul, arithmetic: Arithmetic) -> Scalar:
    """The operands one after the other; −1 is a sign, no factor."""
    sign, *rest = parts = _gather(formula)
    if sign != -1:
        return joined(operator.mul, [formula_of(part, arithmetic) for part in parts])
    value = joined(operator.mul, [formula_of(part, arithmetic) for part in rest])
    return lambda x: -value(x)


def _gather(formula: Expr) -> tuple[Expr, ...]:
    """The operands; the irrational constants of a product as one, the rational as another."""
    if not isinstance(formula, Mul):
        return tuple(formula.args)
    constants = [part for part in formula.args if not part.free_symbols]
    rational = Mul(*(part for part in constants if part.is_Rational))
    irrational = Mul(*(part for part in constants if not part.is_Rational))
    rest = [part for part in formula.args if part.free_symbols]
    return (*(part for part in (rational, irrational) if part != 1), *rest)


def _power(formula: Pow, arithmetic: Arithmetic) -> Scalar:
    """Whole powers, and powers of the root."""
    base = formula_of(formula.base, arithmetic)
    exponent, root = int(formula.exp * (1 if formula.exp.is_Integer else 2)), None
    if not formula.exp.is_Integer:
        root = arithmetic.namespace.sqrt
    reciprocal, count = arithmetic.reciprocal, abs(exponent)

    def value(x: Array) -> Array:
        factor = base(x) if root is None else root(base(x))
        raised = reduce(operator.mul, [factor] * count)
        return raised if exponent > 0 else reciprocal(raised)

    return value


def _function(formula: Function, arithmetic: Arithmetic) -> Scalar:
    """Any function that NumPy knows, by its name there.

    Raises:
        TypeError: for a function that NumPy, or the arithmetic, does not know.
    """
    name, argument = ufunc_name(type(formula).__name__), formula.args[0]
    if name == "log" and argument.is_Add and S.One in argument.args:
        past_one = arithmetic.function("log1p")  # 1 + e^x forgets a small e^x
        if past_one is not None:
            rest = formula_of(argument - 1, arithmetic)
            return lambda x: past_one(rest(x))
    rule = arithmetic.function(name)
    if rule is None:
        raise TypeError(f"no number for the function {name}: {formula}")
    inner = formula_of(argument, arithmetic)
    return lambda x: rule(inner(x))


def _extreme(sign: int) -> Callable[[Any, Arithmetic], Scalar]:
    """Max or Min; where both are equal the constant wins: the slope at a kink is that of flat."""

    def rule(formula: Expr, arithmetic: Arithmetic) -> Scalar:
        *others, last = (
            formula_of(part, arithmetic)
            for part in sorted(formula.args, key=lambda part: not part.free_symbols)
        )
        decide, where = arithmetic.decide, arithmetic.namespace.where

        def value(x: Array) -> Array:
            found = last(x)
            for other in reversed(others):
                left = other(x)
                found = where(decide(left) * sign > decide(found) * sign, left, found)
            return found

        return value

    return rule


def _point(condition: Boolean) -> Expr:
    """A number at which the condition holds.

    Raises:
        ValueError: if none of those tried is one.
    """
    for point in _POINTS:
        if condition.subs(dict.fromkeys(condition.free_symbols, point)) == True:  # noqa: E712
            return point
    raise ValueError(f"no number found at which {condition} holds")


def _piecewise(formula: Piecewise, arithmetic: Arithmetic) -> Scalar:
    """Each piece is asked at points where it holds alone: elsewhere it may divide by zero."""
    *pieces, (otherwise, _) = formula.args
    last, where = formula_of(otherwise, arithmetic), arithmetic.namespace.where
    tried = [
        (formula_of(piece, arithmetic), formula_of(condition, arithmetic),
         arithmetic.number(_point(condition)))
        for piece, condition in reversed(pieces)
    ]  # fmt: skip
    outside = arithmetic.number(_point(Not(Or(*(condition for _, condition in pieces)))))

    def value(x: Array) -> Array:
        chosen = [condition(x) for _, condition, _ in tried]
        rest = x
        for holds in chosen:
            rest = where(holds, outside, rest)
        found = last(rest)
        for (piece, _, inside), holds in zip(tried, chosen, strict=True):
            found = where(holds, piece(where(holds, x, inside)), found)
        return found

    return value


def _compare(test: Callable[[Array, Array], Array]) -> Callable[[Any, Arithmetic], Scalar]:
    def rule(formula: Basic, arithmetic: Arithmetic) -> Scalar:
        decide = arithmetic.decide
        one, two = (formula_of(side, arithmetic) for side in formula.args)
        return lambda x: test(decide(one(x)), decide(two(x)))

    return rule


def _heaviside(formula: Heaviside, arithmetic: Arithmetic) -> Scalar:
    zero, one = arithmetic.number(Integer(0)), arithmetic.number(Integer(1))
    inner = formula_of(formula.args[0], arithmetic)
    decide, where = arithmetic.decide, arithmetic.namespace.where
    return lambda x: where(decide(inner(x)) > 0, one, zero)


SCALARS: Final[dict[type, Callable[[Any, Arithmetic], Scalar]]] = {
    Add: _fold(operator.add), Mul: _product, Pow: _power,
    Max: _extreme(1), Min: _extreme(-1), Piecewise: _piecewise, Heaviside: _heaviside,
    StrictGreaterThan: _compare(operator.gt), StrictLessThan: _compare(operator.lt),
    GreaterThan: _compare(operator.ge), LessThan: _compare(operator.le),
    And: _fold(operator.and_), Or: _fold(operator.or_), Function: _function,
}  # fmt: skip
