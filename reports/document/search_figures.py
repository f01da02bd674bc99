"""Figures of a search: learning curves, growth against what was learnt, mutations as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from reports.document.figures import Labels, Picture, drawn
from reports.document.graph_layout import laid_out

_MARKS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_SHADES: Final = ("#000000", "#555555", "#8A8A8A", "#B0B0B0", "#D0D0D0")
_GOLDEN: Final = 0.6180339887498949
_WIDE, _TALL = 6.3, 8.5
_CODE: Final = "monospace"  # matplotlib's own, which has an underscore
_LETTER, _LINE = 0.062, 0.13  # inches, of a label's letters and lines


@dataclass(frozen=True)
class Point:
    """A candidate: log10 of its growth, its success, its family.

    Success is how much of guessing's error is gone, or the largest lag learnt.
    """

    growth: float
    success: float
    family: str


@dataclass(frozen=True)
class Panel:
    """Points under a title."""

    title: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Ancestor:
    """A candidate in a pedigree: lines of its box, its parent, what was done to it, in lines."""

    name: str
    lines: tuple[str, ...]
    parent: str
    changes: tuple[str, ...]
    main: bool


def curves(best: Sequence[Mapping[str, Any]], task: tuple[str, int], words: Labels) -> Picture:
    """The error on the first task over the updates, of the best cells."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.2))
        axes = figure.subplots()
        for place, (record, shade) in enumerate(zip(best, _SHADES, strict=False)):
            told = next((t for t in record["tasks"] if (t["task"], t["lag"]) == tuple(task)), None)
            seen = [(k, v) for k, v in (told["curve"] if told else []) if v is not None]
            if seen:
                axes.plot(*zip(*seen, strict=True), _MARKS[place] + "-", color=shade, markersize=4,
                          label=_plain(record["name"]))  # fmt: skip
        axes.set_xlabel(words("search.updates"))
        axes.set_ylabel(words("search.share"))
        axes.set_ylim(0, 1.5)  # what is worse than guessing is no news
        axes.legend(frameon=False, fontsize=8)
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.16, top=0.97)
        return drawn(figure)


def scatter(panels: Sequence[Panel], across: str, success: str, words: Labels) -> Picture:
    """Growth against success, two panels in a row; the keys name the labels of the axes.

    Where success is one of a few values it has a level each, points spread a little about it.
    """
    rows = -(-len(panels) // 2)
    levels = sorted({p.success for panel in panels for p in panel.points})
    few = success == "search.largest"
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(_WIDE, 0.6 + 2.5 * rows))
        grid = figure.subplots(rows, 2, squeeze=False, sharey=True, sharex="row")
        families = [*dict.fromkeys(p.family for panel in panels for p in panel.points)]
        for axes, panel in zip(grid.flat, panels, strict=True):
            for place, family in enumerate(families):
                own = [(k, p) for k, p in enumerate(panel.points) if p.family == family]
                heights = [levels.index(p.success) + 0.5 * ((k * _GOLDEN) % 1 - 0.5) if few
                           else p.success for k, p in own]  # fmt: skip
                axes.plot([p.growth for _, p in own], heights, _MARKS[place % len(_MARKS)],
                          color=_SHADES[place % len(_SHADES)], markersize=3, alpha=0.8,
                          label=_plain(family))  # fmt: skip
            axes.set_title(panel.title, fontsize=9)
            axes.set_xscale("symlog", linthresh=10)  # a growth may be of a hundred decades
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            if few:
                axes.set_yticks(range(len(levels)), [f"{level:g}" for level in levels])
        for axes in grid[:, 0]:
            axes.set_ylabel(words(success), fontsize=9)
        for axes in grid[-1]:
            axes.set_xlabel(words(across), fontsize=9)
        if families:
            grid[0, -1].legend(frameon=False, fontsize=7, loc="right")
        height = 0.6 + 2.5 * rows
        figure.subplots_adjust(left=0.11, right=0.98, bottom=0.5 / height, top=1 - 0.3 / height,
                               hspace=0.3, wspace=0.08)  # fmt: skip
        return drawn(figure)


def pedigree(ancestors: Sequence[Ancestor], words: Labels) -> Picture:
    """The mutations from the given cells down to the best; the first one's line is thick.

    Raises:
        NoLayoutError: if Graphviz is missing or fails.
    """
    known = {one.name for one in ancestors}
    sizes = {one.name: (_longest(one.lines) + 0.16, _LINE * len(one.lines) + 0.12)
             for one in ancestors}  # fmt: skip
    children = [one for one in ancestors if one.parent in known]
    edges = [(one.parent, one.name, (_longest(one.changes), _LINE * len(one.changes)))
             for one in children]  # fmt: skip
    placed = laid_out(sizes, edges, settings="rankdir=TB;ranksep=0.16;nodesep=0.12;")
    width, height = placed.size
    factor = min(1.0, _WIDE / width, _TALL / height)
    family = [_CODE, *words.fonts]
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(_WIDE, height * factor + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        room = (_WIDE / factor - width) / 2
        axes.set_xlim(-room, width + room)
        axes.set_ylim(-0.05 / factor, height + 0.05 / factor)
        axes.axis("off")
        for one, points, place in zip(children, placed.curves, placed.labels, strict=True):
            codes = [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1)
            axes.add_patch(FancyArrowPatch(
                path=Path(np.array(points), codes), arrowstyle="-|>,head_length=2.4,head_width=1.1",
                color="black" if one.main else _SHADES[2], linewidth=1.2 if one.main else 0.7,
                mutation_scale=1.9 * factor, shrinkA=0, shrinkB=0, capstyle="butt",
            ))  # fmt: skip
            if place is not None:
                axes.text(*place, "\n".join(one.changes), fontsize=6.5 * factor, ha="center",
                          va="center", family=family,
                          color="black" if one.main else _SHADES[1])  # fmt: skip
        for one in ancestors:
            (x, y), (w, h) = placed.centres[one.name], sizes[one.name]
            axes.add_patch(FancyBboxPatch(
                (x - w / 2 + 0.03, y - h / 2 + 0.03), w - 0.06, h - 0.06,
                boxstyle="round,pad=0.03", facecolor="white", edgecolor="black",
                linewidth=1.2 if one.main else 0.7,
            ))  # fmt: skip
            axes.text(x, y, "\n".join(one.lines), fontsize=7 * factor, ha="center", va="center",
                      family=family)  # fmt: skip
        return drawn(figure)


def _longest(lines: Sequence[str]) -> float:
    """Inches; a Chinese letter is as wide as two others."""
    return _LETTER * max((sum(1 + (ord(c) > 0x2E80) for c in line) for line in lines), default=0)


def _plain(name: str) -> str:
    """A name in letters that the figures' font has."""
    return name.replace("_", "-")
