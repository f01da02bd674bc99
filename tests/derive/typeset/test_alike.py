"""No two symbols of a cell are read alike on its pages."""

from __future__ import annotations

from collections import Counter

import pytest

from derive import Cell, CellError, catalogue, differentiate
from derive.language.syntax import BAR, DOT
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.text import Text


def shown(cell: Cell) -> dict[str, str]:
    layout, held = Layout(cell.notation), (*cell.inputs, *cell.states, *cell.parameters)
    return {s.name: Latex()(layout.symbol(s.name)) for s in (*held, *cell.constants)}


@pytest.mark.parametrize(
    ("equation", "bare"),
    [
        ("h = tanh(W1 @ h_prev + W_1 @ x)", {"W_1"}),
        ("h = tanh(W @ h_prev + U @ x + x_t)", {"x_t"}),
        ("h = tanh(W @ h_prev + U @ x + h_0)", {"h_0"}),
        ("h = tanh(lamda_1 * h_prev + lambda_1 * x)", {"lambda_1"}),
    ],
)
def test_the_second_of_two_that_would_be_read_alike_bears_its_bare_name(equation, bare):
    cell = Cell.parse(name="own", equations=equation)
    found = shown(cell)
    assert {name for name in found if cell.latex.get(name)} == bare
    for name in bare:
        assert found[name] == rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"
    assert max(Counter(found.values()).values()) == 1


def test_what_is_read_as_nothing_else_keeps_its_letters():
    cell = Cell.parse(name="own", equations="h = tanh(W1 @ h_prev + W_2 @ x + b_1 + a_t)")
    assert cell.latex == {}


def test_an_author_s_letter_stays_and_the_other_one_gives_way():
    cell = Cell.parse(
        name="own", equations="h = tanh(W @ h_prev + V @ x + b)", latex={"V": "W", "b": r"\beta"}
    )
    assert cell.latex == {"V": "W", "b": r"\beta", "W": r"\mathrm{W}"}


def test_two_symbols_that_an_author_writes_alike_are_refused():
    with pytest.raises(CellError, match="'latex' writes 'W' and 'V' alike"):
        Cell.parse(name="own", equations="h = tanh(W @ h_prev + V @ x)", latex={"W": "A", "V": "A"})


@pytest.mark.parametrize("name", catalogue)
def test_no_cell_of_the_catalogue_has_two_that_are_read_alike(name):
    assert max(Counter(shown(catalogue[name]).values()).values()) == 1


def test_an_intermediate_is_of_the_symbol_whose_name_it_bears():
    """The second one of f would be called as the first one of f_2 is."""
    lines = "f = sigmoid(W @ x) + tanh(V @ x)\nf_2 = tanh(U @ x + f)\nh = f * h_prev + f_2"
    forward = differentiate(Cell.parse(name="own", equations=lines)).forward
    assert [e.target.name for e in forward] == ["a_f", "a_f_3", "f", "a_f_2", "f_2", "h"]


@pytest.mark.parametrize(
    ("equations", "bare"),
    [
        ("a2 = W @ x\nbar = tanh(U @ x + b) + tanh(a2 * h_prev)\nh = bar * h_prev", "a_2"),
        ("S = S_prev @ diag(sigmoid(x)) + outer(V @ x, x)\nS_dot = S @ x\n"
         "h = S_dot + h_prev", "S_dot"),
    ],
)  # fmt: skip
def test_what_a_derivation_names_is_read_as_no_other_symbol(equations, bare):
    """Intermediates beside an author's symbols, and these beside the change of a state."""
    derivation = differentiate(Cell.parse(name="own", equations=equations))
    layout, cell = Layout(derivation.notation), derivation.cell
    names = [s.name for s in (*cell.inputs, *cell.parameters)]
    names += [equation.target.name for equation in derivation.forward]
    found = {name: Latex()(layout.symbol(name)) for name in names}
    found |= {state.name + DOT: Latex()(layout.symbol(state.name + DOT)) for state in cell.states}
    assert r"\mathrm" in found[bare]
    assert max(Counter(found.values()).values()) == 1


def test_a_bare_name_is_quoted_in_text_where_scripts_are_written_with_the_same_sign():
    cell = Cell.parse(name="own", equations="h = tanh(x_t * x + h_prev)\nc = h * W_1 * W1 + c_prev")
    layout, text = Layout(cell.notation), Text()
    assert [text(layout.symbol(name)) for name in ("x_t", "x")] == ["'x_t'", "x_t"]
    assert text(layout.symbol("x_t" + BAR)) == "'x_t̄'"
    assert sorted(text(layout.symbol(name)) for name in ("W_1", "W1")) == ["W1", "W₁"]
