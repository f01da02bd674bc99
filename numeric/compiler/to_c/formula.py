"""Formulas of one variable as C on vectors: how a function is spelled that has no better spelling.

In: a function of the table. Out: its `Spelling`, formula and slopes as they stand.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from sympy import (
    Abs,
    Add,
    And,
    Basic,
    Expr,
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
    StrictGreaterThan,
    StrictLessThan,
    Symbol,
    cos,
    exp,
    log,
    sin,
    tanh,
)
from sympy.logic.boolalg import BooleanTrue

from derive.language.functions import ElementwiseFunction, X, Y
from numeric.compiler.target import Spelling
from numeric.compiler.to_c.names import number_text
from numeric.numbers.primitives import PRIMITIVES, ufunc_name

_CALLS: Final[dict[type[Basic], str]] = {
    tanh: "vtanh({})", exp: "vexp({})", Abs: "vabs({})", log: "each(LIBM(log), {})",
    sin: "each(LIBM(sin), {})", cos: "each(LIBM(cos), {})",
}  # fmt: skip
_LETTERS: Final = {X: "a", Y: "y"}
_SUMS: Final = "what the sums of its formula and slope lose as written"


def spelled(row: ElementwiseFunction) -> Spelling:
    """The function's formula and slopes, as they stand.

    Raises:
        TypeError: if a part of a formula has no C text.
    """
    from_output = row.slope_from_output
    parts = [row.formula, row.slope, *([] if from_output is None else [from_output])]
    return Spelling(
        written(row.formula), written(row.slope),
        "" if from_output is None else written(from_output),
        _SUMS if any(part.has(Add) for part in parts) else "a few u everywhere",
    )  # fmt: skip


def written(expr: Expr) -> str:
    """The expression on vectors; every part in brackets of its own.

    Raises:
        TypeError: if a part of it has no C text.
    """
    match expr:
        case Number() if expr.is_Rational:
            return f"splat({number_text(expr)})"
        case _ if not expr.free_symbols and not expr.has(Heaviside, Piecewise):
            return f"splat(R({expr.evalf(25)}))"
        case Symbol():
            return _LETTERS.get(expr) or f"splat({{{expr}}})"
        case Add():
            return "(" + " + ".join(map(written, expr.args)) + ")"
        case Mul():
            return _product(expr)
        case Pow():
            return _power(expr)
        case Max() | Min():
            order = "<" if isinstance(expr, Max) else ">"
            return reduce(
                lambda a, b: f"choose({a} {order} {b}, {b}, {a})", map(written, expr.args)
            )
        case Heaviside():
            return f"choose({written(expr.args[0])} > {_ZERO}, {_ONE}, {_ZERO})"
        case Piecewise():
            pieces = [(written(value), condition) for value, condition in expr.args]
            last, _ = pieces.pop()
            for value, condition in reversed(pieces):
                last = f"choose({_condition(condition)}, {value}, {last})"
            return last
    if call := _CALLS.get(type(expr)):
        return call.format(written(expr.args[0]))
    if row := PRIMITIVES.get(ufunc_name(type(expr).__name__)):
        return f"each(LIBM({row.short_name}), {written(expr.args[0])})"
    raise TypeError(f"no C text for {type(expr).__name__} in {expr}")


_ONE, _ZERO = "splat(R(1.0))", "splat(R(0.0))"


def _product(expr: Mul) -> str:
    above = [f for f in expr.args if not (isinstance(f, Pow) and f.exp.could_extract_minus_sign())]
    below = [1 / f for f in expr.args if f not in above]
    text = " * ".join(map(written, above)) or _ONE
    return f"({text}{''.join(f' / {written(factor)}' for factor in below)})"


def _power(expr: Pow) -> str:
    base, exponent = expr.args
    if exponent.could_extract_minus_sign():
        return f"({_ONE} / {written(base**-exponent)})"
    if exponent.is_Rational and exponent.q <= 2:
        root, count = f"each(LIBM(sqrt), {written(base)})", int(exponent.p)
        factor = written(base) if exponent.is_Integer else root
        return factor if count == 1 else "(" + " * ".join([factor] * count) + ")"
    raise TypeError(f"no C text for the power {expr}")


def _condition(condition: Basic) -> str:
    match condition:
        case BooleanTrue():
            return f"({_ONE} > {_ZERO})"
        case StrictGreaterThan() | StrictLessThan() | GreaterThan() | LessThan():
            left, right = map(written, condition.args)
            return f"({left} {condition.rel_op} {right})"
        case And() | Or():
            word = " & " if isinstance(condition, And) else " | "
            return "(" + word.join(map(_condition, condition.args)) + ")"
    raise TypeError(f"no C text for the condition {condition}")
