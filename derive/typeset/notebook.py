"""How values show themselves in a notebook: aligned equations as LaTeX and as MathML.

In: equations as (target, value) pairs, with their numbers where they have some. Out: strings for
`_repr_latex_` and `_repr_html_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy import MatrixExpr

from derive.typeset.boxes import Box, Operator
from derive.typeset.latex import Latex
from derive.typeset.layout import PLAIN, Layout, Notation
from derive.typeset.mathml import MathML
from derive.typeset.right_sides import right_side

ShownEquation = tuple[MatrixExpr, MatrixExpr, int | None]


def latex_of(lines: Iterable[ShownEquation], notation: Notation = PLAIN) -> str:
    """Equations aligned at the relation sign, as display mathematics."""
    latex = Latex()
    rows = [
        f"{latex(left)} &= {latex(right)}" + (rf" && ({number})" if number else "")
        for left, right, number in _boxes(lines, notation)
    ]
    body = " \\\\\n".join(rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def html_of(lines: Iterable[ShownEquation], notation: Notation = PLAIN) -> str:
    """Equations aligned at the relation sign, as a MathML table."""
    mathml, equals = MathML(), MathML()(Operator("="))
    body = "".join(
        "<mtr>" + _cell("right", mathml(left))
        + _cell("left", f"<mrow>{equals}{mathml(right)}</mrow>")
        + (_cell("right", f"<mtext>({number})</mtext>") if number else "") + "</mtr>"
        for left, right, number in _boxes(lines, notation)
    )  # fmt: skip
    return f'<math display="block" displaystyle="true"><mtable>{body}</mtable></math>'


def _boxes(
    lines: Iterable[ShownEquation], notation: Notation
) -> Iterator[tuple[Box, Box, int | None]]:
    layout = Layout(notation)
    for left, right, number in lines:
        yield layout.of(left), right_side(layout, left, right), number


def _cell(side: str, body: str) -> str:
    return f'<mtd style="text-align:{side}">{body}</mtd>'
