"""A letter has one meaning on a page, whatever the author's symbols are called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from reading import text_of
from renamed import ASKED, CELLS, of, one_meaning, symbols
from studies import chapter_of, small_study

from derive import Cell, catalogue, differentiate
from derive.language.syntax import BAR
from derive.typeset.boxes import Symbol
from derive.typeset.text import Text
from reports.document.figures import labels
from reports.document.html import html
from reports.document.model import Document, Paragraph
from reports.sections.derivation import _functions, step_jacobian, through_time
from reports.sections.facts import Facts
from reports.sections.page_one import conventions, glance
from reports.sections.sweeps import _enough, _from_the_next, _Letters, _theorem


def written(derivation):
    """The letters of the conventions, of the functions and of the theorems on sweeps.

    What tells a size from a symbol of its letter is said where there is one, and left out.
    """
    facts = Facts(derivation)
    items = [
        item for item in conventions(facts).content[0].items
        if not any("above" in getattr(part, "text", "") for part in item)
    ]  # fmt: skip
    pages = {"conventions": (*items,), "functions": (*_functions(facts),)}
    if not derivation.has_matrices:
        page = SimpleNamespace(facts=facts)
        pages["sweeps"] = (_Letters(facts).step(), _theorem(page), *_from_the_next(page),
                           _enough(page))  # fmt: skip
    return {name: [*symbols(page)] for name, page in pages.items()}


@pytest.mark.by_default("mean", "matrix-A-B-M", "kept-A-B-M", "three-X-Y-V")
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked))
@pytest.mark.parametrize("kind", CELLS)
def test_a_letter_of_the_authors_means_nothing_else(kind, asked):
    one_meaning(kind, asked, written)


def test_the_gain_gives_way_to_a_gate_of_its_name():
    text = "g = sigmoid(W @ x)\nh = g * h_prev + (1 - g) * x"
    facts = Facts(differentiate(Cell.parse(name="c", equations=text)))
    assert facts.gain == Symbol("omega")
    assert Facts(differentiate(catalogue["rnn"])).gain == Symbol("g")
    assert labels("en", "k", r"\omega")("figures.gain") == r"gain $\omega$"


def test_the_loss_and_the_lipschitz_constant_have_letters_of_their_own():
    """Both bore a t: L_t was what the loss sums and how fast J_t changes."""
    found = written(of(CELLS["plain"], {}))
    assert "L" not in found["sweeps"]
    assert "L" in found["conventions"]


@pytest.mark.parametrize(("equations", "scales"), [
    ("h = tanh(W @ h_prev + U @ x) + h_prev", True),
    ("h = softmax(W @ h_prev + U @ x)", False),  # h hᵀ scales nothing entry by entry
    ("h = W @ h_prev + U @ x", False),
])  # fmt: skip
def test_a_factor_is_said_to_scale_where_each_term_does(equations, scales):
    facts = Facts(differentiate(Cell.parse(name="c", equations=equations)))
    assert ("Each term scales a change" in repr(step_jacobian(facts))) is scales


def test_blocks_are_sums_of_diagonals_and_weights_where_nothing_else_moves():
    text = "g = softmax(W @ h_prev + U @ x)\nh = tanh(V @ g_prev + x)"
    moving = Facts(differentiate(Cell.parse(name="c", equations=text)))
    for facts, said in ((moving, False), (Facts(differentiate(catalogue["lstm"])), True)):
        assert ("diagonal matrices and weights" in repr(step_jacobian(facts))) is said


def test_a_cell_without_parameters_is_not_said_to_have_some():
    facts = Facts(differentiate(Cell.parse(name="c", equations="h = tanh(h_prev + x)")))
    assert "A parameter serves" not in repr(through_time(facts))


@pytest.mark.parametrize(("name", "told"), [("mlstm", True), ("lstm", False)])
def test_a_number_that_fills_a_vector_is_said_to(name, told):
    made = repr(conventions(Facts(differentiate(catalogue[name]))))
    assert ("every entry is that number" in made) is told


@pytest.mark.parametrize(("name", "told"), [("mlstm", True), ("lstm", False)])
def test_a_column_of_ones_is_said_to_be_one(name, told):
    facts = Facts(differentiate(catalogue[name]))
    assert ("column of that many ones" in repr(conventions(facts))) is told
    lines = map(Text(), (facts.layout.of(s.equation.value) for s in facts.derivation.steps))
    assert any("1_n" in line for line in lines) is told


def test_a_short_verdict_names_no_theorem_that_stands_elsewhere():
    never = "It never explodes, whatever the weights and inputs: "
    for name, said in (("lstm", "a condition that the whole report states"), ("delta_net", never)):
        facts = Facts(differentiate(catalogue[name]))
        (brief,), (whole,) = (
            [block for block in glance(facts, brief=brief).blocks
             if isinstance(block, Paragraph) and block.lead == "Its gradients."]
            for brief in (True, False)
        )  # fmt: skip
        assert said in repr(brief)
        assert "Theorem 2" in repr(whole)
        assert "Theorem 2" not in repr(brief)


def test_the_rule_of_a_sum_over_entries_is_no_matrix_product():
    text = "a = sum(h_prev * x)\nh = tanh(W @ h_prev + a)"
    derivation = differentiate(Cell.parse(name="c", equations=text))
    found = {step.equation.target.args[0].name: step.terms for step in derivation.part("adjoint")}
    assert found["u_a" + BAR] == (("derivative of a sum over entries", 2),)


def test_a_part_of_a_state_that_is_called_like_a_mark_is_no_marked_letter():
    """a_prev would be printed as the a of the step before, a_hat with a hat."""
    equations = "hat = tanh(W @ hat_prev + U @ x)\nprev = tanh(V @ hat + p * prev_prev)"
    facts = Facts(differentiate(Cell.parse(name="own", equations=equations)))
    steps = facts.derivation.part("forward")
    shown = [Text()(facts.layout.of(step.equation.target)) for step in steps]
    assert shown == ["a_t", "hat_t", "a_{2,t}", "prev_t"]


@pytest.mark.by_default("min_gru")
@pytest.mark.parametrize("name", ["min_gru", "linoss"])
def test_where_no_weight_multiplies_a_state_there_is_no_letter_of_a_gain(name):
    """A minimal GRU's gain would be ω, since g is its candidate: a letter of nothing."""
    facts, made = Facts(differentiate(catalogue[name])), chapter_of(small_study(name))
    pictures = {stem: picture.svg for stem, picture in made.pictures.items()}
    document = Document("a cell", "a cell", "", "", (), made.sections)
    text = " ".join(text_of(html(document, pictures)).split())
    assert "So at these weights" in text
    assert f"{Text()(facts.gain)}=" not in text
    assert ("variance 1/n" in text) == (name == "linoss")  # its readout has n columns
    assert "matrices of variance" in text or "Matrices are drawn from a normal" in text
