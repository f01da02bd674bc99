"""Forms of expressions and boxes that are written in a way of their own.

In: matrix expressions, numbers and boxes. Out: whether they are of such a form, and their parts.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from sympy import MatMul, MatrixExpr, MatrixSymbol, OneMatrix, Rational
from sympy import Number as SympyNumber
from sympy.matrices.expressions import HadamardProduct

from derive.language.expr import SCALAR, At, Broadcast
from derive.language.syntax import BAR
from derive.typeset.boxes import Box, Large, Row

_PLACES: Final = 40  # of a decimal; beyond, a fraction of powers of ten is shorter


def two_columns(summed: MatrixExpr) -> tuple[MatrixExpr, ...] | None:
    """The a and b of Σᵢ aᵢ bᵢ, which is aᵀ b; None of another sum."""
    plain = isinstance(summed, HadamardProduct) and len(summed.args) == 2
    if not plain or any(isinstance(part, Broadcast) for part in summed.args):
        return None
    return tuple(summed.args)


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
