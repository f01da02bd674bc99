"""Page one names each letter that it uses, and says which of two meanings a letter has."""

from __future__ import annotations

import re
from functools import cache

import pytest
from reading import text_of
from samples import measurement

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from reports.document.html import html
from reports.document.tex import tex
from reports.sections.cell import build


@cache
def page(cell: Cell) -> str:
    return text_of(html(build(derivation_of(cell))))


def first_page(name: str) -> str:
    """Up to the forward pass."""
    text = page(catalogue[name])
    return text[text.index("One step. ") : text.index("The cell's equations, ")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gru", "az,t, ar,t and ah˜,t are parts of the cell's equations; (1), (3) and (6) name"),
        ("indrnn", "ah,t is a part of the cell's equations; (1) names it."),
    ],
)  # fmt: skip
def test_a_letter_of_the_step_jacobian_that_no_author_wrote_is_said_to_be_named_later(name, said):
    assert f"Of its letters {said}" in first_page(name)
    for letter in re.findall(r"a\S*t\b(?=,| and| is)", said):
        assert re.search(rf"\| {letter} \| =.*\| \(\d+\)", page(catalogue[name]))


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_where_every_letter_is_an_author_s_nothing_is_said(name):
    """The Elman network's equations have its pre-activation; an LSTM's blocks are not shown."""
    assert "Of its letters" not in first_page(name)


def test_a_letter_that_is_a_size_and_a_symbol_is_told_apart():
    assert "n is a size above ℝ, " in first_page("mlstm")
    assert "k is a size above ℝ, " in first_page("delta_net")
    assert "is a size above" not in first_page("lstm")


def test_a_relation_in_brackets_has_a_meaning_where_there_is_one():
    meant = "is 1 where it holds and 0 where it does not"
    assert "[qh,3,t≥1]" in page(catalogue["mlstm"])
    assert meant in first_page("mlstm")
    assert meant not in first_page("lstm")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rnn", {"‖M‖2", "σmin(M)", "ρ(M)"}),
        ("lstm", {"‖M‖2", "σmin(M)", "ρ(M)"}),
        ("gru", {"‖M‖2", "ρ(M)"}),
        ("delta_net", {"‖M‖2"}),
    ],
)
def test_what_a_matrix_is_measured_by_is_said_before_a_theorem_uses_it(name, said):
    text = page(catalogue[name])
    line = next(line for line in first_page(name).split("\n") if line.startswith("Of a matrix M, "))
    assert {sign for sign in ("‖M‖2", "σmin(M)", "ρ(M)") if f"{sign} is" in line} == said
    theorems = text[text.index("How gradients vanish and explode") :]
    for sign in ("σmin(", "ρ("):
        assert (sign in theorems) == (f"{sign}M)" in said)


def test_the_column_of_a_matrix_is_said_to_go_row_after_row():
    assert "vec(C˙), the column of the entries of the change, row after row" in first_page("mlstm")


@pytest.mark.parametrize("name", ["delta_net", "lstm"])
def test_drawn_numbers_are_said_of_the_parameters_that_the_cell_has(name):
    cell = catalogue[name]
    said = " ".join(tex(build(derivation_of(cell), measurement=measurement(cell))).split())
    assert ("biases are 0" in said) == (name == "lstm")
    assert (r"the entries of $w_{\beta}$ are 1" in said) == (name == "delta_net")
    assert "inputs and the initial state are standard normal" in said
    assert "other factors of" not in said
