"""Forms of expressions and boxes that are written in a way of their own.

In: matrix expressions, numbers and boxes. Out: whether they are of such a form, and their parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from sympy import (
    Basic,
    Expr,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    Rational,
    preorder_traversal,
)
from sympy import Number as SympyNumber
from sympy.matrices.expressions import HadamardProduct

from derive.language.expr import SCALAR, At, Broadcast, operands
from derive.language.syntax import BAR
from derive.typeset.boxes import Box, Fenced, Large, Operator, Row, Script, Symbol, row
from derive.typeset.spacing import is_word

_PLACES: Final = 40  # of a decimal; beyond, a fraction of powers of ten is shorter


def multiplied(items: Sequence[Box]) -> Box:
    """Factors side by side; dt · (a − b), since dt(a − b) would be a function's value."""
    made: list[Box] = []
    for item in items:
        if made and isinstance(item, Fenced) and isinstance(made[-1], Symbol | Script):
            made += [Operator("·")] * is_word(made[-1])
        made.append(item)
    return row(*made)


def two_columns(summed: MatrixExpr) -> tuple[MatrixExpr, ...] | None:
    """The a and b of Σᵢ aᵢ bᵢ, which is aᵀ b; None of another sum."""
    plain = isinstance(summed, HadamardProduct) and len(summed.args) == 2
    if not plain or any(isinstance(part, Broadcast) for part in summed.args):
        return None
    return tuple(summed.args)


def sums_entries(factors: Sequence[MatrixExpr]) -> bool:
    """Whether a product is 𝟙ᵀa, which is written as a sum over the entries of a."""
    return len(factors) == 2 and isinstance(factors[0], OneMatrix) and factors[0].shape[0] == 1


def lengths_of_ones(expr: Basic) -> Iterator[Expr]:
    """Of each 𝟙 of an expression that is written as such, a column or turned, the length."""
    for node in preorder_traversal(expr):
        if isinstance(node, MatMul):
            factors = operands(node)
            if len(factors) > 1 and not sums_entries(factors):
                for part in factors:
                    if isinstance(part, OneMatrix):
                        yield part.shape[0] if part.shape[1] == 1 else part.shape[1]


def squared(inner: MatrixExpr) -> MatrixExpr | None:
    """The a of 𝟙ᵀ(a ⊙ a)."""
    if not (isinstance(inner, MatMul) and len(inner.args) == 2 and inner.shape == SCALAR):
        return None
    ones, summed = inner.args
    if not isinstance(ones, OneMatrix) or not isinstance(summed, HadamardProduct):
        return None
    counts = Counter(summed.args)
    if any(count % 2 for count in counts.values()):
        return None
    half = [part for part, count in counts.items() for _ in range(count // 2)]
    return half[0] if len(half) == 1 else HadamardProduct(*half)


def is_cotangent(part: MatrixExpr) -> bool:
    """Whether it is the cotangent of a symbol."""
    symbol = part.args[0] if isinstance(part, At) else part
    return isinstance(symbol, MatrixSymbol) and symbol.name.endswith(BAR)


def opens(made: Box) -> bool:
    """Whether a ∑ or ∏ in the box would swallow what follows it."""
    return isinstance(made, Row) and any(isinstance(item, Large) for item in made.items)


def scaled(number: SympyNumber, rest: MatrixExpr) -> MatrixExpr:
    """The number in front of the rest, as it is written."""
    if number == 1:
        return rest
    return MatMul(number, *(rest.args if isinstance(rest, MatMul) else (rest,)))


def decimal(number: Rational) -> str:
    """A positive fraction as the decimal that it is, to its last digit; "" where it is none.

    Halves and quarters stay; so does what would be a row of zeros before it means something.
    """
    rest, places = int(number.q), 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    whole = int(number.p) * 10**places // int(number.q)
    text = f"{whole // 10**places}.{whole % 10**places:0{places}d}"
    return text if rest == 1 and number.q > 4 and places <= _PLACES else ""
