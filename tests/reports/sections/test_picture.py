"""The cell in pictures: laid out by Graphviz, nothing lost, and left out where it is missing."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from derive.typeset.latex import Latex
from reports.document import graph_figures, graph_layout
from reports.document.figures import by_steps, shortened
from reports.document.graph_figures import _beside, cut_at_nodes, readable
from reports.document.graph_layout import NoLayoutError, find_graphviz, laid_out
from reports.document.model import Figure, Math
from reports.sections.facts import Facts
from reports.sections.picture import pictures

needs_graphviz = pytest.mark.skipif(find_graphviz() is None, reason="no Graphviz")
SIZES = {"a": (1.0, 0.5), "b c": (1.0, 0.5), "": (0.5, 0.5)}


@needs_graphviz
def test_nodes_lie_inside_and_edges_run_between_their_ends():
    placed = laid_out(SIZES, [("a", "b c", None), ("a", "", (0.4, 0.2)), ("a", "b c", None)],
                      [("source", ["a"]), ("sink", [""])])  # fmt: skip
    width, height = placed.size
    for key, (x, y) in placed.centres.items():
        w, h = SIZES[key]
        assert w / 2 - 0.01 <= x <= width - w / 2 + 0.01
        assert h / 2 - 0.01 <= y <= height - h / 2 + 0.01
    assert placed.centres["a"][0] < placed.centres["b c"][0] <= placed.centres[""][0]
    assert [label is None for label in placed.labels] == [True, False, True]
    for (start, end), curve in zip((("a", "b c"), ("a", ""), ("a", "b c")), placed.curves,
                                   strict=True):  # fmt: skip
        assert len(curve) % 3 == 1
        for key, point in ((start, curve[0]), (end, curve[-1])):
            for place, centre, size in zip(point, placed.centres[key], SIZES[key], strict=True):
                assert abs(place - centre) <= size / 2 + 0.02
    assert placed.curves[0] != placed.curves[2]


@pytest.mark.by_default("mut1")
@needs_graphviz
@pytest.mark.parametrize("name", ["lstm", "mut1"])
def test_a_cell_has_its_graph_and_its_chain(name):
    section, made = pictures(Facts(differentiate(catalogue[name])), name)
    stems = [block.stem for block in section.blocks if isinstance(block, Figure)]
    assert stems == [f"{name}-graph", f"{name}-chain"] == [*made]
    caption = section.blocks[1].caption
    letters = [Latex()(part.box).strip() for part in caption if isinstance(part, Math)]
    assert letters == ["J_{t}", "t", "J_{3}\\,J_{2}\\,J_{1}"]  # named before it is multiplied
    for picture in made.values():
        assert picture.pdf.startswith(b"%PDF")
        assert "#b3261e" in picture.svg
        assert len(picture.svg) < 60_000
    again = pictures(Facts(differentiate(catalogue[name])), name)
    assert again is not None
    assert [p.svg for p in again[1].values()] == [p.svg for p in made.values()]


def test_without_graphviz_there_is_no_picture(monkeypatch):
    monkeypatch.setattr(graph_layout, "find_graphviz", lambda: None)
    with pytest.raises(NoLayoutError, match="apt-get install graphviz"):
        laid_out(SIZES, [])
    cell = Cell.parse(name="one", equations="h = tanh(W @ h_prev + U @ x)")
    assert pictures(Facts(differentiate(cell)), "one") is None


def test_a_failing_program_is_a_missing_layout(monkeypatch, tmp_path):
    bad = tmp_path / "dot"
    bad.write_text("#!/bin/sh\nexit 1\n")
    bad.chmod(0o755)
    monkeypatch.setattr(graph_layout, "find_graphviz", lambda: str(bad))
    with pytest.raises(NoLayoutError, match="the layout failed: CalledProcessError"):
        laid_out(SIZES, [])


def test_a_label_beyond_the_figures_mathematics_is_the_plain_name():
    assert readable(r"\tilde{c}_t", "c_tilde") == r"$\tilde{c}_t$"
    assert readable(r"\nosuch{c}", "c_tilde") == "c_tilde"


def test_pictures_are_shortened_without_being_moved():
    svg = '<path d="M 1.23456 2 \nL 3.100001 -4.006"/><use x="1.23456"/>'
    assert shortened(svg) == '<path d="m1.23 2l1.87-6.01"/><use x="1.23"/>'
    letter = '<path d="M 12.4 7 Q 1 2.6 3 4 z" transform="scale(0.015625)"/>'
    assert shortened(letter) == '<path d="m12 7q-11-4-9-3z" transform="scale(0.015625)"/>'


def test_steps_do_not_drift():
    places = [0.004 * k for k in range(1, 400)]
    path = "M 0 0 " + " ".join(f"L {x} 0" for x in places)
    steps = [float(part.split()[0]) for part in by_steps(path, 2).split("l")[1:]]
    assert abs(sum(steps) - places[-1]) <= 0.005


@needs_graphviz
@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_what_goes_along_an_edge_stands_clear_of_its_arrows(monkeypatch, name):
    """Graphviz puts it beside the edge, which is drawn as two arrows: one ran through h_1."""
    seen = []
    monkeypatch.setattr(graph_figures, "laid_out",
                        lambda *given: seen.append(laid_out(*given)) or seen[-1])  # fmt: skip
    assert pictures(Facts(differentiate(catalogue[name])), name) is not None
    chain = seen[-1]
    at = np.linspace(0, 1, 33)[:, None]
    arrows = []
    for curve in map(np.array, chain.curves):
        for way in (0.045, -0.045):
            moved = _beside(curve, way)
            for a, b, c, d in (moved[k : k + 4] for k in range(0, len(moved) - 3, 3)):
                rest = 1 - at
                arrows.append(rest**3 * a + 3 * rest**2 * at * b + 3 * rest * at**2 * c + at**3 * d)
    places = [place for place in chain.labels if place is not None]
    assert places
    for place in places:
        assert np.linalg.norm(np.concatenate(arrows) - place, axis=1).min() >= 0.085


def test_an_arrow_beside_an_edge_ends_outside_of_the_node_and_its_numbers():
    """Moved beside an edge that comes in at a corner, the head stood over the numbers there."""
    box, given = (2.0, 1.0, 0.74, 0.5, True), (0.0, 0.0, 0.5, 0.36, False)
    line = np.linspace((0.2, 0.11), (1.63, 0.9), 4)
    for way in (0.045, -0.045):
        moved = _beside(line, way)
        made = cut_at_nodes(moved, given, box)
        x, y = np.abs(made[-1] - box[:2])
        assert x >= 0.37 or y >= 0.25
        assert np.hypot(made[0][0] / 0.25, made[0][1] / 0.18) >= 1
        assert np.linalg.norm(made[-1] - moved[-1]) < 0.1
    inside = cut_at_nodes(np.linspace((1.9, 1.0), (2.1, 1.0), 4), box, box)
    assert np.allclose(inside, np.linspace((1.9, 1.0), (2.1, 1.0), 4))
    x, y = np.abs(_beside(line, -0.045)[-1] - box[:2])
    assert x < 0.37
    assert y < 0.25
