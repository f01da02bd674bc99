"""The head of a .tex file, for each script that its text has."""

from __future__ import annotations

import shutil

import pytest
from feet import places
from reading import text_of
from samples import CELLS, LISTING, SVG, document, measurement, verdict

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from reports.document.figures import gradient_norms, labels
from reports.document.html import html
from reports.document.model import Figure, Table, Words
from reports.document.pdf import compile_pdf, find_engine
from reports.document.preamble import PROGRAM, headed
from reports.document.tex import escape, tex, write
from reports.document.words import phrases, spoken
from reports.sections.cell import build
from reports.write import write_files

SAY = spoken("en").texts.__getitem__


@pytest.mark.parametrize("title", ["长短期记忆", "Долгая память", "ذاكرة"])
def test_a_title_in_any_script_stands_in_an_english_report(title):
    cell = Cell.parse(name="any", equations="h = tanh(W @ h_prev + U @ x)", title=title,
                      source="张三 2020")  # fmt: skip
    made = build(derivation_of(cell), LISTING, verdict("any"), measurement(cell))
    assert title in text_of(html(made, {"any-gradient_norms": SVG}))
    assert tex(made).startswith(PROGRAM)
    assert "ctex" in tex(made)
    assert not tex(document("rnn")).startswith(PROGRAM)


def test_latin_letters_and_signs_of_formulas_need_latex_base_alone():
    head, body = headed("Gedächtnis, Koutník: ∂L, ‖W‖ ≤ 1 …", "en", SAY)
    assert "ctex" not in head
    assert "fontspec" not in head
    assert r"\DeclareUnicodeCharacter{2202}" in head
    assert body == "Gedächtnis, Koutník: ∂L, ‖W‖ ≤ 1 …"


def test_what_reports_say_of_the_catalogue_needs_latex_base_alone():
    """Also in passing: those templates are the keys of another language's phrases."""
    cells = (line for cell in catalogue.values() for line in (cell.title, cell.source))
    for line in (*spoken("en").texts.values(), *phrases("zh"), *cells):
        assert not headed(escape(line), "en", SAY)[0].startswith(PROGRAM), line


def test_letters_of_other_scripts_get_a_font_that_has_them():
    head, body = headed("Долгая LSTM", "en", SAY)
    assert head.startswith(PROGRAM)
    assert "ctex" not in head
    assert body == r"{\otherscript Долгая} LSTM"
    assert "ctex" in headed("长 Долгая", "en", SAY)[0]


def test_a_chinese_document_calls_its_theorems_in_chinese():
    head, _ = headed("定理", "zh", spoken("zh").texts.__getitem__)
    assert r"\newtheorem{theorem}{定理}" in head
    assert r"\renewcommand{\proofname}{证明}" in head


def test_heads_of_theorems_and_quotations_have_the_marks_of_their_script():
    """In Chinese 定理 1（压缩）。 and “界” of its own font; in English as amsthm has them."""
    chinese, own = headed("见“界”", "zh", spoken("zh").texts.__getitem__)
    assert r"\thmnote{{\normalfont （#3）}}" in chinese
    assert r"{\bfseries}{。}{0.5em}" in chinese
    assert r"\renewcommand{\@addpunct}[1]{。}" in chinese
    assert own == "见“界”"
    english, body = headed("the “bound” 界", "en", SAY)
    assert r"\theoremstyle{definition}" in english
    assert "addpunct" not in english
    assert body == "the ``bound'' 界"


def test_the_space_that_sets_off_a_chinese_number_is_no_other_script():
    head, body = headed("表 1\u3000各参数", "zh", SAY)
    assert "ctex" in head
    assert body == "表 1\u3000各参数"
    assert "otherscript" not in head


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_table_that_goes_over_leaves_the_figures_that_wait_a_page(tmp_path):
    """The room below them is asked for when the page before it is out, not while it is put out."""
    picture = gradient_norms(measurement(CELLS["rnn"]), r"\|J\|_2", labels("en"))
    say = spoken("en").texts.__getitem__
    two = (write(Figure(k, "any", (Words("one " * 110),), "one"), say) for k in (1, 2))
    head, rows = ((Words("a"),),) * 2, (((Words("row"),), (Words("1"),)),) * 9
    both, table = "\n\n".join(two), write(Table(1, (Words("CAP"),), head, rows, "lr"), say)
    start, _, _ = tex(document("rnn")).partition(r"\begin{document}")
    tests = "\n".join(
        rf"\clearpage\null\vspace{{{room}pt}}" + f"\n\n{both}\n\ntext\n\n{table}\n\ntext\n\n"
        for room in range(560, 680, 12)
    )
    path = tmp_path / "any.tex"
    path.write_text(f"{start}\\begin{{document}}\n{tests}\n\\end{{document}}\n", encoding="utf-8")
    write_files({tmp_path / "figures" / "any.pdf": picture.pdf})
    assert r"Overfull \vbox" not in compile_pdf(path)
    assert len(places(path.with_suffix(".pdf"), "CAP")) == 10
    path.write_text(path.read_text().replace(r"\penalty-10000\relax", r"\penalty-10000"))
    assert r"Overfull \vbox" in compile_pdf(path)
