"""A figure is drawn once for both formats: what one file is told to draw, the other is told again.

In: a figure. Out: the bytes of a PDF and of an SVG. To draw is to place ticks, to measure words and
to turn data into paths; all of that is the same for both files. What a picture says of itself to
a file are a few dozen paths and words with their places, and those are kept.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.figure import Figure
from matplotlib.transforms import Transform

Told = tuple[str, tuple[Any, ...], dict[str, Any]]
_RASTER: Final = ("start_rasterizing", "stop_rasterizing")


def drawn_once(figure: Figure) -> tuple[bytes, bytes]:
    """The figure as PDF and as SVG, without dates."""
    told: list[Told] = []
    draw: Any = figure.draw
    try:
        figure.draw = lambda renderer: draw(_Listener(renderer, told))  # type: ignore[method-assign]
        svg = _saved(figure, "svg")
        figure.draw = partial(_tell, told)  # type: ignore[method-assign]
        return _saved(figure, "pdf"), svg
    finally:
        del figure.draw


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None, "ModDate": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


class _Listener:
    """A renderer that draws as another does, and keeps what it is told to draw."""

    def __init__(self, renderer: Any, told: list[Told]) -> None:
        self._renderer, self._told = renderer, told
        self._raster_depth, self._rasterizing = 0, False  # which an artist asks for, and sets

    def __getattr__(self, name: str) -> Any:
        rule = getattr(self._renderer, name)
        if not name.startswith("draw_") and name not in _RASTER:
            return rule
        return partial(self._draw, name, rule)

    def _draw(self, name: str, rule: Callable[..., Any], *words: Any, **more: Any) -> Any:
        held = [_as_now(word) for word in words]
        if name == "draw_text" and self._renderer.flipy():
            held[2] = self._renderer.get_canvas_width_height()[1] - held[2]
        self._told.append((name, (*held,), {key: _as_now(word) for key, word in more.items()}))
        return rule(*words, **more)


def _as_now(word: Any) -> Any:
    """What an artist goes on changing, as it is now."""
    if isinstance(word, Transform):
        return word.frozen()
    if isinstance(word, GraphicsContextBase):
        held = GraphicsContextBase()
        held.copy_properties(word)
        return held
    return word


def _tell(told: list[Told], renderer: Any) -> None:
    """Draw what was kept; the heights of words are from below."""
    for name, words, more in told:
        own = [_own(renderer, word) for word in words]
        if name == "draw_text" and renderer.flipy():
            own[2] = renderer.get_canvas_width_height()[1] - own[2]
        getattr(renderer, name)(*own, **{key: _own(renderer, word) for key, word in more.items()})


def _own(renderer: Any, word: Any) -> Any:
    """A context of that renderer in place of one of nobody's."""
    if not isinstance(word, GraphicsContextBase):
        return word
    context = renderer.new_gc()
    context.copy_properties(word)
    return context
