"""The short report: what it keeps, no link that leads nowhere, four to six pages."""

from __future__ import annotations

import re

import pytest
from samples import CELLS, LISTING, measurement, verdict
from samples import document as whole
from studies import small_study

from derive import catalogue, differentiate
from reports import write_report
from reports.cli import main
from reports.commands import report
from reports.document.html import html
from reports.document.model import Callout, Document, Paragraph, Reference, Section, Theorem, Words
from reports.document.pdf import compile_pdf, find_engine
from reports.document.tex import tex
from reports.sections.short import build_short, shortened


def made(name: str) -> Document:
    """The short report of a cell with fixed values."""
    cell = CELLS[name]
    found = build_short(differentiate(cell), LISTING, verdict(name), measurement(cell))
    return shortened(found)


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_it_keeps_the_story_and_no_proof(name):
    document = made(name)
    assert [part.anchor for part in document.sections] == [
        "glance", "forward", "one-step-back", "through-time", "growth", "code"]  # fmt: skip
    theorems = [b for part in document.sections for b in part.blocks if isinstance(b, Theorem)]
    assert [len(theorem.proof) for theorem in theorems] == [0]
    assert "Proof" not in tex(document)
    assert 'class="proof"' not in html(document, {f"{name}-gradient_norms": "<svg></svg>"})
    assert "10pt" in tex(document)
    assert "[width=0.92" not in tex(document)
    for made_, refers in ((document, False), (whole(name), True)):
        assert ("section has the details" in tex(made_)) is refers


@pytest.mark.by_default("odd", "rnn")
@pytest.mark.parametrize("name", ["rnn", "lstm", "odd"])
def test_every_link_of_it_leads_somewhere(name):
    page = html(made(name), {f"{name}-gradient_norms": "<svg></svg>"})
    anchors = set(re.findall(r'id="([^"]*)"', page))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= anchors


@pytest.mark.by_default("lstm")
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_its_conventions_are_those_of_what_it_shows(name):
    """The norm from below and the stack of the states stand in the whole report alone."""
    told = repr([block for section in made(name).sections for block in section.blocks
                 if isinstance(block, Callout)])  # fmt: skip
    assert "smallest singular value" not in told
    assert "Square brackets" not in told
    assert ("spectral radius" in told) is (name == "lstm")
    assert ("smallest singular value" in repr(whole(name))) is (name != "gru")


def test_a_link_that_leads_nowhere_becomes_words():
    inside = Section("code", "t", (Paragraph((Reference("eq-9", "9"), Reference("code", "c"))),))
    found = shortened(Document("n", "t", "s", "a", (), (inside, Section("sources", "t", ()))))
    assert found.sections == (
        Section("code", "t", (Paragraph((Words("9"), Reference("code", "c"))),)),
    )


@pytest.mark.long
@pytest.mark.skipif(find_engine() is None, reason="no TeX engine")
def test_the_long_memory_is_told_in_four_to_six_pages(tmp_path):
    norms = measurement(catalogue["lstm"])
    write_report("lstm", tmp_path, formats=("tex",), verdict=verdict("lstm"), short=True,
                 measurement=norms, bounds=small_study("lstm"))  # fmt: skip
    log = compile_pdf(tmp_path / "lstm.tex")
    pages = int(re.search(r"Output written on .*?\((\d+) pages?", log)[1])
    assert 4 <= pages <= 6


def test_the_command_writes_it_for_cells_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "verify", lambda kernel, **settings: verdict("x"))
    for words, message in (
        (["rnn", "--layers", "2"], "--short is for a cell"), (["--all"], "--short goes with CELLs"),
    ):  # fmt: skip
        assert main(["report", *words, "--short", "-o", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err
