"""How long a number of an equation may be: its digits reach emitted code.

In: the value of an equation. Out: nothing, or an error.
"""

from __future__ import annotations

from typing import Final

from sympy import MatrixExpr, Rational, preorder_traversal

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
