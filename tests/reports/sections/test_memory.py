"""Why a cell keeps gradients: which end of the gate keeps, what it reads, what the product is."""

from __future__ import annotations

import math

import matplotlib as mpl
import pytest
from studies import chapter_of, small_study, study_of

from derive import Cell, catalogue, differentiate
from derive.typeset.text import Text
from numeric.bounds.memory import ByGain
from reports.document import memory_figures
from reports.document.figures import labels
from reports.document.model import (
    Bullets,
    Equations,
    Figure,
    Math,
    Paragraph,
    Reference,
    Section,
    Table,
    Words,
)
from reports.sections.bounds import chapter
from reports.sections.facts import Facts
from reports.sections.memory import _read_by


def section_of(name: str) -> Section:
    """The section of a small drawn net."""
    return next(s for s in chapter_of(small_study(name)).sections if s.anchor == "memory")


def said(content) -> str:
    """Inline text with its formulas."""
    texts = (part.text if isinstance(part, Words) else Text()(part.box) for part in content
             if isinstance(part, (Words, Math)))  # fmt: skip
    return " ".join("".join(texts).split())


@pytest.mark.by_default("min_gru", "t_rnn")
@pytest.mark.parametrize(("name", "reads", "cuts"), [
    ("lstm", "inputs and states", "0"), ("gru", "inputs and states", "1"),
    ("min_gru", "inputs", "1"), ("mut1", "inputs", "1"), ("t_rnn", "inputs", "0"),
])  # fmt: skip
def test_the_end_at_which_a_gate_cuts_is_that_of_its_factor(name, reads, cuts):
    items = [said(item) for block in section_of(name).blocks if isinstance(block, Bullets)
             for item in block.items]  # fmt: skip
    assert f"it depends on {reads}, and one step at which it is near {cuts} cuts" in items[-1]
    whole = "10"[int(cuts)]
    assert all(f"brings it near {whole}." in item for item in items if "a step, and" in item)


@pytest.mark.parametrize(("name", "exact"), [("min_gru", True), ("t_rnn", True), ("lstm", False)])
def test_a_product_without_other_paths_has_no_dots(name, exact):
    section = section_of(name)
    _, several = next(b for b in section.blocks if isinstance(b, Equations)).rows
    assert ("⋯" not in Text()(several.right)) is exact
    content = section.blocks[0].content
    assert ("others join it" not in said(content)) is exact
    formulas = [Text()(part.box) for part in content if isinstance(part, Math)]
    assert ("⋯" not in formulas) is exact


def test_paths_that_leave_a_state_for_good_do_not_come_back():
    cell = Cell.parse(name="read", equations="""
z = sigmoid(W_z @ x + b_z)
c = z * c_prev + U @ x
h = tanh(W @ h_prev + V @ c_prev)""")  # fmt: skip
    jacobian = differentiate(cell).step_jacobian
    assert (jacobian.reached("c"), jacobian.reached("h")) == ({"c", "h"}, {"h"})
    back = Cell.parse(name="back", equations=cell.text.replace("U @ x", "U @ h_prev"))
    assert differentiate(back).step_jacobian.reached("h") == {"c", "h"}


@pytest.mark.parametrize(("gate", "reads"), [
    ("sigmoid(W_z @ x + b_z)", "memory.inputs"), ("sigmoid(q + b_z)", "memory.inputs_and_states"),
    ("sigmoid(W_z @ h_prev + b_z)", "memory.states"), ("sigmoid(p + b_z)", ""),
])  # fmt: skip
def test_what_a_gate_reads_is_followed_through_the_equations(gate, reads):
    cell = Cell.parse(name="reads", equations=f"""
q = tanh(Q @ h_prev) * (V @ x)
z = {gate}
h = z * h_prev + q""")  # fmt: skip
    assert _read_by(cell, "z") == reads


@pytest.mark.long
def test_a_gate_that_keeps_nothing_at_rest_has_a_row():
    cell = Cell.parse(name="jumps", equations="""
z = step(W_z @ x + b_z, slope=triangle)
h = z * h_prev + W @ x""")  # fmt: skip
    section = next(s for s in chapter_of(study_of(cell)).sections if s.anchor == "memory")
    table = next(block for block in section.blocks if isinstance(block, Table))
    _, share, alone, *_ = map(said, table.rows[0])
    assert (share, alone) == ("0", "−∞")
    items = next(block for block in section.blocks if isinstance(block, Bullets)).items
    assert "in the plain network: 0 against" in said(items[0])


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "layers"), [("rnn", 1), ("rnn", 2), ("gru", 1), ("clockwork_rnn", 1), ("gla", 1)]
)
def test_the_pictures_of_a_chapter_are_drawn(name, layers):
    """Tests that read its words have them made and not drawn."""
    found = small_study(name, layers)
    made = chapter(Facts(differentiate(catalogue[name])), found, name, "x")
    assert {f"{name}-bounds", f"{name}-times"} <= made.pictures.keys()
    for picture in made.pictures.values():
        assert picture.pdf.startswith(b"%PDF")
        assert "<path" in picture.svg


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_the_net_and_the_sequence_of_the_numbers_are_said_before_them(name):
    """The section stands before those on the net and the sequence, in a short report without."""
    blocks = section_of(name).blocks
    place, setting = next((k, said(block.content)) for k, block in enumerate(blocks)
                          if isinstance(block, Paragraph)
                          and block.lead == "Net and sequence.")  # fmt: skip
    assert not any(isinstance(block, (Bullets, Figure, Table)) for block in blocks[:place])
    for part in ("g²/n", "n = 6, m = 3", "the gain is g = 1", "[−1,1], seed 1; 24 steps",
                 "certified is proved", "measured is computed"):  # fmt: skip
        assert part.replace(" ", "") in setting.replace(" ", "")


@pytest.mark.by_default("lstm")
@pytest.mark.parametrize(("name", "times"), [("lstm", 2), ("rnn", 2), ("ttt_linear", 0)])
def test_the_drawn_net_and_its_sequence_are_said_once(name, times):
    """The sections below refer to the first, by its title."""
    sections = chapter_of(small_study(name)).sections
    told = [said(block.content) for section in sections for block in section.blocks
            if isinstance(block, Paragraph)]  # fmt: skip
    assert sum("drawn from a normal distribution" in text for text in told) == 1
    assert sum("steps from the zero state" in text for text in told) == 1
    links = [part for section in sections[1:] for block in section.blocks
             if isinstance(block, Paragraph) for part in block.content
             if isinstance(part, Reference) and part.anchor == "memory"]  # fmt: skip
    assert [link.text for link in links] == [sections[0].title] * times


def test_a_label_inside_the_frame_hides_the_line_that_goes_through_it(monkeypatch):
    """The line at the largest gain with certified decay stands where the label has its room."""
    held: list[mpl.figure.Figure] = []
    monkeypatch.setattr(memory_figures, "drawn", lambda figure: held.append(figure))
    upper, lower = (-40.0, -5.0, 15.0, math.inf), (-60.0, -20.0, 1.0, 30.0)
    found = ByGain(60, (0.1, 0.5, 1.0, 3.0), (-60.0, -20.0, -1.0, 8.0), upper, lower, 0.5, 1.0, ())
    memory_figures.norms_by_gain(found, "x", labels("en"))
    (figure,) = held
    figure.draw_without_rendering()
    (axes,) = figure.axes
    (inside,) = (text for text in axes.texts if "all inputs" in text.get_text())
    crossed = inside.get_window_extent()
    (line,) = (line for line in axes.lines if list(line.get_xdata()) == [0.5, 0.5])
    assert crossed.x0 < axes.transData.transform((0.5, 0))[0] < crossed.x1
    assert inside.get_bbox_patch().get_facecolor() == (1, 1, 1, 1)
    assert inside.zorder > line.zorder
