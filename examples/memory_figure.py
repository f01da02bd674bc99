"""The figure of `long_memory.py`: what was learnt, and the norms of the gradients beside it.

In: the results. Out: one figure, as SVG and PNG.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

STYLE = {
    "font.size": 9, "axes.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "svg.hashsalt": "bptt",
}  # fmt: skip
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHADES = ("#A6BDDB", "#3690C0", "#02589B", "#023858")  # the shortest lag lightest
DEEPEST = -30.0  # decades; what lies below is not drawn


def draw(results: Sequence[Any], folder: Path, learnt: float, mean: float) -> list[Path]:
    """Above: the error by lag. Below: the norms over the lag, a column a cell, start and end.

    In the columns a shade is a lag that was trained for: the line is measured, the band above it
    ends at the certified bound, and the mark at its end is full where that lag was learnt, hollow
    where not.
    """
    cells = list(dict.fromkeys(one.cell for one in results))
    lags = sorted({one.lag for one in results})
    steps = max(len(lags) - 1, 1)
    shade = {lag: SHADES[(len(SHADES) - 1) * k // steps] for k, lag in enumerate(lags)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(6.5, 2.4 * len(cells) + 0.6), 7.4), layout="constrained")
        grid = figure.add_gridspec(3, len(cells), height_ratios=(1.1, 1, 1))
        _errors(figure.add_subplot(grid[0, :]), results, cells, learnt, mean)
        first: Any = None
        for column, cell in enumerate(cells):
            own = [one for one in results if one.cell == cell]
            for row, when in enumerate(("start", "end"), 1):
                axes = figure.add_subplot(grid[row, column], sharey=first, sharex=first)
                first = first or axes
                shown = own[-1:] if when == "start" else own
                _norms(axes, shown, when, shade)
                axes.set_title(f"{cell}, at the {when}", fontsize=9)
                axes.tick_params(labelleft=column == 0, labelbottom=row == 2)
                if not column:
                    axes.set_ylabel(r"$\log_{10}\,\|\partial s_T/\partial s_k\|_2$")
                if row == 2:
                    axes.set_xlabel(r"lag $T-k$")
        figure.legend(
            [Line2D([], [], color=colour) for colour in shade.values()],
            [f"trained for lag {lag}" for lag in shade],
            title="line: measured; band: to the certified bound; mark: full where learnt",
            loc="outside lower center", ncols=len(shade), frameon=False, title_fontsize=9,
        )  # fmt: skip
        figure.get_layout_engine().set(h_pad=0.06)
        low = min(value for one in results for value in _drawn(one))
        high = max(value for one in results for value in _drawn(one))
        first.set_ylim(max(DEEPEST, low) - 1, max(high, 0) + 1)
        first.set_xlim(0.9, max(lags) * 1.25)
        first.set_xscale("log")
        paths = [folder / f"long_memory.{kind}" for kind in ("svg", "png")]
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=160, metadata=metadata)
    return paths


def _drawn(one: Any) -> Iterable[float]:
    for found in (one.start, one.end):
        yield from (v for v in (*found.measured, *found.windows) if math.isfinite(v))


def _errors(
    axes: Any, results: Sequence[Any], cells: list[str], learnt: float, mean: float
) -> None:
    """Held-out error by lag, a line a cell; below the lower line is learnt."""
    for place, cell in enumerate(cells):
        own = [one for one in results if one.cell == cell]
        colour = COLOURS[place % len(COLOURS)]
        lags, errors = [one.lag for one in own], [one.outcome.error for one in own]
        axes.plot(lags, errors, color=colour, linewidth=1.2)
        for one in own:
            face = colour if one.outcome.learnt else "white"
            axes.plot(one.lag, one.outcome.error, "o", color=colour, markerfacecolor=face)
        axes.plot([], [], "o-", color=colour, label=cell)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for level, said in ((mean, "the mean: 1/6"), (learnt, "learnt: 1/60")):
        axes.axhline(level, color="#888888", linewidth=0.7, dashes=(1, 2))
        axes.annotate(said, (1.005, level), xycoords=("axes fraction", "data"), ha="left",
                      va="center", color="#555555", fontsize=8)  # fmt: skip
    lags = sorted({one.lag for one in results})
    axes.set_xticks(lags, labels=[str(lag) for lag in lags])
    axes.minorticks_off()
    axes.set_xlabel("lag trained for")
    axes.set_ylabel("mean squared error")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(cells))


def _norms(axes: Any, shown: Sequence[Any], when: str, shade: dict[int, str]) -> None:
    """The norms over the lag: measured, with the certified upper bound of short windows."""
    axes.axhline(0, color="#BBBBBB", linewidth=0.6)
    for one in shown:
        found, colour = getattr(one, when), shade[one.lag] if when == "end" else "#333333"
        lags = range(1, len(found.measured) + 1)
        measured, above = (
            [value if math.isfinite(value) else math.nan for value in values]
            for values in (found.measured, found.windows)
        )
        axes.plot(lags, measured, color=colour, linewidth=1.4)
        axes.fill_between(lags, measured, above, color=colour, alpha=0.25, linewidth=0)
        if when == "end":
            face = colour if one.outcome.learnt else "white"
            axes.plot(lags[-1], found.measured[-1], "o", color=colour, markerfacecolor=face,
                      markersize=5)  # fmt: skip
