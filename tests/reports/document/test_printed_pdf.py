"""A PDF without TeX, and which of the two made one."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from browser import BROWSER
from samples import SVG, document

from reports.document import printed_pdf
from reports.document.html import html
from reports.document.pdf import EngineError
from reports.document.printed_pdf import made_by, print_pdf


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_is_printed_with_its_text(tmp_path):
    print_pdf(html(document("rnn"), {"rnn-gradient_norms": SVG}), tmp_path / "rnn.pdf")
    assert made_by(tmp_path / "rnn.pdf") == "a browser"
    assert [path.name for path in tmp_path.iterdir()] == ["rnn.pdf"]
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", str(tmp_path / "rnn.pdf"), "-"], text=True,
                              capture_output=True, check=True).stdout  # fmt: skip
        assert "One step back" in text
        assert "tanh" in text


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
