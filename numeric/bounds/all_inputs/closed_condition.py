"""The named quantities of N in numbers, and its closed condition decided in rational numbers.

In: the `Certificate` of a cell in symbols, and ranges of every symbol over an admissible set. Out:
`Worked`: an upper bound of each supremum and norm, N with them put in, the relations that hold
together if and only if ρ(N) < 1, and a rate r with Nv ≤ rv. Sums and products are exact: what goes
into them are floats, rounded upwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
from sympy import Add, Basic, Expr, Max, Mul, Pow
from sympy import Number as SympyNumber

from derive.language.norms import MaxAbs, Norm, Supremum
from derive.theorems.certified_rate import ClosedCondition
from derive.theorems.claims import Relation
from numeric.bounds.all_inputs.certify import Certificate
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting
from numeric.bounds.growth import perron_bound
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number
from numeric.numbers.matrices import norm_bound
from numeric.numbers.spectral_radius import above

Array = Any
Value = Fraction | None
"""An exact number; None where there is no finite one."""


@dataclass(frozen=True)
class Condition:
    """A relation with numbers in it."""

    relation: Relation
    left: Value
    right: Value

    @property
    def holds(self) -> bool:
        """Whether left < right, decided exactly."""
        return self.left is not None and self.right is not None and self.left < self.right


@dataclass(frozen=True)
class Worked:
    """N with numbers in it; ∞ stands where a supremum is not finite.

    `quantities` are the letters of N and the norms in them, each with an upper bound, in the
    order in which the symbolic certificate defines them. `rate` is a certified r ≥ ρ(N).
    """

    certificate: ClosedCondition
    quantities: tuple[tuple[Expr, float], ...]
    matrix: tuple[tuple[float, ...], ...]
    conditions: tuple[Condition, ...]
    rate: float

    @property
    def unbounded(self) -> tuple[Expr, ...]:
        """The suprema that are not known to be finite over the admissible set."""
        meant = {r.left for r in self.certificate.definitions if isinstance(r.right, Supremum)}
        return tuple(name for name, value in self.quantities
                     if not math.isfinite(value) and name in meant)  # fmt: skip


def admissible(setting: Setting, found: Certificate | None) -> Box:
    """Ranges of every symbol of a step, from the invariant box, or from any state without one."""
    box = found.box if found is not None else None
    everywhere = setting.box(setting.derivation.cell.states, (-math.inf, math.inf))
    return Ranges(setting).values(box or everywhere)


def work(certificate: ClosedCondition, setting: Setting, values: Box) -> Worked:
    """Numbers for every letter of N over the ranges."""
    meaning: dict[Basic, Basic] = {r.left: r.right for r in certificate.definitions}
    order = certificate.order
    entries = certificate.matrix.args if order > 1 else (certificate.matrix,)
    if order == 1:
        meaning[certificate.symbol] = certificate.matrix
    found: dict[Basic, Value] = {}

    def known(unit: Basic) -> Value:
        if unit not in found:
            found[unit] = None  # no letter is defined by itself
            body = meaning.get(unit, unit)
            if isinstance(body, (Supremum, MaxAbs, Norm)):
                bound = bounded(body, values, setting.sizes)
                found[unit] = Fraction(bound) if math.isfinite(bound) else None
            else:
                found[unit] = value_of(body, known)
        return found[unit]

    exact = [value_of(entry, known) for entry in entries]
    conditions = tuple(
        Condition(r, value_of(r.left, known), value_of(r.right, known))
        for r in certificate.conditions
    )
    numbers = [_float(value) for value in exact]
    matrix = tuple(tuple(numbers[k : k + order]) for k in range(0, order**2, order))
    rate = perron_bound(np.array(matrix))[0]
    left = [r.left for r in certificate.definitions]
    names = [unit for unit in left if unit in found]
    names += [unit for unit in found if unit not in left and unit != certificate.symbol]
    quantities = tuple((unit, _float(found[unit])) for unit in names)
    return Worked(certificate, quantities, matrix, conditions, rate)


def value_of(expr: Basic, known: Callable[[Basic], Value]) -> Value:
    """The exact value of a sum of products of what is known; None where a part has none."""
    found: Value = _formula(expr, exact=True)(known)
    return found


def floats_of(expr: Basic, known: Callable[[Basic], Array | None]) -> Array | None:
    """About the same of arrays of floats, entry by entry."""
    return _formula(expr, exact=False)(known)


@lru_cache(maxsize=4096)
def _formula(expr: Basic, exact: bool) -> Callable[[Callable[[Basic], Any]], Any]:
    """The expression as a function of what is known, made once."""
    match expr:
        case SympyNumber() if expr.is_Rational:
            rational = Fraction(int(expr.p), int(expr.q))
            held = rational if exact else float(rational)
            return lambda known: held
        case Add() | Mul():
            return _joined(_sum if isinstance(expr, Add) else math.prod, expr.args, exact)
        case Max(args=bodies):
            return _joined(max if exact else partial(reduce, np.maximum), bodies, exact)
        case Pow(args=(base, exponent)) if exponent.is_Integer and exponent > 0:
            power = int(exponent)
            return _joined(lambda made: made[0] ** power, (base,), exact)
        case Expr() if expr.is_number:
            end = float(number(expr).hi)
            above_it = Fraction(end) if exact else end
            return lambda known: above_it
    return lambda known: known(expr)


def _joined(
    join: Callable[[Sequence[Any]], Any], parts: Sequence[Basic], exact: bool
) -> Callable[[Callable[[Basic], Any]], Any]:
    """The values of the parts joined; None where one has none."""
    formulas = [_formula(part, exact) for part in parts]

    def value(known: Callable[[Basic], Any]) -> Any:
        made = [formula(known) for formula in formulas]
        return None if any(part is None for part in made) else join(made)

    return value


def _sum(made: Sequence[Any]) -> Any:
    first, *others = made
    return sum(others, first)


def bounded(meaning: Basic, values: Box, sizes: Mapping[str, int]) -> float:
    """A number that sup ‖v‖_∞ or sup ‖M‖₂ does not exceed over the ranges.

    Raises:
        TypeError: for another quantity.
    """
    match meaning:
        case Supremum(args=(body,)):
            return bounded(body, values, sizes)
        case MaxAbs(args=(column,)):
            return float(enclose(column, values, sizes).magnitude.max(initial=0.0))
        case Norm(args=(matrix,)):
            found = enclose(matrix, values, sizes)
            return norm_bound(found) if np.all(np.isfinite(found.magnitude)) else math.inf
    raise TypeError(f"no number for {type(meaning).__name__}")


def _float(exact: Value) -> float:
    """The smallest float not below it."""
    return math.inf if exact is None else above(exact)
