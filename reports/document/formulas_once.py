"""A formula on figures is set once: matplotlib sets it anew for each figure, format and size.

In: nothing; figures are written within `shared()`. Out: what matplotlib keeps of a formula for one
file is kept for all. A formula depends on its text, its font, and the settings of formulas; its
size is a factor. It is set in the size in which SVG asks for all of them: widths and heights are
whole there, and so a hundredth of a letter's size wrong at most, where in the size of the letters
they are wrong by up to a point. Half of the time of drawing went into setting the same ones again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, Final

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser, VectorParse
from matplotlib.textpath import TextToPath

_MOST: Final = 1024  # formulas that are kept, some kilobytes each
_SETTINGS: Final = tuple(
    key for key in mpl.rcParams if key.startswith("mathtext.") or key == "text.hinting"
)
_alone: Final = MathTextParser.parse


@lru_cache(maxsize=_MOST)
def _set_once(
    text: str, dpi: float, font: FontProperties, smooth: bool | None,
    settings: tuple[Any, ...],
) -> Any:  # fmt: skip
    """The formula, set; all that it depends on is an argument."""
    return _alone(MathTextParser("path"), text, dpi, font, antialiased=smooth)


@wraps(_alone)
def _parse(
    self: Any, s: str, dpi: float = 72, prop: FontProperties | None = None, *,
    antialiased: bool | None = None,
) -> Any:  # fmt: skip
    if getattr(self, "_output_type", None) != "vector":
        return _alone(self, s, dpi, prop, antialiased=antialiased)
    settings = tuple(map(repr, map(mpl.rcParams.__getitem__, _SETTINGS)))
    font = FontProperties() if prop is None else prop.copy()
    factor = font.get_size_in_points() / TextToPath.FONT_SCALE
    font.set_size(TextToPath.FONT_SCALE)
    return _scaled(_set_once(s, dpi, font, antialiased, settings), factor)


def _scaled(formula: VectorParse, factor: float) -> VectorParse:
    """The formula in another size."""
    if factor == 1:
        return formula
    width, height, depth, glyphs, rects = formula
    return VectorParse(
        width * factor, height * factor, depth * factor,
        [(font, size * factor, *letter, x * factor, y * factor)
         for font, size, *letter, x, y in glyphs],
        [tuple(length * factor for length in rect) for rect in rects],
    )  # fmt: skip


@contextmanager
def shared() -> Iterator[None]:
    """Meanwhile whoever draws letters as paths has a formula that was set before."""
    MathTextParser.parse = _parse  # type: ignore[method-assign]
    try:
        yield
    finally:
        MathTextParser.parse = _alone  # type: ignore[method-assign]
