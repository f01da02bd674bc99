"""No two symbols of a cell are read alike on its pages."""

from __future__ import annotations

from collections import Counter

import pytest

from derive import Cell, CellError, catalogue
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout


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
