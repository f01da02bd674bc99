"""Gradients of one pattern on one line: nothing lost, nothing together that differs."""

from __future__ import annotations

import pytest
from profiles import by_day

from derive import Cell, catalogue, differentiate
from derive.typeset.boxes import Grid
from reports.document.model import EquationRow
from reports.document.words import spoken
from reports.sections.cell import build
from reports.sections.dictionary import dictionary, notations
from reports.sections.facts import Facts
from reports.sections.patterns import groups, pattern_row, split


@pytest.mark.parametrize("name", [*dict.fromkeys([*by_day(catalogue, 8), "gla", "lru"])])
@pytest.mark.parametrize("part", ["gradients", "pairs"])
def test_groups_hold_every_step_once_and_in_order(name, part):
    steps = differentiate(catalogue[name]).part(part)
    found = [*groups(steps)]
    assert [step for group in found for step in group] == [*steps]
    for group in found:
        if len(group) > 1:
            assert len({split(step.equation.value)[:2] for step in group}) == 1


def test_the_long_memory_s_gradients_are_four_lines():
    derivation = differentiate(catalogue["lstm"])
    many = [group for group in groups(derivation.part("gradients")) if len(group) > 1]
    assert [step.equation.target.name for step in many[0]] == [
        "W_fh.bar", "W_fx.bar", "b_f.bar"]  # fmt: skip
    assert len(many) == 4
    row = pattern_row(Facts(derivation), many[0])
    assert isinstance(row.left, Grid)
    assert [*row.numbers] == [step.number for step in many[0]]
    assert row.shown == f"({many[0][0].number}–{many[0][-1].number})"


def test_what_has_two_uses_stays_by_itself():
    tied = Cell.parse(name="tied", equations="h = tanh(W @ h_prev + W @ tanh(h_prev) + U @ x)")
    assert split(differentiate(tied).part("gradients")[0].equation.value) is None
    single = EquationRow(Grid(()), Grid(()), 3)
    assert (single.shown, [*single.numbers]) == ("(3)", [3])
    assert [*EquationRow(Grid(()), Grid(())).numbers] == []


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_the_dictionary_has_symbols_of_the_derivation(name):
    derivation = differentiate(catalogue[name])
    known = {step.equation.target.args[0].name for step in derivation.steps
             if hasattr(step.equation.target.args[0], "name")}  # fmt: skip
    known |= {symbol.name for symbol in derivation.cell.inputs}
    assert {*notations()[name]} <= known
    section = dictionary(Facts(derivation))
    assert len(section.blocks[0].rows) == len(notations()[name])


def test_a_cell_that_notes_do_not_write_about_has_none():
    assert dictionary(Facts(differentiate(catalogue["mut1"]))) is None
    other = Cell.parse(name="rnn", equations="h = tanh(W @ h_prev + U @ x)")
    assert dictionary(Facts(differentiate(other))) is None


@pytest.mark.by_default("rhn_3", "lru", "linoss", "retnet", "sgrn", "rnn")
@pytest.mark.parametrize("name", by_day(catalogue, 10, 4))
def test_every_cell_has_a_report(name):
    anchors = [part.anchor for part in build(differentiate(catalogue[name])).sections]
    assert {"glance", "forward", "through-time", "growth"} <= {*anchors}


@pytest.mark.parametrize("equations", ["h = tanh(p * h_prev + U @ x + b)",
                                       "h = tanh(W.T @ h_prev + U @ x + b)"])  # fmt: skip
def test_the_pattern_is_not_said_of_what_has_a_line_of_its_own(equations):
    steps = differentiate(Cell.parse(name="c", equations=equations)).part("gradients")
    sizes = [len(group) for group in groups(steps)]
    assert max(sizes) > 1
    assert min(sizes) == 1
    assert "any other on a line of its own" in spoken("en").texts["patterns.opening"]
