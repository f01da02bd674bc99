"""The head of a .tex file, for each script that its text has."""

from __future__ import annotations

import pytest
from reading import text_of
from samples import LISTING, SVG, document, measurement, verdict

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from reports.document.html import html
from reports.document.preamble import PROGRAM, headed
from reports.document.tex import escape, tex
from reports.document.words import phrases, spoken
from reports.sections.cell import build

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


def test_the_space_that_sets_off_a_chinese_number_is_no_other_script():
    head, body = headed("表 1\u3000各参数", "zh", SAY)
    assert "ctex" in head
    assert body == "表 1\u3000各参数"
    assert "otherscript" not in head
