"""Reports as documents: what they say, the same in both formats, and how they are built."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
from matplotlib.figure import Figure as Drawing
from reading import text_of
from samples import CELLS, document, measurement, page, source, verdict

from derive import Cell, catalogue, differentiate
from derive.typeset.boxes import (
    Fenced,
    Number,
    Operator,
    Row,
    Script,
    Sum,
    Symbol,
    lines,
    width,
)
from derive.typeset.text import Text
from numeric.verification.verdict import Check, Gradient, Verdict
from reports.document.figures import SHADES, gradient_norms, label_ends, labels, over_lags
from reports.document.html import BESIDE, equations, html, inline, pieces, said
from reports.document.model import (
    Document,
    EquationRow,
    Equations,
    Figure,
    Listing,
    Math,
    Paragraph,
    Reference,
    Section,
    Table,
    Theorem,
    Words,
)
from reports.document.tex import CODE_WIDTH, escape, listing, tex
from reports.document.words import listed
from reports.sections.cell import build
from reports.sections.facts import Facts
from reports.sections.growth import growth
from reports.sections.verified import scientific

BLANK = '<span class="whole"> </span>'


@pytest.mark.parametrize("name", CELLS)
def test_tex_is_the_golden_file(name, golden):
    golden(f"{name}.tex", source(name))


@pytest.mark.parametrize("name", CELLS)
def test_text_of_html_is_the_golden_file(name, golden):
    golden(f"{name}.txt", text_of(page(name)))


@pytest.mark.parametrize("name", CELLS)
def test_both_formats_hold_every_equation_once(name):
    steps = differentiate(CELLS[name]).steps
    for step in steps:
        assert source(name).count(rf"\anchor{{eq-{step.number}}}") == 1
        assert page(name).count(f'id="eq-{step.number}"') == 1


@pytest.mark.parametrize("name", CELLS)
def test_every_link_has_its_anchor(name):
    made, text = page(name), source(name)
    assert set(re.findall(r'href="#([^"]+)"', made)) <= set(re.findall(r'id="([^"]+)"', made))
    anchors = set(re.findall(r"\\(?:anchor|hypertarget)\{([^}]+)\}", text))
    assert set(re.findall(r"\\hyperlink\{([^}]+)\}", text)) <= anchors


def test_a_theorem_bears_the_number_that_sentences_call_it_by_wherever_it_stands():
    claim = (Paragraph((Words("It holds."),)),)
    theorems = Section("a", "A", (Theorem("Far", 8, claim, ()), Theorem("Near", 2, claim, ())))
    made = Document("a", "t", "s", "a", (), (theorems,))
    set_to = re.findall(
        r"\\setcounter\{theorem\}\{(\d+)\}\s*\\begin\{theorem\}\[(\w+)\]", tex(made)
    )
    assert set_to == [("7", "Far"), ("1", "Near")]  # one less: \begin{theorem} counts on
    assert "\u00a0" not in html(replace(made, language="zh"))
    assert re.findall(r"<b>(.*?)</b> \((\w+)\)", html(made)) == [
        ("Theorem 8", "Far"), ("Theorem 2", "Near"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_html_needs_no_script_and_no_network(name):
    made = page(name)
    assert "<script" not in made
    assert not re.search(r'(?:src|href)="(?!#|data:)', made)
    assert "@import" not in made
    assert "url(http" not in made


@pytest.mark.parametrize("name", CELLS)
def test_tex_uses_latex_base_alone(name):
    packages = set(re.findall(r"\\usepackage(?:\[[^]]*\])?\{([^}]+)\}", source(name)))
    known = {
        "amsmath", "amssymb", "amsthm", "bm", "longtable", "graphicx", "hyperref", "geometry",
        "color", "verbatim",
    }  # fmt: skip
    assert {package for group in packages for package in group.split(",")} <= known


def test_without_values_their_sections_are_left_out():
    bare = build(differentiate(catalogue["rnn"]))
    titles = [section.title for section in bare.sections]
    assert "The code" not in titles
    assert "What was verified" not in titles
    assert "not verified" in text_of(html(bare))


def test_a_failure_is_said_on_page_one():
    wrong = Verdict(
        "rnn", "fail", {"autograd": Check("fail", "differs")},
        {"params.W": Gradient("fail", 0.5, "by autograd")}, None, 0, "dev", {},
    )  # fmt: skip
    made = text_of(html(build(differentiate(catalogue["rnn"]), "", wrong)))
    assert "Status fail: autograd" in made
    assert "Not proved right: params.W" in made


@pytest.mark.parametrize(("reads", "words"), [
    ("V @ x", "at every step: no path leads from c"),
    ("c - c", "at every step: the paths from c"),
])  # fmt: skip
def test_paths_are_said_to_cancel_where_there_are_any(reads, words):
    cell = Cell.parse(name="apart", equations=f"""
c = 0.5 * c_prev + U @ x
h = tanh(W @ h_prev + {reads})""")  # fmt: skip
    made = text_of(html(build(differentiate(cell))))
    assert words in made


def test_the_listing_bears_the_numbers_of_its_equations():
    made = text_of(page("rnn"))
    assert "a = h_prev[t] @ W.T # (1)" in made
    assert "h_bar = h_bars[t] + h_bar_carry # (3)" in made
    assert "def forward" not in made


def test_the_parameters_are_counted():
    assert "4(n2+nm+n)" in text_of(page("lstm")).replace(" ", "")


def test_the_number_of_the_rate_is_written_out():
    assert "γ‖W‖2 | ≤1×2 | at g=1; at most 2, not below 1" in text_of(page("rnn"))


def test_a_slot_may_hold_anything_of_a_document():
    joined = listed([(Words("a"),), (Math(Symbol("b")),), (Reference("eq-1", "1"),)])
    assert [getattr(part, "text", "") for part in joined] == ["a", ", ", "", " and ", "1"]


@pytest.mark.parametrize(
    ("value", "digits", "power"), [(1.5e-6, "1.5", "6"), (9.99e-4, "1.0", "3"), (25.0, "2.5", "1")]
)
def test_scientific_notation(value, digits, power):
    made = scientific(value)
    assert made.items[0] == Number(digits)
    assert power in str(made.items[2])


def test_words_are_escaped():
    assert escape(r"a_b 50% {x} \y ~ ⊙") == (
        r"a\_b 50\% \{x\} \textbackslash{}y \~{} \ensuremath{\odot}"
    )
    assert escape("<b>|") == r"\textless{}b\textgreater{}\textbar{}"  # else ¡b¿ is set, and —


def test_a_wide_formula_in_the_line_is_cut_before_its_relation_and_signs():
    term = Fenced(Row((Symbol("alpha"),) * 20))
    wide = Row((term, Operator("="), Sum((("+", term), ("−", term)))))
    made = pieces(wide)
    assert len(made) > 2
    assert all(width(piece) < width(wide) / 2 for piece in made)
    assert "".join(Text()(piece) for piece in made).replace(" ", "") == Text()(wide).replace(
        " ", ""
    )
    assert pieces(Symbol("alpha")) == (Symbol("alpha"),)
    assert inline(Math(wide)).count("<wbr>") == len(made) - 1


def test_a_formula_stays_with_the_mark_after_it_and_the_bracket_before_it():
    a, b = Math(Symbol("a")), Math(Symbol("b"))
    made = said((Words("x ("), a, Words("), y"), b, Words("。z（"), a, Words("）；")))
    short = re.sub("<math>.*?</math>", "M", made).replace('<span class="whole">', "<")
    assert short.replace("</span>", ">") == "x <<(M>),> y<M。>z<<（M>）；>"


def test_a_table_refuses_ragged_rows():
    cell = (Words("a"),)
    with pytest.raises(ValueError, match="2 cells"):
        Table(1, cell, (cell, cell), ((cell,),), "ll")


def test_a_group_of_equations_is_not_empty():
    with pytest.raises(ValueError, match="at least one"):
        Equations(())
    assert Equations((EquationRow(Symbol("a"), Symbol("b")),)).rows[0].sign == "="


def test_figures_are_the_same_each_time_and_undated():
    given = measurement(CELLS["rnn"])
    once, again = (gradient_norms(given, "x", labels("en")) for _ in range(2))
    assert once == again
    assert once.pdf.startswith(b"%PDF")
    assert b"CreationDate" not in once.pdf
    assert "<dc:date>" not in once.svg


@pytest.mark.parametrize(("heights", "lines"), [((0.0, 5.0), 0), ((0.0, 0.01, 0.02, 5.0), 3)])
def test_a_label_that_is_moved_or_would_be_crossed_has_a_leader_line(heights, lines):
    axes = Drawing().subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(-1, 10)
    label_ends(axes, [(height, "label", "black") for height in heights], 10.2)
    assert len(axes.texts) == len(heights)
    assert len(axes.lines) == lines
    assert all(line.get_xdata()[0] == 10 for line in axes.lines)


def test_every_equation_shows_its_latex_source():
    made = page("rnn")
    names = re.findall(r'popovertarget="([^"]+)"', made)
    shown = dict(re.findall(r'<samp popover id="([^"]+)">([^<]*)</samp>', made))
    assert [*shown] == names
    assert len(names) == len(set(names)) >= len(re.findall(r'<tr id="eq-', made))
    assert r"h_{t} = \tanh (a_{t})" in shown.values()
    assert not any("\\ct" in text for text in shown.values())
    assert "<script" not in made


def test_a_verdict_may_be_inconclusive():
    checks = {"autograd": Check("inconclusive", "no example")}
    made = Verdict("rnn", "inconclusive", checks, {}, None, 0, "dev", {})
    assert verdict("rnn").status == "pass"
    text = text_of(html(build(differentiate(catalogue["rnn"]), "", made)))
    assert "Status inconclusive: autograd" in text


def test_sizes_are_written_as_in_the_shapes():
    cell = catalogue["mlstm"]
    made = replace(measurement(cell), sizes=(("n_n", 4),))
    numbers = next(block for block in growth(Facts(differentiate(cell), measurement=made)).blocks
                   if getattr(block, "lead", "") == "Numbers.")  # fmt: skip
    size = Script(Symbol("n"), sub=Symbol("n"))
    assert Math(Row((size, Operator("="), Number("4")))) in numbers.content


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_two_curves_that_look_like_one_are_said_to_coincide(gap):
    cell = catalogue["mlstm"]
    given = measurement(cell)
    above = tuple(value + gap for value in given.curves[0].log10_measured)
    made = replace(given, curves=(replace(given.curves[0], log10_upper=above),))
    (caption,) = (
        str(block.caption)
        for block in growth(Facts(differentiate(cell), measurement=made)).blocks
        if isinstance(block, Figure)
    )
    assert ("coincide" in caption) is (gap == 0)


@pytest.mark.parametrize("last", [1, 2, 5, 22, 60])
def test_lags_are_whole_numbers_along_an_axis(last):
    axes = Drawing().subplots()
    over_lags(axes, last, labels("en"))
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= last]
    assert all(tick == round(tick) for tick in ticks)
    assert len(ticks) > 1
    assert {tick % 5 for tick in ticks} == {0} or last < 10


def test_one_curve_alone_is_black():
    whole = measurement(CELLS["rnn"])
    alone = replace(whole, curves=whole.curves[:1])
    light, dark = SHADES[0].lower(), "#000000"
    several, one = (gradient_norms(m, "x", labels("en")).svg.lower() for m in (whole, alone))
    assert light in several
    assert light not in one
    assert dark in one or "stroke: #000" in one


def test_short_code_stays_on_its_line():
    assert inline(Words("x @ W.T", "code")) == '<code class="whole">x @ W.T</code>'
    flag = '<span class="whole">--seed</span>'
    assert inline(Words("bptt verify lstm --seed 0", "code")) == (
        f"<code>bptt verify lstm {flag} 0</code>")  # fmt: skip
    own = '<span class="whole">2-范数</span>'
    assert inline(Words("按状态，2-范数")) == f"按状态，{own}"
    norm = '<span class="whole">∞-norm</span>'
    assert inline(Words("the ∞-norm of a well-known W")) == f"the {norm} of a well-known W"


def test_a_number_and_its_percent_stay_on_one_line():
    """A browser breaks the line beside a formula whatever stands there: it is held in a span."""
    assert inline(Words("to 100 %; a")) == 'to <span class="whole">100 %</span>; a'
    for space in (" ", "\u00a0", ""):
        made = said((Words("is "), Math(Symbol("a")), Words(f"{space}% of")))
        short = re.sub("<math>.*?</math>", "M", made)
        assert short == f'is <span class="whole">M{space and " "}%</span> of'
    assert escape("to 100 %; a") == r"to 100~\%; a"
    a, fixed = Math(Symbol("a")), Words("\u00a0")
    short = re.sub("<math>.*?</math>", "M", said((a, fixed, a, Words("%、"), a)))
    assert short == f'<span class="whole">M{BLANK}<span class="whole">M%、</span></span>M'


def test_a_fixed_space_is_as_wide_as_any_other():
    """Latin Modern has no such letter: a browser takes a wider one, of another font."""
    assert inline(Words("由定理\u00a02 得")) == f"由定理{BLANK}2 得"
    assert inline(Words("前\u00a01", "emphasis")) == f"<em>前{BLANK}1</em>"
    assert inline(Reference("a", "Theorem\u00a01")) == f'<a href="#a">Theorem{BLANK}1</a>'
    assert "\u00a0" not in page("rnn")


def test_a_line_that_begins_in_a_bracket_stands_further_in():
    """At the indent of the other terms it would read as one of them."""
    inner = Fenced(Sum((("+", Symbol("inner" * 4)), ("+", Symbol("last" * 9)))), "(", ")")
    terms = (("+", Symbol("first" * 9)), ("+", Row((Symbol("factor" * 6), inner))))
    line = Equations((EquationRow(Symbol("a"), Sum(terms)),))
    made = replace(document("rnn"), sections=(Section("a", "A", (line,)),))
    within = re.compile(r"\\quad(?P<more>(\\quad)?) \{\} *\+ *\S*?(first|factor|inner|last)")
    assert [(found[3], bool(found["more"])) for found in within.finditer(tex(made))] == [
        ("factor", False), ("last", True)]  # fmt: skip
    shown = re.findall(r"<div class=more( style=margin-left:1em)?>", html(made))
    assert shown == ["", " style=margin-left:1em"]


@pytest.mark.parametrize("length", range(84, 104))
def test_a_long_line_of_code_is_broken_in_tex_where_python_may_break_it(length):
    """A comment stays whole, and no sign of a line that goes on stands before it."""
    line = f"{'x' * (length - 75)} = {' + '.join(['ab'] * 15)}  # (12)"
    assert len(line) == length + 8
    code = listing(Listing(line)).split(r"\begin{verbatim}")[1].split(r"\end{verbatim}")[0].strip()
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(line))
    assert "# (12)" in code
    assert not re.search(r"\\\n *#", code)
    assert max(map(len, code.split("\n"))) <= CODE_WIDTH


def test_a_comment_longer_than_a_line_is_parted_in_tex():
    said = "    # " + "word " * 40 + "end"
    code = listing(Listing(said)).split(r"\begin{verbatim}")[1].split(r"\end{verbatim}")[0]
    made = code.strip("\n").split("\n")
    assert len(made) > 1
    assert max(map(len, made)) <= CODE_WIDTH
    assert all(line.startswith("    # ") for line in made)
    assert " ".join(line.removeprefix("    # ") for line in made) == said.removeprefix("    # ")


def test_equations_take_of_the_margin_only_where_that_spares_a_line():
    """Their numbers stand below those of others then; indents of further lines count."""
    for count in range(4, 40):
        row = EquationRow(Symbol("b" * 12), Sum((("+", Symbol("a" * 4)),) * count), 1,
                          space=Symbol("a" * 6))  # fmt: skip
        made = equations(Equations((row,)))
        column, wide = (len(lines(row.right, room)) for room in (28.3, 28.3 + BESIDE))
        assert ('"scroll wide"' in made) == (wide < column)
