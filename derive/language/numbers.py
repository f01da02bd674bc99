"""What an equation may not hold: a number whose digits would fill the emitted code, and the like.

In: the value of an equation. Out: nothing, or an error.
"""

from __future__ import annotations

from typing import Final

from sympy import MatMul, MatrixExpr, MatrixSymbol, Rational, preorder_traversal

from derive.language.expr import symbols_of
from derive.language.syntax import CellError

MAX_EXPONENT: Final = 100
MAX_NUMBER: Final = 10**MAX_EXPONENT  # of numerators and denominators


def check_numbers(value: MatrixExpr, target: str, cell: str) -> None:
    """Refuse a number of too many digits.

    Raises:
        CellError: naming the equation.
    """
    for node in preorder_traversal(value):
        if isinstance(node, Rational) and max(abs(node.p), node.q) > MAX_NUMBER:
            raise CellError(
                f"in the equation of {target}: a number of more than "
                f"{MAX_EXPONENT} digits, or below 1e-{MAX_EXPONENT}",
                cell=cell,
            )


def check_left_operands(
    value: MatrixExpr, target: str, timeless: frozenset[MatrixSymbol], cell: str
) -> None:
    """Refuse a left operand of @ that changes with time.

    Raises:
        CellError: naming the equation.
    """
    for node in preorder_traversal(value):
        if isinstance(node, MatMul) and not timeless.issuperset(
            symbol for factor in node.args[:-1] for symbol in symbols_of(factor)
        ):
            raise CellError(
                f"in the equation of {target}: the left operand of @ changes with time; "
                "only parameters and fixed constants may stand there",
                cell=cell,
            )
