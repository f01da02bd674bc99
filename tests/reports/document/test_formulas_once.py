"""A formula that is set once is the one that matplotlib sets anew each time."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

from reports.document import formulas_once
from reports.document.figures import STYLE


def anew(text: str, font: FontProperties):
    return formulas_once._alone(MathTextParser("path"), text, 72, font)


def shape(found) -> tuple:
    glyphs = [(font.fname, *rest) for font, *rest in found.glyphs]
    return found.width, found.height, found.depth, glyphs, found.rects


FORMULAS = [r"$\mathdefault{10^{-3}}$", r"over $\|W\|_2$", r"$\hat{h}_t$", r"$\sqrt{x}/2$"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_the_same_from_every_parser(text):
    font = FontProperties(size=100)
    with mpl.rc_context(STYLE), formulas_once.shared():
        first, second = (MathTextParser("path").parse(text, 72, font) for _ in range(2))
        assert shape(first) == shape(anew(text, font))
        assert first is second


@pytest.mark.parametrize("text", FORMULAS)
def test_letters_of_another_size_stand_where_they_stand_when_set_in_it(text):
    """To what is rounded there: lengths to whole points, what letters measure to 64ths of one."""
    for size in (6.5, 10):
        font = FontProperties(size=size)
        with mpl.rc_context(STYLE):
            expected = anew(text, font)
            with formulas_once.shared():
                found = MathTextParser("path").parse(text, 72, font)
        for length in ("width", "height", "depth"):
            rounded = getattr(expected, length) - getattr(found, length)
            assert -size / 50 < rounded < 2  # a height is that of two parts, each rounded up
        assert len(found.glyphs) == len(expected.glyphs)
        raised = found.height - found.depth - (expected.height - expected.depth)
        for (font, own, *letter, x, y), (same, other, *named, right, up) in zip(
            found.glyphs, expected.glyphs, strict=True
        ):
            assert (font.fname, letter) == (same.fname, named)
            assert own == pytest.approx(other)
            assert x == pytest.approx(right, abs=0.08 * size)
            assert y == pytest.approx(up + raised, abs=0.08 * size)


def test_a_setting_that_changes_is_seen():
    font = FontProperties(size=100)
    found = []
    for fonts in ("it", "rm"):
        with mpl.rc_context({**STYLE, "mathtext.default": fonts}):
            with formulas_once.shared():
                found.append(shape(MathTextParser("path").parse("$h_t$", 72, font)))
            assert found[-1] == shape(anew("$h_t$", font))
    assert found[0] != found[1]


def test_a_font_that_changes_afterwards_is_another():
    font = FontProperties(size=10)
    parser = MathTextParser("path")
    with formulas_once.shared():
        small = shape(parser.parse("$h_t$", 72, font))
        font.set_size(20)
        assert shape(parser.parse("$h_t$", 72, font)) != small


def test_pixels_are_set_by_matplotlib():
    with formulas_once.shared():
        found = MathTextParser("agg").parse("$h_t$", 72, FontProperties(size=10))
    assert type(found).__name__ == "RasterParse"


def test_few_formulas_are_kept():
    assert formulas_once._set_once.cache_info().maxsize == formulas_once._MOST


def fail():
    with formulas_once.shared():
        assert MathTextParser.parse is formulas_once._parse
        raise ZeroDivisionError


def test_afterwards_matplotlib_is_as_it_was():
    before = MathTextParser.parse
    with pytest.raises(ZeroDivisionError):
        fail()
    assert MathTextParser.parse is before is not formulas_once._parse
