"""Second derivatives of the table's functions over intervals.

In: a function of the table and a box of arguments. Out: an `Interval` that contains φ″ of every
argument in the box.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, Number, Set

from derive.language.functions import ElementwiseFunction, X, Y
from numeric.meaning.enclose_functions import broadcast, by_formula, number, value_on
from numeric.numbers.intervals import Interval

_PIECES: Final = 512


def curvature_on(
    function: ElementwiseFunction, parameters: tuple[Number, ...], x: Interval
) -> Interval:
    """φ″ of every argument in the box: p p′ at φ(x) where φ′ = p(φ), else by its formula."""
    slope = function.slope_from_output
    if slope is None:
        formula = function.bind(function.slope.diff(X), parameters)
        return broadcast(by_formula(formula), x)
    formula = function.bind(slope.diff(Y) * slope, parameters).subs(Y, X)
    found = broadcast(by_formula(formula), value_on(function, parameters)(x))
    if parameters or not function.range.is_Interval or not function.range.measure.is_finite:
        return found
    most = _over_range(formula, function.range)
    return Interval(np.maximum(found.lo, -most), np.minimum(found.hi, most))


@lru_cache(maxsize=64)
def _over_range(formula: Expr, span: Set) -> float:
    """A bound of |formula| over a finite interval, taken in pieces."""
    low, high = float(number(span.inf).lo), float(number(span.sup).hi)
    ends = np.linspace(low, high, _PIECES + 1)
    ends[0], ends[-1] = low, high
    return float(broadcast(by_formula(formula), Interval(ends[:-1], ends[1:])).magnitude.max())
