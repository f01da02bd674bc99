"""Figures of a search: learning curves, and growth against what was learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from reports.document.figures import Labels, Picture, drawn

_MARKS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_SHADES: Final = ("#000000", "#555555", "#8A8A8A", "#B0B0B0", "#D0D0D0")


@dataclass(frozen=True)
class Point:
    """A candidate: log10 of its growth, its success, its family.

    Success is how much of guessing's error is gone, or the largest lag learnt.
    """

    growth: float
    success: float
    family: str


def curves(best: Sequence[Mapping[str, Any]], task: tuple[str, int], words: Labels) -> Picture:
    """The error on the first task over the updates, of the best cells."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.2))
        axes = figure.subplots()
        for record, shade in zip(best, _SHADES, strict=False):
            told = next((t for t in record["tasks"] if (t["task"], t["lag"]) == tuple(task)), None)
            seen = [(k, v) for k, v in (told["curve"] if told else []) if v is not None]
            if seen:
                axes.plot(*zip(*seen, strict=True), "o-", color=shade, markersize=3,
                          label=_plain(record["name"]))  # fmt: skip
        axes.set_xlabel(words("search.updates"))
        axes.set_ylabel(words("search.share"))
        axes.set_ylim(0, 1.5)  # what is worse than guessing is no news
        axes.legend(frameon=False, fontsize=8)
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.16, top=0.97)
        return drawn(figure)


def scatter(points: Sequence[Point], success: str, words: Labels) -> Picture:
    """Growth against success, which the label of that key names."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.4))
        axes = figure.subplots()
        families = [*dict.fromkeys(point.family for point in points)]
        for place, family in enumerate(families):
            own = [point for point in points if point.family == family]
            axes.plot([p.growth for p in own], [p.success for p in own],
                      _MARKS[place % len(_MARKS)], color=_SHADES[place % len(_SHADES)],
                      markersize=4, label=_plain(family))  # fmt: skip
        axes.set_xlabel(words("search.growth"))
        axes.set_ylabel(words(success))
        if families:
            axes.legend(frameon=False, fontsize=8)
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.16, top=0.97)
        return drawn(figure)


def _plain(name: str) -> str:
    """A name in letters that the figures' font has."""
    return name.replace("_", "-")
