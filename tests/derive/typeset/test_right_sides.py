"""A number that fills a column is printed with the column of ones beside it."""

from __future__ import annotations

import pytest

from derive import Cell, differentiate
from derive.typeset.layout import Layout
from derive.typeset.right_sides import right_side
from derive.typeset.text import Text
from reports.terminal.derivation import show_latex
from tests.derive.typeset.as_text import latex_lines, mathml_lines
from tests.derive.typeset.cell_page import Page

NORMED = {
    "a length": "h = (h_prev + U @ x) / (1 + norm(W @ h_prev))",
    "rms_norm": "h = tanh(W @ h_prev + U @ x) * rms_norm(h_prev + 2)",
    "layer_norm": "h = tanh(g * layer_norm(W @ h_prev + U @ x) + 0.5 * h_prev)",
    "a larger of two": "h = tanh(W @ h_prev + U @ x) / maximum(norm(h_prev), 0.5)",
}


@pytest.mark.parametrize("name", NORMED)
def test_a_step_jacobian_divided_by_a_norm_of_the_state_is_true_as_it_is_printed(name):
    cell = Cell.parse(name="normed", equations=NORMED[name])
    page = Page(cell)
    page.check()
    page.same_lines(latex_lines(show_latex(cell)))
    page.same_lines(mathml_lines(differentiate(cell)._repr_html_()))


def test_ones_stand_where_a_number_fills_a_column_and_nowhere_else():
    cell = Cell.parse(name="one", equations="q = norm(h_prev)\nh = (h_prev + W @ x) / (1 + q)")
    layout, text = Layout(cell.notation), Text()
    lines = {step.equation.target.args[0].name: step.equation for step in
             differentiate(cell).part("forward")}  # fmt: skip
    said = {name: text(right_side(layout, e.target, e.value)) for name, e in lines.items()}
    assert said["q_h_2"] == "(1 + q_t) 1_n"
    assert said["q"].startswith("sqrt(")
    assert "1_n" not in said["q"] + said["h"]
