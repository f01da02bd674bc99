"""A PDF without TeX, and which of the two made one."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from browser import BROWSER
from feet import LEADING, crowded, feet, places, printed, row_counts
from samples import CELLS, SVG, document, measurement

from derive.typeset.boxes import Fraction, Sum, Symbol
from reports.document import printed_pdf
from reports.document.figures import gradient_norms, labels
from reports.document.html import html
from reports.document.model import (
    Bullets,
    EquationRow,
    Equations,
    Figure,
    Listing,
    Paragraph,
    Section,
    Table,
    Theorem,
    Words,
)
from reports.document.pdf import EngineError
from reports.document.printed_pdf import laid_out, made_by, print_pdf


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_is_printed_with_its_text(tmp_path):
    print_pdf(html(document("rnn"), {"rnn-gradient_norms": SVG}), tmp_path / "rnn.pdf")
    assert made_by(tmp_path / "rnn.pdf") == "a browser"
    assert [path.name for path in tmp_path.iterdir()] == ["rnn.pdf"]
    if shutil.which("pdftotext"):
        text = printed(tmp_path / "rnn.pdf")
        assert "One step back" in text
        assert "tanh" in text
        numbers = [page.split()[-1] for page in text.split("\f")[:-1]]
        assert numbers == [str(k + 1) for k in range(len(numbers))]


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_what_leads_to_the_next_lines_is_printed_on_their_page(tmp_path):
    print_pdf(html(crowded()), tmp_path / "any.pdf")
    last = feet(tmp_path / "any.pdf", numbered=True)
    assert len(last) > 25
    assert [text for text in last if text.endswith(LEADING)] == []
    assert min(row_counts(tmp_path / "any.pdf", "row")) >= 5
    assert {*row_counts(tmp_path / "any.pdf", "short")} == {9}
    assert {*row_counts(tmp_path / "any.pdf", "w")} == {6}
    assert min(row_counts(tmp_path / "any.pdf", "d")) >= 2


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_figure_stands_below_a_page_half_full(tmp_path):
    """It cannot wait for a page with room, as in TeX, so it is made smaller."""
    picture = gradient_norms(measurement(CELLS["rnn"]), "x", labels("en"))
    text = (Paragraph((Words("text"),)),) * 14
    shown = Figure(1, "any", (Words("seen"),), "any")
    made = replace(document("rnn"), sections=(Section("a", "t", (*text, shown)),))
    print_pdf(html(made, {"any": picture.svg}), tmp_path / "any.pdf")
    first, *rest = printed(tmp_path / "any.pdf").split("\f")
    assert "seen" in first
    assert rest == [""]


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_both_sides_of_an_equation_stand_on_one_line(tmp_path):
    """Cells of a table are not aligned by their lines on a page that breaks: a grid's are."""
    tall = Fraction(Fraction(Symbol("a"), Symbol("b")), Symbol("c"))
    line = EquationRow(Symbol("left"), Sum((("+", tall), ("+", Symbol("right")))))
    made = replace(document("rnn"), sections=(Section("a", "t", (Equations((line,)),)),))
    print_pdf(html(made), tmp_path / "any.pdf")
    (left,), (right,) = places(tmp_path / "any.pdf", "left"), places(tmp_path / "any.pdf", "right")
    assert abs(left[1] - right[1]) < 0.5


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_what_follows_a_figure_fills_the_page_that_has_no_room_for_it(tmp_path):
    """The words of the next section under their heading; figures stay in their order."""
    picture = gradient_norms(measurement(CELLS["rnn"]), "x", labels("en"))
    long, after = (Words("above " * 75),), (Words("after " * 75),)
    shown = [Figure(k, "any", (Words(f"caption{k}"),), "any") for k in (1, 2)]
    made = replace(document("rnn"), sections=(
        Section("a", "t", (*(Paragraph(long),) * 6, shown[0])),
        Section("b", "t", (*(Paragraph(after),) * 3, shown[1])),
    ))  # fmt: skip
    print_pdf(html(made, {"any": picture.svg}), tmp_path / "any.pdf")
    (one,), (two,) = (places(tmp_path / "any.pdf", f"caption{k}") for k in (1, 2))
    assert one < two
    assert one[0] == 1
    foot = max(place for page, place in places(tmp_path / "any.pdf", "after") if page == 0)
    assert foot > 0.82 * 842


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_the_number_of_an_equation_behind_code_is_not_cut_from_its_sign(tmp_path):
    """It goes to the next line as one."""
    lines = "\n".join(f"{'a' * long}  # (12)" for long in range(80, 140))
    made = replace(document("rnn"), sections=(Section("a", "t", (Listing(lines),)),))
    print_pdf(html(made), tmp_path / "any.pdf")
    assert len(re.findall(r"# \(12\)", printed(tmp_path / "any.pdf"))) == 60


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_the_further_lines_of_a_line_of_code_stand_further_in(tmp_path):
    """And the comment behind it stands clear of it."""
    line = "    start = " + " + ".join(["middle"] * 20) + "  # (12)"
    made = replace(document("rnn"), sections=(Section("a", "t", (Listing(f"for\n{line}"),)),))
    print_pdf(html(made), tmp_path / "any.pdf")
    found = subprocess.run(["pdftotext", "-bbox", tmp_path / "any.pdf", "-"], check=True,
                           capture_output=True, text=True).stdout  # fmt: skip
    words = [(*map(float, re.findall(r'="([\d.]+)"', place)), text) for place, text in
             re.findall(r"<word ([^>]*)>([^<]*)</word>", found)]  # fmt: skip
    (start,) = [word for word in words if word[4] == "start"]
    further = [w for w in words if w[4] in {"middle", "+"} and w[1] > start[1] + 5]
    assert min(word[0] for word in further) > start[0] + 10
    (sign,) = [word for word in words if word[4] == "#"]
    beside = [word for word in further if abs(word[1] - sign[1]) < 3]
    assert all(word[2] < sign[0] for word in beside)


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_table_that_nearly_fits_stands_in_narrower_rows_before_a_figure(tmp_path):
    picture = gradient_norms(measurement(CELLS["rnn"]), "x", labels("en"))
    cells = (Words("row"),), (Words("1"),)
    blocks = Table(1, (Words("c"),), cells, (cells,) * 9, "lr"), Paragraph((Words("after"),))
    shown = Figure(1, "any", (Words("seen"),), "any")
    made = replace(document("rnn"), sections=(
        Section("a", "t", (*(Paragraph((Words("text"),)),) * 21, shown, *blocks)),))  # fmt: skip
    print_pdf(html(made, {"any": picture.svg}), tmp_path / "any.pdf")
    pages = {word: {page for page, _ in places(tmp_path / "any.pdf", word)}
             for word in ("row", "seen")}  # fmt: skip
    assert pages == {"row": {0}, "seen": {1}}


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_no_head_of_a_theorem_and_no_assumption_stands_alone(tmp_path):
    said = Bullets(((Words("point"),),) * 4)
    parts = tuple(part for k in range(60) for part in (
        *(Paragraph((Words("text"),)),) * (k % 7),
        Theorem("t", 2 * k + 1, (Paragraph((Words("claim"),)),), ()),
        Theorem("t", 2 * k + 2, (said,), ())))  # fmt: skip
    made = replace(document("rnn"), sections=(Section("a", "t", parts),))
    print_pdf(html(made), tmp_path / "any.pdf")
    last = feet(tmp_path / "any.pdf", numbered=True)
    assert len(last) > 10
    assert [text for text in last if "Theorem" in text] == []
    assert {*row_counts(tmp_path / "any.pdf", "• point")} <= {2, 4}


def test_a_page_alone_has_no_script_of_printing():
    page = html(document("rnn"), {"rnn-gradient_norms": SVG})
    assert "<script" not in page
    assert laid_out(page).count("<script>") == 1


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_short_report_is_printed_smaller(tmp_path):
    pages, text = [], (Paragraph((Words("text " * 90),)),) * 60
    for compact in (False, True):
        made = replace(document("lstm"), sections=(Section("a", "t", text),), compact=compact)
        print_pdf(html(made), tmp_path / "any.pdf")
        pages.append(printed(tmp_path / "any.pdf").count("\f"))
    assert pages[1] < 0.75 * pages[0]


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_chinese_names_beside_long_words_stay_on_one_line(tmp_path):
    row = ((Words("参数检查的名称"),), (Words("每个错误的参数" * 12),), (Words("1"),))
    head = ((Words("检查"),), (Words("比较的对象"),), (Words("例子数与其误差"),))
    table = Table(1, (Words("每项检查"),), head, (row,), "lpr")
    made = replace(document("rnn"), sections=(Section("a", "t", (table,)),), language="zh")
    print_pdf(html(made), tmp_path / "any.pdf")
    assert {"参数检查的名称", "例子数与其误差"} <= set(printed(tmp_path / "any.pdf").split())


def test_a_browser_that_prints_nothing_or_is_missing_is_named(tmp_path, monkeypatch):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 0\n")
    broken.chmod(0o755)
    monkeypatch.setattr(printed_pdf, "find_browser", lambda: str(broken))
    with pytest.raises(EngineError, match=r"a\.pdf: chromium printed nothing"):
        print_pdf("<p>a</p>", tmp_path / "a.pdf")
    monkeypatch.setattr(printed_pdf, "find_browser", lambda: None)
    with pytest.raises(EngineError, match="apt-get install chromium"):
        print_pdf("<p>a</p>", tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_a_pdf_of_tex_is_known(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.5\n/Producer (pdfTeX-1.40.24)")
    assert made_by(tmp_path / "a.pdf") == "TeX"
