"""Formulas of one variable as NumPy source: how a function is spelled that has no better spelling.

In: a function of the table. Out: its `Spelling`, formula and slopes as they stand. Constants are
never folded, equal operations keep their meaning on field elements, and where a piece is a
number it takes the dtype of the argument.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

import numpy as np
from sympy import (
    Add,
    And,
    Basic,
    Expr,
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
    S,
    StrictGreaterThan,
    StrictLessThan,
    Symbol,
)

from derive.language.functions import ElementwiseFunction, X, Y
from numeric.compiler.target import Spelling
from numeric.compiler.to_numpy.checks import EACH
from numeric.numbers.primitives import ufunc_name

ATOM, PRODUCT, SUM = 3, 2, 1
Text = tuple[str, int]
_PLAIN: Final = "a few u everywhere"
_SUMS: Final = "what the sums of its formula and slope lose as written"
_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_LETTERS: Final = {X: "a", Y: "y"}


def spelled(row: ElementwiseFunction) -> Spelling:
    """The function's formula and slopes, as they stand; without a sum, nothing cancels.

    Raises:
        TypeError: if a part of a formula has no NumPy source.
    """
    from_output = row.slope_from_output
    return Spelling(
        written(row.formula, "a"), written(row.slope, "a"),
        "" if from_output is None else written(from_output, "y"),
        _SUMS if any(f.has(Add) for f in (row.formula, row.slope, from_output or X)) else _PLAIN,
    )  # fmt: skip


def written(formula: Expr, letter: str) -> str:
    """The formula over `a` or `y`; a number fills an array like it.

    Raises:
        TypeError: if a part of the formula has no NumPy source.
    """
    return _filled(formula, letter)[0]


def number_text(number: Number) -> Text:
    """A rational as Python source that reads back as the nearest float: 1, 0.1, (1 / 3)."""
    p, q = int(number.p), int(number.q)
    rest = q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if q == 1:
        text = str(p)
    elif rest == 1:
        text = repr(p / q)
    else:
        text = f"({p} / {q})"
    return text, PRODUCT if text.startswith("-") else ATOM


def _of(formula: Basic) -> Text:
    if formula in _LETTERS:
        return _LETTERS[formula], ATOM
    if isinstance(formula, Symbol):
        return f"{{{formula.name}}}", ATOM
    if not formula.free_symbols:
        return number_text(formula) if formula.is_Rational else (repr(float(formula)), ATOM)
    match formula:
        case Add():
            return _sum(formula)
        case Mul():
            return _product(formula)
        case Pow(base=base, exp=power) if power.is_Integer and power < 0:
            return f"1 / {_at(ATOM, base**-power)}", PRODUCT
        case Pow(base=base, exp=power) if power.is_Integer:
            return " * ".join([_at(ATOM, base)] * int(power)), PRODUCT
        case Pow(base=base, exp=power) if power == S.Half:
            return f"np.sqrt({_of(base)[0]})", ATOM
        case Pow(base=base, exp=power) if power.is_Rational and power.q == 2:
            count = abs(int(power.p))
            root = " * ".join([f"np.sqrt({_of(base)[0]})"] * count)
            if power > 0:
                return root, PRODUCT
            return f"1 / {root}" if count == 1 else f"1 / ({root})", PRODUCT
        case Max() | Min():
            ufunc = "np.maximum" if isinstance(formula, Max) else "np.minimum"
            parts = sorted(formula.args, key=lambda part: not part.free_symbols)
            texts = [_of(part)[0] for part in parts]
            return reduce(lambda left, right: f"{ufunc}({left}, {right})", texts), ATOM
        case Function() if not isinstance(formula, (Piecewise, Heaviside)):
            return _call(formula), ATOM
    raise TypeError(f"no NumPy source for {type(formula).__name__}: {formula}")


def _call(formula: Function) -> str:
    name = ufunc_name(type(formula).__name__)
    if len(formula.args) != 1 or (not hasattr(np, name) and name not in EACH):
        raise TypeError(f"no NumPy source for the function {name}: {formula}")
    return f"{'' if name in EACH else 'np.'}{name}({_of(formula.args[0])[0]})"


def _at(level: int, formula: Basic) -> str:
    """The text, in brackets where it binds less than the level."""
    text, binds = _of(formula)
    return text if binds >= level else f"({text})"


def _sum(formula: Add) -> Text:
    """Plus before minus, in SymPy's order."""
    terms = sorted(formula.args, key=lambda term: bool(term.as_coeff_Mul()[0] < 0))
    text = ""
    for term in terms:
        negative = bool(term.as_coeff_Mul()[0] < 0)
        part = _at(PRODUCT, -term if negative else term)
        text += (" - " if negative else " + ") + part if text else "-" * negative + part
    return text, SUM


def _product(formula: Mul) -> Text:
    """The rational number, the irrational ones as one, then the rest; what divides, last.

    A number times a number Python would fold: the second stands in brackets with the rest.
    """
    constants = [part for part in formula.args if not part.free_symbols]
    rational = Mul(*(part for part in constants if part.is_Rational))
    irrational = Mul(*(part for part in constants if not part.is_Rational))
    if irrational != 1 and rational not in {S.One, -S.One}:
        rest = Mul(irrational, *(part for part in formula.args if part.free_symbols))
        return f"{_at(PRODUCT, rational)} * ({_of(rest)[0]})", PRODUCT
    above: list[Expr] = [part for part in (rational, irrational) if part not in {S.One, -S.One}]
    below: list[Expr] = []
    for part in sorted(formula.args, key=lambda part: bool(part.free_symbols & {X, Y})):
        if part.free_symbols:
            divides = isinstance(part, Pow) and part.exp.is_Rational and part.exp < 0
            (below if divides else above).append(1 / part if divides else part)
    text = " * ".join(_at(PRODUCT if not place else ATOM, part) for place, part in enumerate(above))
    text = ("-" if rational == -1 else "") + (text or "1")
    return " / ".join([text, *(_at(ATOM, part) for part in below)]), PRODUCT


def _filled(formula: Basic, letter: str) -> Text:
    """The text; a number, or a choice between several, as an array like the argument."""
    if isinstance(formula, Heaviside):
        formula = Piecewise((1, formula.args[0] > 0), (0, True))
    if isinstance(formula, Piecewise):
        *pieces, (otherwise, _) = formula.args
        text, _ = _filled(otherwise, letter)
        for piece, condition in reversed(pieces):
            text = f"np.where({_condition(condition)}, {_filled(piece, letter)[0]}, {text})"
        return text, ATOM
    if formula == S.Zero:
        return f"np.zeros_like({letter})", ATOM
    if not formula.free_symbols & {X, Y}:
        ones = f"np.ones_like({letter})"
        return (ones, ATOM) if formula == S.One else (f"{_at(PRODUCT, formula)} * {ones}", PRODUCT)
    return _of(formula)


def _condition(condition: Basic) -> str:
    if isinstance(condition, (And, Or)):
        parts = sorted(map(_condition, condition.args), key=lambda text: "<" in text)
        return (" & " if isinstance(condition, And) else " | ").join(f"({part})" for part in parts)
    if isinstance(condition, (StrictGreaterThan, StrictLessThan, GreaterThan, LessThan)):
        left, right, sign = condition.lhs, condition.rhs, condition.rel_op
        if not left.free_symbols:
            left, right, sign = right, left, _MIRRORED[sign]
        return f"{_of(left)[0]} {sign} {_of(right)[0]}"
    raise TypeError(f"no NumPy source for the condition {type(condition).__name__}: {condition}")
