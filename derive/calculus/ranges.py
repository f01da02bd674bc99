"""Where the entries of an expression lie whatever the weights and inputs, by ranges of functions.

In: the named forward equations of a cell, an expression over their names. Out: an interval with
exact or outward rounded ends that holds each entry, wherever it has a value. States before the
step, inputs and parameters are any numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from itertools import combinations, product
from typing import Final

from sympy import (
    Expr,
    Integer,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    OneMatrix,
    Rational,
    S,
    Transpose,
    ZeroMatrix,
    ceiling,
    floor,
)
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.lengths import short_columns, squared_lengths
from derive.cell import Equation
from derive.language.expr import (
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    Softmax,
    add,
    hadamard,
    negate,
    operands,
    split_coefficient,
)
from derive.language.functions import ElementwiseFunction, X
from derive.language.maps import Vec
from derive.language.pairs import AtLeast, Below, Maximum, Minimum

Range = tuple[Number, Number]
ANY: Final[Range] = (S.NegativeInfinity, S.Infinity)
UNIT: Final[Range] = (S.Zero, S.One)
_DIGITS: Final = Integer(10) ** 9  # an end that is no fraction is rounded outwards to these


class Ranges:
    """The range of each expression over the names of a cell."""

    def __init__(self, forward: tuple[Equation, ...]) -> None:
        self.meant = {e.target: e.value for e in forward}
        self.short = short_columns(forward)
        self.found: dict[MatrixExpr, Range] = {}

    def of(self, node: MatrixExpr) -> Range:
        """What holds every entry of the node."""
        if node not in self.found:
            self.found[node] = self._of(node)
        return self.found[node]

    def largest(self, node: MatrixExpr) -> Number:
        """What no entry exceeds in absolute value."""
        low, high = self.of(node)
        return max(-low, high)

    def smallest(self, node: MatrixExpr) -> Number:
        """What each entry reaches in absolute value."""
        low, high = self.of(node)
        return max(low, -high, S.Zero)

    def _of(self, node: MatrixExpr) -> Range:
        number, rest = split_coefficient(node)
        if number != 1:
            return _times((number, number), self.of(rest))
        match node:
            case MatrixSymbol():
                short = (S.NegativeOne, S.One) if node in self.short else ANY
                return _both(short, self.of(self.meant[node])) if node in self.meant else short
            case ZeroMatrix():
                return S.Zero, S.Zero
            case OneMatrix():
                return S.One, S.One
            case MatAdd(args=terms):
                return _both(_sum(map(self.of, terms)), self._mixture(terms))
            case HadamardProduct(args=factors):
                powers = Counter(factors)
                return reduce(_times, (_power(self.of(f), times) for f, times in powers.items()))
            case Quotient(args=(top, bottom)):
                return _times(self.of(top), _inverse(self.of(bottom)))
            case Maximum(args=pair) | Minimum(args=pair):
                chosen = max if isinstance(node, Maximum) else min
                lows, highs = zip(*map(self.of, pair), strict=True)
                return chosen(*lows), chosen(*highs)
            case AtLeast() | Below() | Softmax():
                return UNIT
            case Elementwise():
                return _image(node.function.at(node.parameters), self.of(node.argument))
            case Slope():
                slopes = node.function.at(node.parameters).slope_range
                return _outwards(slopes.inf, slopes.sup)
            case Broadcast() | Rows() | Columns() | Vec() | Transpose():
                return self.of(node.args[0])
            case Concat(args=parts):
                lows, highs = zip(*map(self.of, parts), strict=True)
                return min(lows), max(highs)
            case MatMul() if len(operands(node)) == 2 and (keys := squared_lengths(node)):
                (key,) = keys.values()
                return UNIT if key in self.short else (S.Zero, S.Infinity)
        return ANY

    def _mixture(self, terms: tuple[MatrixExpr, ...]) -> Range:
        """Of w ⊙ a + (1 − w) ⊙ b with 0 ≤ w ≤ 1, entry by entry, no more than a and b have.

        What the sum has besides is added; no such pair has no range.
        """
        for (i, one), (j, two) in combinations(enumerate(terms), 2):
            (number, left), (other, right) = (split_coefficient(term) for term in (one, two))
            for w, v in product(_factors(left), _factors(right)):
                low, high = self.of(w)
                if low >= 0 and high <= 1 and self._adds_to_one(w, v):
                    a = _times((number, number), self.of(_without(left, w)))
                    b = _times((other, other), self.of(_without(right, v)))
                    rest = (self.of(term) for k, term in enumerate(terms) if k not in {i, j})
                    return _sum([(min(a[0], b[0]), max(a[1], b[1])), *rest])
        return ANY

    def _adds_to_one(self, w: MatrixExpr, v: MatrixExpr) -> bool:
        """Whether one of the columns is 1 less the other, by itself or as it is defined."""
        ones = OneMatrix(*w.shape)
        return any(
            self.meant.get(a, a) in {add(ones, negate(b)), add(ones, negate(self.meant.get(b, b)))}
            for a, b in ((w, v), (v, w))
        )


def _factors(term: MatrixExpr) -> tuple[MatrixExpr, ...]:
    return tuple(term.args) if isinstance(term, HadamardProduct) else (term,)


def _without(term: MatrixExpr, factor: MatrixExpr) -> MatrixExpr:
    """The product of the other factors; of none, ones."""
    others = list(_factors(term))
    others.remove(factor)
    return hadamard(*others) if others else OneMatrix(*term.shape)


def _sum(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return sum(lows), sum(highs)


def _image(function: ElementwiseFunction, argument: Range) -> Range:
    """The function's range; where it rises, no more than its values at the argument's ends."""
    whole = _outwards(function.range.inf, function.range.sup)
    if function.name == "identity":
        return argument
    rises = function.surrogate is None and bool(function.slope_range.inf >= 0)
    if not rises:
        return whole
    ends = [
        function.formula.subs(X, end) if end.is_finite and function.domain.contains(end) == S.true
        else None
        for end in argument
    ]  # fmt: skip
    low, high = (end if end is not None and end.is_finite else None for end in ends)
    rising = _outwards(whole[0] if low is None else low, whole[1] if high is None else high)
    return _both(whole, rising)


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _times(one: Range, other: Range) -> Range:
    """All products: 0 times what has no bound is 0, for each entry is a number."""
    ends = [S.Zero if 0 in (a, b) else a * b for a in one for b in other]
    return min(ends), max(ends)


def _power(base: Range, times: int) -> Range:
    """A product of equal factors; of an even number of them none is negative."""
    made = reduce(_times, [base] * times)
    return made if times % 2 else (max(made[0], S.Zero), made[1])


def _inverse(divisor: Range) -> Range:
    """1 over what has one sign."""
    low, high = divisor
    if low > 0 or high < 0:
        return 1 / high, 1 / low
    return (S.Zero, S.Infinity) if low == 0 else ANY


def _outwards(low: Expr, high: Expr) -> Range:
    """The interval with ends that are fractions, none inside of it."""
    return _fraction(low, floor), _fraction(high, ceiling)


def _fraction(end: Expr, rounded: type[floor] | type[ceiling]) -> Number:
    if isinstance(end, Number) and (end.is_Rational or not end.is_finite):
        return end
    return Rational(rounded(end * _DIGITS), _DIGITS)
