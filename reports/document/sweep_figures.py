"""The figure of Newton's iterates: how far each is from the trajectory, measured and certified.

In: `Sweeps`. Out: `Picture`.
"""

from __future__ import annotations

import math
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from numeric.bounds.parallel_in_time.newton import Sweeps
from reports.document.figures import SHADES, Labels, Picture, drawn

_GREY, _DARK, _BLACK = SHADES
_LEAST: Final = 1e-17


def distances(found: Sweeps, habit: int, state: str, words: Labels) -> Picture:
    """Decimal logarithms over the number of the iterate; a line at the habit.

    `state` is LaTeX for the whole state.
    """
    kinds = (
        ("growth.measured", "measured", _DARK, "o"),
        ("figures.at_most_certified", "certified", _BLACK, "v"),
    )
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.0))
        axes = figure.subplots()
        axes.axvline(habit, color="#BBBBBB", linewidth=0.6)
        for label, field, shade, mark in kinds:
            values = [getattr(one, field) for one in found.iterates]
            points = [(k, math.log10(max(v, _LEAST))) for k, v in enumerate(values)
                      if v is not None and math.isfinite(v)]  # fmt: skip
            if points:
                axes.plot(*zip(*points, strict=True), color=shade, linewidth=1.2, marker=mark,
                          markersize=4, label=words(label),
                          linestyle="-" if field == "measured" else "none")  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(words("figures.iterate"))
        axes.set_ylabel(rf"$\log_{{10}}\,\max_t\|{state}_t-{state}_t^{{*}}\|_2$")
        axes.legend(frameon=False, fontsize=9)
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.16, top=0.97)
        return drawn(figure)
