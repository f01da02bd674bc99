"""What stands in a line of text is what is computed: fractions, and factors side by side."""

from __future__ import annotations

import pytest

from derive import Cell
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from reports.terminal.derivation import show_text


def written(equation, spell):
    cell = Cell.parse(name="written", equations=equation, sizes={"x": "n", "h": "n"})
    return spell(Layout(cell.notation).of(cell.equations[-1].value))


@pytest.mark.parametrize(("equation", "text"), [
    ("h = (h_prev - 1) / (x - 1)", "(h_{t−1} − 1)/(x_t − 1)"),
    ("h = (x / b - 1) / h_prev", "(x_t/b − 1)/h_{t−1}"),
    ("h = x / (b / h_prev)", "x_t/(b/h_{t−1})"),
    ("h = (x / b) / h_prev", "(x_t/b)/h_{t−1}"),
    ("h = x - b / h_prev", "x_t − b/h_{t−1}"),
])  # fmt: skip
def test_a_fraction_in_a_line_says_where_its_parts_end(equation, text):
    assert written(equation, Text()) == text


@pytest.mark.parametrize(("equation", "text", "latex"), [
    ("h = x * dot(a, h_prev) * b", "x_t aᵀ h_{t−1} ⊙ b",
     r"x_{t}\,a^{\top}\,h_{t-1}\odot b"),
    ("h = dot(a, x) * x * h_prev", "aᵀ x_t x_t ⊙ h_{t−1}",
     r"a^{\top}\,x_{t}\,x_{t}\odot h_{t-1}"),
    ("h = norm(x) * b * norm(x) * h_prev", "‖x_t‖₂² b ⊙ h_{t−1}",
     r"\lVert x_{t}\rVert _{2}^{2}\,b\odot h_{t-1}"),
    ("h = x * sum(x) * h_prev", "x_t (∑_i x_{t,i}) ⊙ h_{t−1}",
     r"x_{t}\,\Biggl(\sum_{i} x_{t,i}\Biggr)\odot h_{t-1}"),
])  # fmt: skip
def test_two_columns_are_never_side_by_side_without_their_sign(equation, text, latex):
    assert written(equation, Text()) == text
    assert written(equation, Latex()) == latex


def test_an_intermediate_bears_the_letter_that_its_author_gave():
    lines = "f_ = sigmoid(W @ x)\nh = f_ * h_prev + softplus(f_ * x)"
    cell = Cell.parse(name="q", latex={"f_": r"\lambda"}, equations=lines)
    text = show_text(cell)
    assert "a_{λ,t} = W x_t" in text
    assert "λ_t = σ(a_{λ,t})" in text
    assert "f_" not in text.partition("Forward")[2]


def test_an_intermediate_of_a_numbered_symbol_is_not_of_the_one_without_a_number():
    lines = "f_2 = sigmoid(U @ x)\nf = sigmoid(W @ x)\nh = f * h_prev + f_2"
    text = show_text(Cell.parse(name="q", latex={"f": r"\phi"}, equations=lines))
    assert "a_{f,2,t} = U x_t" in text
    assert "a_{φ,t} = W x_t" in text


def test_the_shapes_list_a_symbol_as_the_equations_have_it():
    cell = Cell.parse(name="q", equations="mu = sigmoid(w_mu * x)\nh = mu * h_prev")
    assert show_text(cell).count("w_μ") > 2
    assert "w_mu" not in show_text(cell)


def test_no_column_is_multiplied_by_the_number_1():
    lines = "h = W @ h_prev\nS = diag(U @ x) @ (h_prev @ (K @ x).T) + S_prev"
    cell = Cell.parse(name="q", equations=lines)
    assert "1₁" not in show_text(cell)


def test_a_name_of_several_letters_before_parentheses_is_no_function():
    equation = "h = h_prev + dt * (x - h_prev) + c * (x - h_prev) + dt * h_prev + dt * tanh(x)"
    cell = Cell.parse(name="own", equations=equation, scalars=["dt", "c"], sizes={"x": "n"})
    value = Layout(cell.notation).of(cell.equations[0].value)
    assert Text()(value) == (
        "h_{t−1} + dt · (x_t − h_{t−1}) + c(x_t − h_{t−1}) + dt h_{t−1} + dt tanh(x_t)"
    )
    assert r"\mathrm{dt}\cdot (x_{t} - h_{t-1})" in Latex()(value)
