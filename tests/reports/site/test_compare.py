"""Two cells side by side, and the search box, in a browser and without one."""

from __future__ import annotations

import re

import pytest
from browser import BROWSER, browse

from derive import Cell, catalogue, differentiate
from derive.language.expr import symbols_of
from derive.language.syntax import BAR, DOT
from reports.site.compare import _named, compare_page
from reports.site.index import Entry, index_page

NAMES = ("rnn", "lstm", "gru")
CELLS = [catalogue[name] for name in NAMES]
GOOD = {"status": "pass", "checks": {"exact": "pass"}, "examples": 10}
SEARCH = """<script>
box.value = "cho 2014";
box.dispatchEvent(new Event("input"));
</script>"""


def visible(dom: str) -> list[str]:
    """The cells that are shown."""
    cards = re.findall(r'<article id="(\w+)"([^>]*)>', dom)
    return [name for name, rest in cards if "hidden" not in rest]


def test_every_cell_has_its_equations_and_blocks_and_may_be_chosen():
    page = compare_page(CELLS, "index.html")
    assert re.findall(r'<article id="(\w+)">', page) == [*NAMES]
    assert page.count("<option") == 2 * len(NAMES)
    assert 'href="index.html"' in page
    assert "http" not in re.sub(r'"http://www.w3.org[^"]*"', "", page)
    assert "并列" in compare_page(CELLS, "index.html", "zh")


@pytest.mark.parametrize("name", ["lstm", "gru", "mut1", "delta_net"])
def test_every_letter_of_a_step_jacobian_is_of_an_equation_beside_it(name):
    """A name for a part, and the names that stand in what it is a name for."""
    cell = catalogue[name]
    derivation = differentiate(cell)
    named = _named(derivation)
    known = {s.name for s in (*cell.inputs, *cell.parameters, *cell.states, *cell.previous_states)}
    known |= {e.target.name for e in cell.equations}
    blocks = [step.equation for step in derivation.part("jacobian")]
    used = {s.name for e in (*blocks, *named) for s in symbols_of(e.value)}
    marked = {name for name in used if name.endswith((BAR, DOT))}
    assert used - known - marked == {s.name for e in named for s in symbols_of(e.target)}
    page = compare_page([cell], "index.html", "zh")
    assert ("<p>其中</p>" in page) is bool(named)
    assert "参数：" in page


def test_a_number_that_fills_a_column_has_the_column_of_ones_beside_it():
    cell = Cell.parse(name="normed", equations="h = (h_prev + U @ x) / (1 + norm(W @ h_prev))")
    part = compare_page([cell], "index.html").split("<p>with</p>")[1]
    assert "<msub><mn>1</mn><mi>n</mi></msub>" in part


def test_a_cell_of_which_not_all_is_judged_is_listed_in_the_language():
    doubt = {"status": "partial", "checks": {"exact": "inconclusive"}, "examples": 3}
    assert "部分</em>：精确" in index_page([Entry(catalogue["rnn"], doubt)], ("html",), "zh")


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_two_cells_are_shown_those_that_the_address_names(tmp_path):
    page = compare_page(CELLS, "index.html")
    (tmp_path / "compare.html").write_text(page, encoding="utf-8")
    assert visible(browse(tmp_path / "compare.html").stdout) == ["lstm", "gru"]
    asked = page.replace("location.hash.slice(1)", '"gru,rnn"')
    (tmp_path / "compare.html").write_text(asked, encoding="utf-8")
    dom = browse(tmp_path / "compare.html").stdout
    assert sorted(visible(dom)) == ["gru", "rnn"]
    assert re.search(r'id="gru"[^>]*order: 0', dom)


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_the_search_box_shows_what_holds_every_word(tmp_path):
    page = index_page([Entry(cell, GOOD) for cell in CELLS], ("html",))
    (tmp_path / "index.html").write_text(page.replace("</body>", f"{SEARCH}</body>"),
                                         encoding="utf-8")  # fmt: skip
    dom = browse(tmp_path / "index.html").stdout
    assert visible(dom) == ["gru"]
    assert re.search(r"<output[^>]*>1</output>", dom)
    assert len(re.findall(r'<section id="[^"]*" hidden', dom)) == 2
    assert visible(page) == [*NAMES]
