"""The head of a .tex file, for each script that its text has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from feet import places, printed
from reading import text_of
from samples import LISTING, SVG, document, measurement, verdict

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from derive.typeset.boxes import Symbol
from reports.document.figures import gradient_norms, labels
from reports.document.html import html
from reports.document.model import EquationRow, Equations, Figure, Table, Words
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


def compiled(folder: Path, body: str) -> Path:
    """The PDF of a body under the head of a report, with a figure, any, for it."""
    picture = gradient_norms(measurement(catalogue["rnn"]), r"\|J\|_2", labels("en"))
    start, begun, _ = tex(document("rnn")).partition(r"\begin{document}")
    whole = f"{start}{begun}\n{body}\n\\end{{document}}\n"
    write_files({
        folder / "figures" / "any.pdf": picture.pdf, folder / "any.tex": whole.encode()
    })  # fmt: skip
    compile_pdf(folder / "any.tex")
    return folder / "any.pdf"


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_equations_that_begin_a_page_below_a_figure_leave_it_its_height(tmp_path):
    """The page above is put out as they begin; a page of tables is too high without a word."""
    figure = write(Figure(1, "any", (Words("one"),), "one"), SAY)
    line = write(Equations((EquationRow(Symbol("a"), Symbol("b")),)), SAY)
    after = f"\n\n{figure}\n\ntext\n\n" + f"{line}\ntext\n\n" * 60
    rooms = (rf"\clearpage\null\vspace{{{room}pt}}" for room in range(560, 680, 3))
    every = places(compiled(tmp_path, "\n".join(room + after for room in rooms)), r"\S+")
    assert len(every) > 40 * 120
    assert {page for page, height in every if height > 842 - 30} == set()


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_caption_below_figures_at_the_top_of_a_page_stays_with_its_table(tmp_path):
    """Figures that wait take most of the page to which a table goes for want of room."""
    rows = (((Words("row"),), (Words("1"),)),) * 12
    table = write(
        Table(1, (Words("caption " * 30),), ((Words("a"),), (Words("b"),)), rows, "lr"), SAY
    )
    figures = (
        "\n\n".join(write(Figure(k, "any", (Words("word " * long),), "one"), SAY) for k in (1, 2))
        for long in range(6, 180, 6)
    )
    body = "\n".join(
        r"\clearpage\null\vspace{600pt}text" + f"\n\n{two}\n\n{table}" for two in figures
    )
    pages = printed(compiled(tmp_path, body)).split("\f")
    assert sum(page.count("row") for page in pages) == 29 * 12
    assert [page for page in pages if "Table 1." in page and "row" not in page] == []
