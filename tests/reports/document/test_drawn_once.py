"""What one file is told to draw and the other is told again is what matplotlib draws anew."""

from __future__ import annotations

import io
import re
import zlib

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from reports.document.drawn_once import drawn_once
from reports.document.figures import STYLE


def lines() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([0, 1, 2], [3, 1, 2], marker="o", dashes=(4, 2))
    axes.bar([0, 1], [1, 2], hatch="//", alpha=0.5)
    axes.add_patch(FancyArrowPatch((0, 1), (2, 2), arrowstyle="-|>", mutation_scale=9))
    axes.text(0.5, 2.5, r"turned, $h_t$", rotation=30, va="center")
    axes.set_xlabel("lag")
    return figure


def shades() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    image = axes.pcolormesh([[0.1, 0.5], [0.7, 0.9]], rasterized=True)
    axes.plot([0, 2], [0, 2], clip_on=False)
    figure.colorbar(image)
    return figure


def anew(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    dates = {"svg": ["Date"], "pdf": ["CreationDate", "ModDate"]}[kind]
    figure.savefig(buffer, format=kind, metadata=dict.fromkeys(dates))
    return buffer.getvalue()


def told(pdf: bytes) -> list[str | float]:
    """The operators and numbers of all streams but fonts'."""
    found: list[str | float] = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        text = zlib.decompress(stream) if stream[:1] == b"x" else stream
        if b" d1" in text[:60]:
            continue
        for word in text.decode("latin-1").split():
            try:
                found.append(float(word))
            except ValueError:
                found.append(word)
    return found


@pytest.mark.parametrize("made", [lines, shades])
def test_both_files_are_as_matplotlib_draws_them_one_by_one(made):
    with mpl.rc_context(STYLE):
        pdf, svg = drawn_once(made())
        assert svg == anew(made(), "svg")
        expected, found = told(anew(made(), "pdf")), told(pdf)
    assert len(found) == len(expected) > 100
    for one, other in zip(found, expected, strict=True):
        assert one == (pytest.approx(other, abs=1.0) if isinstance(other, float) else other)


def test_words_at_a_wrong_height_are_seen(monkeypatch):
    """The comparison above can fail: heights from above are not those from below."""
    with mpl.rc_context(STYLE):
        expected = told(anew(lines(), "pdf"))
        monkeypatch.setattr("matplotlib.backends.backend_pdf.RendererPdf.flipy", lambda self: True)
        found = told(drawn_once(lines())[0])
    assert any(
        isinstance(one, float) and isinstance(other, float) and abs(one - other) > 1.0
        for one, other in zip(found, expected, strict=True)
    )


def test_afterwards_the_figure_draws_itself():
    with mpl.rc_context(STYLE):
        figure = lines()
        first = drawn_once(figure)
        assert "draw" not in vars(figure)
        assert drawn_once(figure) == first
