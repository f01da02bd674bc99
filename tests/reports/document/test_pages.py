"""Reports as pages: TeX compiled where an engine is found, HTML opened where a browser is."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from browser import ALLOWED_OVERFULL, BROWSER, measured
from feet import LEADING, crowded, feet, headed_by_a_rule, places, printed, row_counts
from profiles import by_day, night_alone
from samples import CELLS, document, measurement, verdict
from studies import small_study

from derive import catalogue, differentiate
from derive.calculus.through_time import derivation_of
from derive.typeset.boxes import Fenced, Fraction, Symbol, sub
from reports import write_report
from reports.document.figures import gradient_norms, labels
from reports.document.graph_layout import find_graphviz
from reports.document.html import html
from reports.document.model import (
    Bullets,
    Callout,
    EquationRow,
    Equations,
    Figure,
    Math,
    Paragraph,
    Section,
    Table,
    Words,
)
from reports.document.pdf import EngineError, compile_pdf, find_chinese_engine, find_engine
from reports.document.tex import tex, write
from reports.document.words import spoken
from reports.sections.cell import build
from reports.sections.derivation import step_jacobian
from reports.sections.facts import Facts
from reports.write import write_files


@pytest.fixture(scope="module", params=by_day(CELLS, 2, 1))
def written(request, tmp_path_factory):
    """A folder with the report of one cell, fixed values in it."""
    name, folder = request.param, tmp_path_factory.mktemp("report")
    picture = gradient_norms(measurement(CELLS[name]), r"\|J\|_2", labels("en"))
    stem = f"{name}-gradient_norms"
    write_files({
        folder / "figures" / f"{stem}.pdf": picture.pdf,
        folder / f"{name}.tex": tex(document(name)).encode(),
        folder / f"{name}.html": html(document(name), {stem: picture.svg}).encode(),
    })
    return folder, name


@pytest.mark.by_default("odd")
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_tex_compiles_with_no_box_above_five_points(written):
    folder, name = written
    log = compile_pdf(folder / f"{name}.tex")
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(wide, default=0.0) <= ALLOWED_OVERFULL
    assert r"Overfull \vbox" not in log
    assert "LaTeX Warning" not in log
    assert "multiply defined" not in log
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob("*.aux"))


@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_a_wide_box_is_seen(tmp_path):
    source = tmp_path / "wide.tex"
    source.write_text(
        r"\documentclass{article}\begin{document}"
        r"\noindent\hbox to 2\textwidth{x\hfil}\end{document}"
    )
    assert "Overfull" in compile_pdf(source)


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.parametrize("rows", [14, 25, 90])
def test_a_tall_table_below_figures_stays_on_its_pages(tmp_path, rows):
    """Two figures go to the top of a page, and a table follows that has no room below them."""

    def words(text: str) -> tuple[Words, ...]:
        return (Words(text),)

    numbers = tuple((words(f"row {k}"), words("1")) for k in range(rows))
    picture = gradient_norms(measurement(CELLS["rnn"]), r"\|J\|_2", labels("en"))
    made = replace(document("rnn"), sections=(Section("one", "One", (
        *(Paragraph(words("text " * 60)) for _ in range(7)),
        Figure(1, "any", words("one"), "one"), Figure(2, "any", words("two"), "two"),
        Paragraph(words("text")), Table(1, words("three"), (words("a"), words("b")), numbers, "lr"),
    )),))  # fmt: skip
    write_files({
        tmp_path / "figures" / "any.pdf": picture.pdf, tmp_path / "any.tex": tex(made).encode()
    })  # fmt: skip
    assert "Overfull" not in compile_pdf(tmp_path / "any.tex")


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_figure_that_its_page_has_room_for_stays_there_whatever_follows(tmp_path):
    """A paragraph stays whole, which is no reason for half a page without it and the figure."""
    picture = gradient_norms(measurement(CELLS["rnn"]), r"\|J\|_2", labels("en"))
    lines = (Paragraph((Words("line"),)),) * 18
    figure, after = Figure(1, "any", (Words("one"),), "one"), Paragraph((Words("after " * 260),))
    made = replace(document("rnn"), sections=(Section("one", "One", (*lines, figure, after)),))
    path = tmp_path / "any.tex"
    write_files({tmp_path / "figures" / "any.pdf": picture.pdf, path: tex(made).encode()})
    compile_pdf(path)
    first, second, *_ = printed(path.with_suffix(".pdf")).split("\f")
    assert "Figure 1." in first
    assert "after" in second
    assert "after" not in first


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_no_table_runs_off_its_page_wherever_figures_go(tmp_path):
    """Equations are long tables, which would forget the figures at the top of their page."""

    def words(text: str) -> tuple[Words, ...]:
        return (Words(text),)

    picture = gradient_norms(measurement(CELLS["rnn"]), r"\|J\|_2", labels("en"))
    head, sections = (words("a"), words("b")), []
    line = Equations((EquationRow(Symbol("a"), Symbol("b")),))
    for place in range(8):
        rows = tuple((words(f"row {k}"), words("1")) for k in range((8, 10, 11, 25)[place % 4]))
        sections.append(Section(f"s{place}", "One", (
            *(Paragraph(words("text " * 60)) for _ in range(2 * place + 3)),
            Figure(2 * place + 1, "any", words("one " * 40), "one"), line,
            Paragraph(words("text " * 90)), line,
            Figure(2 * place + 2, "any", words("two " * 40), "two"),
            Table(place + 1, words("three"), head, rows, "lr"),
        )))  # fmt: skip
    made = replace(document("rnn"), sections=tuple(sections))
    path = tmp_path / "any.tex"
    write_files({tmp_path / "figures" / "any.pdf": picture.pdf, path: tex(made).encode()})
    assert "Overfull" not in compile_pdf(path)
    plain = path.read_text().replace(r"\global\@colroom\vsize", "")
    path.write_text(plain)
    assert r"Overfull \vbox" in compile_pdf(path)


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_no_heading_and_no_leading_words_stand_alone_at_the_foot_of_a_page(tmp_path):
    """However full the page is, a line of what they lead to stands on it."""
    path = tmp_path / "any.tex"
    path.write_text(tex(crowded()), encoding="utf-8")
    compile_pdf(path)
    last = feet(path.with_suffix(".pdf"), numbered=True)
    assert len(last) > 25
    assert [text for text in last if text.endswith(LEADING)] == []
    assert min(row_counts(path.with_suffix(".pdf"), "row")) >= 5
    assert {*row_counts(path.with_suffix(".pdf"), "short")} == {9}
    assert {*row_counts(path.with_suffix(".pdf"), "w")} == {6}
    for word in ("d", "code"):
        assert min(row_counts(path.with_suffix(".pdf"), word)) >= 2


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_frame_goes_over_the_page_and_leaves_none_blank(tmp_path):
    """Wherever on its page it begins, also below a page that is over-full already."""
    items = Bullets(tuple((Words("item " * 30 + f"no{k}."),) for k in range(14)))
    line = Paragraph((Words("text " * 30),))
    blocks = [(*(line,) * (k % 17), Callout("FRAME", (items,))) for k in range(34)]
    path = tmp_path / "any.tex"
    sections = (Section("a", "HEAD", tuple(part for one in blocks for part in one)),)
    path.write_text(tex(replace(document("rnn"), sections=sections)), encoding="utf-8")
    assert "Overfull \\vbox" not in compile_pdf(path)
    seen = [places(path.with_suffix(".pdf"), rf"no{k}\.") for k in range(14)]
    order = [at for group in zip(*seen, strict=True) for at in group]
    assert len(order) == 34 * 14
    assert order == sorted(order)
    every = places(path.with_suffix(".pdf"), "[a-z]+[0-9.]*")
    feet_of = {page: max(y for number, y in every if number == page) for page, _ in every}
    del feet_of[max(feet_of)]
    assert min(feet_of.values()) > 0.75 * 842


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_frame_that_hardly_fits_leaves_no_empty_one(tmp_path):
    """Space between its items gives way, so that all may stand above where a part was to."""
    items = Bullets(tuple((Words(f"any item no{k}." * 3),) for k in range(14)))
    made = write(Callout("FRAME", (items,)), spoken("en").texts.__getitem__)
    start, _, _ = tex(document("rnn")).partition(r"\begin{document}")
    tests = "\n".join(
        rf"\clearpage\null\vspace*{{{room}pt}}" + f"\n\n{made}" for room in range(420, 560, 4)
    )
    path = tmp_path / "any.tex"
    path.write_text(f"{start}\\begin{{document}}\n{tests}\n\\end{{document}}\n", encoding="utf-8")
    assert "Overfull \\vbox" not in compile_pdf(path)
    *pages, _ = printed(path.with_suffix(".pdf")).split("\f")
    assert sum(page.count("FRAME") for page in pages) == 35
    assert [k for k, page in enumerate(pages) if "no" not in page] == []


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="no pdftoppm")
def test_the_rule_below_a_table_is_not_cut_from_it(tmp_path):
    """Tables that end near the foot of a page, each a little lower than the one before."""
    head, rows = ((Words("a"),), (Words("b"),)), (((Words("row"),), (Words("1"),)),) * 12
    made = write(Table(1, (Words("c"),), head, rows, "lr"), spoken("en").texts.__getitem__)
    start, _, _ = tex(document("rnn")).partition(r"\begin{document}")
    whole = "\n".join(rf"\newpage\null\vspace{{{520 + 0.3 * k}pt}}" + f"\n{made}\ntext\n\n"
                      for k in range(160))  # fmt: skip
    path = tmp_path / "any.tex"
    path.write_text(rf"{start}\begin{{document}}{whole}\end{{document}}", encoding="utf-8")
    compile_pdf(path)
    found = row_counts(path.with_suffix(".pdf"), "row")
    assert max(found) == 12 > min(found)
    assert headed_by_a_rule(path.with_suffix(".pdf")) == []


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_norm_in_a_sentence_of_a_list_does_not_touch_the_next_line(tmp_path):
    """Its subscript stood on the letters below: TeX asks for one point between such lines."""
    norm = Math(Fenced(Fraction(Symbol("a"), sub("b", "k")), "‖", "‖"))
    filler = Words(" word" * 30 + " below")
    items = tuple((Words("first "), *part, filler) for part in ((norm,), ()))
    page = replace(document("rnn"), sections=(Section("s", "s", (Bullets(items),)),))
    (tmp_path / "any.tex").write_text(tex(page), encoding="utf-8")
    compile_pdf(tmp_path / "any.tex")
    made = subprocess.run(["pdftotext", "-bbox", str(tmp_path / "any.pdf"), "-"], text=True,
                          capture_output=True, check=True).stdout  # fmt: skip
    feet = {word: [*map(float, re.findall(rf'yMax="([\d.]+)">{word}<', made))]
            for word in ("first", "below")}  # fmt: skip
    tall, plain = (low - high for high, low in zip(feet["first"], feet["below"], strict=True))
    assert tall > plain + 1.5


def test_words_before_a_long_command_are_not_drawn_apart(tmp_path):
    """A line may end early between two words of code."""
    command = "bptt verify lstm --layers 2 --bidirectional --readout softmax --loss cross_entropy"
    said = Paragraph((Words("Repeat it: "), Words(f"{command} --loss-at all", "code")))
    made = tex(replace(document("rnn"), sections=(Section("a", "A", (said,)),)))
    path = tmp_path / "any.tex"
    path.write_text(made, encoding="utf-8")
    assert r"Underfull \hbox" not in compile_pdf(path)
    path.write_text(made.replace(r"\gap{}", " "), encoding="utf-8")
    assert r"Underfull \hbox" in compile_pdf(path)


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.skipif(find_chinese_engine() is None, reason="no TeX engine for Chinese")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_a_heading_stays_with_the_long_table_that_its_section_begins_with(tmp_path, language):
    """Sections that begin at the foot of a page, each a little lower than the one before."""
    head, rows = ((Words("a"),), (Words("b"),)), (((Words("row"),), (Words("1"),)),) * 19
    made = tex(replace(document("rnn"), language=language, title="表", sections=(
        Section("a", "HEAD", (Table(1, (Words("c"),), head, rows, "lr"),)),)))  # fmt: skip
    start, begun, rest = made.partition(r"\begin{document}")
    section = rest[rest.index(r"\need") :].replace(r"\end{document}", "")
    whole = "\n".join(rf"\newpage top\par\vspace{{{400 + 2 * k}pt}}" + f"\n{section}\n"
                      for k in range(100))  # fmt: skip
    path = tmp_path / "any.tex"
    path.write_text(rf"{start}{begun}{whole}\end{{document}}", encoding="utf-8")
    compile_pdf(path)
    last = feet(path.with_suffix(".pdf"), numbered=True)
    assert len(last) > 150
    assert [text for text in last if text.endswith("HEAD")] == []


@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_broken_tex_is_one_line(tmp_path):
    source = tmp_path / "broken.tex"
    source.write_text(r"\documentclass{article}\begin{document}\nothing\end{document}")
    with pytest.raises(EngineError, match=r"broken\.tex: latexmk failed: Undefined control"):
        compile_pdf(source)
    assert not (tmp_path / "broken.pdf").exists()


@pytest.mark.by_default("odd")
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_html_fits_a_phone_and_a_desk(written):
    folder, name = written
    text = (folder / f"{name}.html").read_text(encoding="utf-8")
    found, log = measured(folder / "frames.html", text)
    assert "CONSOLE" not in log
    for width in ("360", "1200"):
        assert found[width]["scroll"] <= found[width]["client"], width
        assert found[width]["math"] > 50
        assert found[width]["flat"] == []
        assert found[width]["wide"] == []


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_names_of_layers_leave_a_phone_room_for_what_stands_beside_them(tmp_path):
    """As in the table of layers and directions, which has seven columns."""
    head = tuple((Words(text),) for text in (
        "layer", "verdict", "measured", "at most", "at least", "a step, all inputs", "carried by"
    ))  # fmt: skip
    cells = ("vanishes", "−8.03", "−8.03", "−8.04", "265", "c→c×f (47%)")
    row = ((Words("layer0.reverse", "code"),), *((Words(text),) for text in cells))
    page = html(replace(document("rnn"), sections=(
        Section("a", "A", (Table(1, (Words("T"),), head, (row,), "llrrrrl"),)),)))  # fmt: skip
    assert measured(tmp_path / "frames.html", page)[0]["360"]["wide"] == []
    wide = measured(tmp_path / "frames.html", page.replace("<wbr>", ""))[0]["360"]["wide"]
    assert wide == ["Table 1. T"]


@pytest.mark.by_default("lstm_fgr")
@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.parametrize("name", ["lstm_fgr", "nbrc", "rhn", "rnn"])
def test_the_number_of_a_long_equation_is_on_a_desk_s_page(tmp_path, name):
    """Equations of more than a column's width reach into the margin, theirs alone."""
    text = html(build(derivation_of(catalogue[name])), {})
    assert measured(tmp_path / "frames.html", text)[0]["1200"]["formulas"] == []
    narrow = measured(tmp_path / "frames.html", text.replace("scroll wide", "scroll"))[0]
    assert (narrow["1200"]["formulas"] == []) == ("scroll wide" not in text) == (name == "rnn")


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_no_formula_of_a_gated_unit_hides_its_number_at_a_desk(tmp_path):
    """The sums over pairs of times have two brackets of columns and long factors."""
    found = (step_jacobian(Facts(differentiate(catalogue[name]))) for name in ("gru", "mut1"))
    page = html(replace(document("gru"), sections=tuple(found)))
    assert measured(tmp_path / "frames.html", page)[0]["1200"]["formulas"] == []


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_that_scrolls_or_complains_is_seen(tmp_path):
    bad = "<p style='width:1500px'>x<math></math></p><script>console.error('no')</script>"
    found, log = measured(tmp_path / "bad.html", bad)
    assert "CONSOLE" in log
    assert found["360"]["scroll"] > found["360"]["client"]
    assert len(found["360"]["flat"]) == 1
    row = "<td style='min-width:900px'>x</td>" * 2
    table = f"<table class=data><tr>{row}</table>"
    bad = f"<p>T</p><div class=scroll style='overflow:auto'>{table}</div>"
    assert measured(tmp_path / "wide.html", bad)[0]["360"]["wide"] == ["T"]


@pytest.mark.long
def test_write_report_writes_whole_files(tmp_path):
    cell, told = catalogue["rnn"], []
    paths = write_report(
        "rnn", tmp_path / "out", formats=("tex", "html"), progress=told.append,
        verdict=verdict("rnn"), measurement=measurement(cell), bounds=small_study("rnn"),
    )  # fmt: skip
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in paths)
    kinds = ("bounds", "chain", "critical", "gain", "gradient_norms", "graph", "times")
    kinds = kinds if find_graphviz() else tuple(k for k in kinds if k not in {"chain", "graph"})
    pictures = [f"figures/rnn-{kind}.{form}" for kind in kinds for form in ("pdf", "svg")]
    assert names == [*pictures, "rnn.html", "rnn.tex"]
    assert all(path.stat().st_size > 1000 for path in paths)
    assert not list((tmp_path / "out").rglob("*.part"))
    assert told[0] == "rnn: derive"


@night_alone
@pytest.mark.parametrize("name", ["lstm_fgr", "nas"])
def test_the_longest_pages_stay_below_half_a_megabyte(tmp_path, name):
    write_report(name, tmp_path, formats=("html",), verdict=verdict(name))
    assert 100_000 < (tmp_path / f"{name}.html").stat().st_size < 500_000


def test_a_missing_engine_is_one_line_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="apt-get install latexmk texlive-latex-base"):
        write_report(catalogue["rnn"], tmp_path / "out", formats=("pdf",))
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(ValueError, match="'docx'"):
        write_report("rnn", tmp_path, formats=("docx",))


def test_nothing_is_left_half_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        write_files({tmp_path / "a.tex": b"a", blocked / "b.tex": b"b"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
