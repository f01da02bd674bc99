"""The elementwise functions of a cell as a report states them: slope, its range, its kinks.

In: functions of the table with their parameters. Out: rows of equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from sympy import (
    And,
    Expr,
    Heaviside,
    Max,
    Min,
    Piecewise,
    Rational,
    ceiling,
    exp,
    floor,
    fraction,
    pi,
)
from sympy import (
    Number as SympyNumber,
)
from sympy import (
    Symbol as SympySymbol,
)
from sympy.core.function import Function
from sympy.core.relational import Relational

from derive.language.functions import FUNCTIONS, ElementwiseFunction, X, Y
from derive.theorems.letters import Letters
from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Number,
    Operator,
    Root,
    Sum,
    Symbol,
    row,
    sup,
    width,
)
from derive.typeset.layout import Layout
from reports.document.model import EquationRow, Inlines, Paragraph
from reports.document.words import Speaker

WIDEST: Final = 26.0
"""A slope wider than this, in em, is not written out; its range is."""
_U: Final = SympySymbol("u")
_OWN: Final = (
    ("u", "v", "s", "eta"), ("y", "z", "w", "omega"), ("xi", "chi", "nu"), ("Psi", "Phi", "Xi"),
    ("alpha", "theta", "mu"), ("beta", "lambda", "tau"),
)  # fmt: skip
_SIGMA: Final = SympySymbol("sigma_of_u")
_SIGNS: Final = {">": ">", "<": "<", ">=": "≥", "<=": "≤"}


def slope_rows(
    say: Speaker, function: ElementwiseFunction, parameters: tuple[SympyNumber, ...] = ()
) -> Iterator[EquationRow]:
    """φ′(u) = …, through y = φ(u) where that is shorter, a row for each piece."""
    if function.surrogate is not None:  # its numbers as they are: it has no letters for them
        function = function.at(parameters)
    made = _pieces(function)
    plain, primed = (say.layout.function(function, primed) for primed in (False, True))
    left, value = row(primed, Fenced(Symbol("u"))), row(plain, Fenced(Symbol("u")))
    bounds = None if parameters else _range(function)
    if made is None:
        if bounds and bounds[0] and bounds[1]:
            yield EquationRow(
                left, bounds[1], note=say.sentence("slopes.at_least", bounds[0]), sign="≤"
            )
        return
    pieces, through = made
    for place, (box, condition) in enumerate(pieces):
        parts: list[Inlines] = []
        if len(pieces) > 1:
            parts.append(say.sentence("slopes.elsewhere") if condition is None else
                         say.sentence("slopes.piece", condition))  # fmt: skip
        if not place:
            defined = _definition(function)
            parts += [say.sentence("slopes.through", row("y", "=", value, *defined))
                      ] if through else []  # fmt: skip
            parts += [say("{0}", row(str(symbol), "=", Layout().of(number)))
                      for symbol, number in _given(function, parameters)]  # fmt: skip
        if place == len(pieces) - 1:
            parts += [say("{0}", _between(left, *bounds))] if bounds else []
            parts += [_kink(say, function)] if function.kink else []
        yield EquationRow(left, box, note=say.listed(parts, "words.semicolon"))


def _kink(say: Speaker, function: ElementwiseFunction) -> Inlines:
    """Which slope is taken where there is none."""
    slope, *places = function.kink
    if function.surrogate is not None:
        return say.sentence("slopes.declared_jump", *places)
    if len(places) == 1:
        return say.sentence("slopes.at_kink", slope, *places)
    return say.sentence("slopes.at_kinks", slope, ", ".join(places[:-1]), places[-1])


def lettered(row: Any, letters: Letters) -> Any:
    """A row, or a paragraph, with letters that the cell does not have, for u, y and the like."""
    names = {choices[0]: letters(*choices) for choices in _OWN}

    def of(part: Any) -> Any:
        if isinstance(part, Symbol):
            return Symbol(names.get(part.name, part.name))
        if isinstance(part, tuple):
            return tuple(map(of, part))
        if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{one.name: of(getattr(part, one.name)) for one in fields(part)})
        return part

    return of(row)


def _definition(function: ElementwiseFunction) -> tuple[str | Box, ...]:
    """What a function is, where it is one formula and no letter of its own says it."""
    formula = function.formula.subs(X, _U)
    named = isinstance(formula, Function) and formula.args == (_U,)
    if named or formula == _U or formula.has(Piecewise):
        return ()
    return "=", _box(formula)


def declared_rule(say: Speaker, functions: Iterable[ElementwiseFunction]) -> Iterator[Paragraph]:
    """What all that follows is the gradient of, where slopes are declared."""
    declared = {f.name: f for f in functions if f.surrogate is not None}
    if not declared:
        return
    slopes = say.listed([say("{0}", say.layout.function(f, True)) for f in declared.values()])
    (step, *_) = (say.layout.function(f) for f in declared.values())
    a, fixed, whole = Symbol("xi"), sup(Symbol("xi"), Operator("∘")), Symbol("Psi")
    stands_in = Sum((("+", row(step, Fenced(fixed))), ("+", row(whole, Fenced(a))),
                     ("−", row(whole, Fenced(fixed)))))  # fmt: skip
    yield Paragraph(say.sentence("slopes.surrogate", slopes, step, whole, stands_in,
                                 row(step, Fenced(a)), fixed, a))  # fmt: skip


def _given(
    function: ElementwiseFunction, parameters: tuple[SympyNumber, ...]
) -> Iterator[tuple[SympySymbol, SympyNumber]]:
    for place, (symbol, default) in enumerate(function.parameters):
        yield symbol, parameters[place] if place < len(parameters) else default


def _range(function: ElementwiseFunction) -> tuple[Box | None, Box | None] | None:
    """The ends of the slope's range, where they are finite; None where the slope is constant."""
    low, high = function.slope_range.inf, function.slope_range.sup
    if low == high:
        return None
    return (_end_box(low, floor) if low.is_finite else None,
            _end_box(high, ceiling) if high.is_finite else None)  # fmt: skip


def _end_box(value: Expr, outward: Any) -> Box:
    """An end of a range; a long fraction as a decimal that is further out."""
    if value.is_Rational and value.q > 10:
        return Layout().of(Rational(outward(value * 1000), 1000))
    return _box(value)


def _between(slope: Box, low: Box | None, high: Box | None) -> Box:
    return row(*([low, "≤"] if low else []), slope, *(["≤", high] if high else []))


def _pieces(
    function: ElementwiseFunction,
) -> tuple[list[tuple[Box, Box | None]], bool] | None:
    """Value and condition of each piece, and whether they speak of y; None if too wide."""
    for expr, through in ((function.slope_from_output, True), (function.slope, False)):
        if expr is None:
            continue
        short = expr.subs(FUNCTIONS["sigmoid"].formula, _SIGMA).subs(X, _U)
        pieces = [(_box(value), _condition(when)) for value, when in _branches(short)]
        if all(width(box) <= WIDEST for box, _ in pieces):
            return pieces, through and expr.has(Y)
    return None


def _branches(expr: Expr) -> list[tuple[Expr, Any]]:
    if isinstance(expr, Heaviside):
        return [(Rational(1), expr.args[0] > 0), (Rational(0), True)]
    if isinstance(expr, Piecewise):
        return [tuple(pair) for pair in expr.args]
    return [(expr, True)]


def _condition(when: Any) -> Box | None:
    """A condition in signs; None for what holds elsewhere."""
    if isinstance(when, And):
        low, high = sorted(when.args, key=lambda part: not _lower(part))
        return row(_box(_end(low)), "<", _box(_variable(low)), "<", _box(_end(high)))
    if isinstance(when, Relational):
        return row(_box(when.lhs), _SIGNS[when.rel_op], _box(when.rhs))
    return None


def _lower(part: Relational) -> bool:
    return bool(bool(part.lhs.is_number) == (part.rel_op == "<"))


def _end(part: Relational) -> Expr:
    return part.lhs if part.lhs.is_number else part.rhs


def _variable(part: Relational) -> Expr:
    return part.rhs if part.lhs.is_number else part.lhs


def _box(expr: Expr) -> Box:
    """A formula of one variable in letters, fractions, powers and named functions."""
    if expr == _SIGMA:
        return row("sigma", Fenced(Symbol("u")))
    if expr.is_Symbol:
        return Symbol(str(expr.name))
    if expr.is_Number or expr == pi:
        return Layout().of(expr)
    if isinstance(expr, exp):
        return sup(Symbol("e"), _box(expr.args[0]))
    if isinstance(expr, (Max, Min)):
        parts = sorted(expr.args, key=lambda part: (part.is_number, str(part)))
        inside = [item for part in parts for item in (Operator(","), _box(part))][1:]
        return row(Symbol(type(expr).__name__.lower()), Fenced(row(*inside)))
    if isinstance(expr, Function):
        return row(Symbol(type(expr).__name__), Fenced(_box(expr.args[0])))
    top, bottom = fraction(expr)
    if bottom != 1:
        return Fraction(_box(top), _box(bottom))
    if expr.is_Add:
        terms = sorted(expr.args, key=lambda term: (bool(term.as_coeff_Mul()[0] < 0),
                                                    not term.is_number))  # fmt: skip
        return Sum(tuple(
            ("−", _box(-term)) if term.as_coeff_Mul()[0] < 0 else ("+", _box(term))
            for term in terms
        ))  # fmt: skip
    if expr.is_Pow and expr.exp == Rational(1, 2):
        return Root(_box(expr.base))
    if expr.is_Pow:
        return sup(_box(expr.args[0]), _box(expr.args[1]))
    if expr.is_Mul:
        number, rest = expr.as_coeff_Mul()
        if number == -1:
            return Sum((("−", _box(rest)),))
        order = sorted(expr.args, key=lambda part: (part.is_Add, part.has(_U)))
        parts = [_box(part) for part in order]
        return row(*(Fenced(part) if isinstance(part, Sum) else part for part in parts))
    if expr.is_Rational and expr.q > 10:
        return Layout().of(expr)
    return row(Operator(""), Number(str(expr)))
