"""What stands right of the equality sign of an equation whose target's shape stands nowhere.

In: an equation's two sides. Out: the box of the right one; a number that fills a column has the
column of ones beside it, since the line alone would make its target a number.
"""

from __future__ import annotations

from sympy import MatrixExpr, OneMatrix

from derive.typeset.boxes import Box, Number, Script, row
from derive.typeset.layout import Layout, size_box
from derive.typeset.scalars import is_uniform


def right_side(layout: Layout, target: MatrixExpr, value: MatrixExpr) -> Box:
    """The value; s 𝟙 where it is one number s in every entry of a column."""
    rows, columns = target.shape
    if columns != 1 or rows == 1 or not is_uniform(value):
        return layout.of(value)
    ones = Script(Number("1"), sub=size_box(rows))
    return ones if isinstance(value, OneMatrix) else row(layout.factor(value), ones)
