"""Figures of certified bounds: over the lag, over the gain, over gates, by module, over times.

In: what a study of bounds found. Out: `Picture`s: black and grey, told apart by dashes and labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from numeric.bounds.all_inputs.clock_modules import ModuleRates
from numeric.bounds.all_inputs.gain_scan import Scan
from numeric.bounds.all_inputs.gate_region import Region
from numeric.bounds.diagnosis import Diagnosis
from reports.document.figures import (
    SHADES,
    Labels,
    Mark,
    Picture,
    drawn,
    label_ends,
    over_lags,
    shown,
)
from reports.document.method_names import method_name, window_length
from reports.document.numerals import DOWN, NEAR, UP
from reports.document.numerals import label as number_label

Array = Any
Dash = tuple[float, ...]
PRODUCT: Final = "product"
_GREY, _DARK, _BLACK = SHADES
_ON_SHADES: Final = "#010101"  # lines on shades of grey, black on a dark page too
_SHADES: Final = LinearSegmentedColormap.from_list("shades", ("#666666", "#F4F4F4"))
"""Shades that black lines and their numbers show on, and that a white page ends at."""
_SOLID: Final[Dash] = ()
_ROOM: Final = 0.06
"""Above and below what a frame shows, and around numbers on lines, as a share of the frame."""
_LABEL: Final = 0.27
"""The width of a label in a frame, as a share of the frame."""
_HIGH: Final = 0.05
"""Its height, so too."""
_TICKS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0)


def best_window(one: Diagnosis, longest: int) -> str | None:
    """The window method up to a length with the smallest bound at the last lag."""
    held = [name for name in one.log10_upper if 1 < window_length(name) <= longest]
    return min(held, key=lambda name: one.log10_upper[name][-1], default=None)


def bounds_over_lag(one: Diagnosis, norm: str, words: Labels) -> Picture:
    """Measured norms with the families of certified bounds; steep ones leave the frame."""
    curves, lower = list(_families(one, words)), one.log10_lower
    last = one.lags[-1]
    low, high = _frame(curves)
    room = _ROOM * (high - low)
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.8))
        axes = figure.subplots()
        axes.axhline(0, color="#BBBBBB", linewidth=0.6)
        marks: list[Mark] = []
        left: list[tuple[Sequence[float], str, str]] = []
        for name, label, values, shade, dash in curves:
            width = 1.8 if name == "measured" else 1.0
            axes.plot(list(one.lags), shown(values), color=shade, linewidth=width,
                      dashes=dash or (None, None), label=label)  # fmt: skip
            end = values[-1]
            if not math.isfinite(end):
                continue
            if _within(end, low, high):
                marks.append((end, label, shade))
            else:
                arrow = r"$\uparrow$" if end > high else r"$\downarrow$"
                way = DOWN if name in lower else NEAR if name == "measured" else UP
                said = rf"{label} {arrow} ${number_label(end, 0, way)}$"
                left.append((values, said, shade))
        over_lags(axes, last, words)
        axes.set_ylim(low - room, high + room)
        for values, said, shade in left:
            label_where_it_leaves(axes, one.lags, values, said, shade)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.set_ylabel(rf"$\log_{{10}}\,{norm}$")
        label_ends(axes, marks, last * 1.015, 8)
        figure.subplots_adjust(left=0.11, right=0.72, bottom=0.13, top=0.96)
        return drawn(figure)


def label_where_it_leaves(
    axes: Any, lags: Sequence[int], values: Sequence[float], said: str, shade: str
) -> None:
    """A label at the edge of the frame that a curve leaves by, after the curve.

    No other curve comes so near the edge. Where there is no room after it, it stands before it, as
    far off as the curve has come while it passes by the label.
    """
    low, high = axes.get_ylim()
    up = values[-1] > high
    edge, beyond = (high, [v > high for v in values]) if up else (low, [v < low for v in values])
    place = len(values) - beyond[::-1].index(False) if False in beyond else 0
    at, slant = float(lags[place]), 0.0
    if place and math.isfinite(values[place - 1]) and math.isfinite(values[place]):
        slant = (lags[place] - lags[place - 1]) / (values[place] - values[place - 1])
        at -= (values[place] - edge) * slant
    start, end = axes.get_xlim()
    after = at + _LABEL * (end - start) < end
    passed = abs(_HIGH * (high - low) * slant)
    axes.annotate(
        said, (at if after else at - passed, edge), (4 if after else -4, 0),
        textcoords="offset points", ha="left" if after else "right", va="top" if up else "bottom",
        color=shade, fontsize=8,
    )  # fmt: skip


def leaves_the_frame(one: Diagnosis, words: Labels) -> bool:
    """Whether a curve of `bounds_over_lag` ends beyond the frame, where an arrow stands for it."""
    curves = list(_families(one, words))
    low, high = _frame(curves)
    ends = [values[-1] for _, _, values, _, _ in curves]
    return any(math.isfinite(end) and not _within(end, low, high) for end in ends)


def _frame(curves: Sequence[Any]) -> tuple[float, float]:
    """The lowest and the highest value shown: what was measured, and bounds step by step."""
    inside = [v for name, _, values, _, _ in curves if name in {PRODUCT, "measured", "direction"}
              for v in values if math.isfinite(v)] or [0.0]  # fmt: skip
    reach = [v for name, _, values, _, _ in curves if name in {"window_1", "trajectory"}
             for v in values[-1:] if math.isfinite(v)]  # fmt: skip
    low, high = min(*inside, 0.0), max(*inside, *reach, 0.0)
    return low, max(high, min(0.5, high + 0.1 * (high - low) + 1e-3))


def _within(end: float, low: float, high: float) -> bool:
    return low - _ROOM * (high - low) <= end <= high + _ROOM * (high - low)


def _families(one: Diagnosis, words: Labels) -> Any:
    """Name, label, values, shade and dashes of each curve."""
    upper, lower = one.log10_upper, one.log10_lower
    named: list[tuple[str | None, str, str, Dash]] = [
        ("a_priori", words("one_sequence.all_inputs"), _GREY, (1, 1.5)),
        ("trajectory", words("figures.blocks"), _GREY, (6, 2)),
        ("window_1", method_name("window_1", words), _DARK, (2, 2)),
        (best_window(one, 10), words("figures.windows").format(10), _DARK, (5, 2)),
        (best_window(one, 20), words("figures.windows").format(20), _BLACK, (8, 2, 1, 2)),
        (PRODUCT, words("methods.product"), _BLACK, (1, 1)),
    ]
    seen: set[str] = set()
    for name, label, shade, dash in named:
        if name is not None and name in upper and name not in seen:
            seen.add(name)
            yield name, label, upper[name], shade, dash
    if one.log10_measured is not None:
        yield "measured", words("growth.measured"), one.log10_measured, _BLACK, _SOLID
    for name, key in (("direction", "one_sequence.at_least"), ("carousel", "figures.at_least_all")):
        if name in lower:
            yield (
                name,
                words(key),
                lower[name],
                _GREY,
                (3, 1, 1, 1) if name == "carousel" else _SOLID,
            )


def critical_gains(found: Scan, labels: Mapping[str, str], given: bool, words: Labels) -> Picture:
    """Bars up to the largest gain tried that each certificate proves; light to the next tried."""
    first, rest = found.factors[0] / 1.4, found.explodes
    ends = [found.undecided(name) or 0.0 for name in labels if found.certified(name)]
    top = max([*ends, rest or 0.0, 0.2]) * 1.7
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 0.9 + 0.27 * (len(labels) + (rest is not None))))
        axes = figure.subplots()
        rows = [*labels]
        for place, name in enumerate(rows):
            sure = found.certified(name)
            end = None if sure is None else found.undecided(name)
            for reached, shade in ((end, "#D5D5D5"), (sure, "#6A6A6A")):
                if reached is not None:
                    axes.barh(place, reached - first, height=0.62, left=first, color=shade)
            edge = max(end or first, sure or first)
            said = (
                words("figures.none")
                if sure is None
                else f"{sure:g}"
                if end
                else rf"$\geq$ {sure:g}"
            )
            axes.text(edge * 1.04, place, said, va="center", fontsize=9)
        if rest is not None:
            axes.barh(len(rows), top - rest, left=rest, height=0.62, facecolor="white",
                      edgecolor=_BLACK, hatch="////", linewidth=0.8)  # fmt: skip
            axes.text(rest / 1.04, len(rows), f"{rest:g}", va="center", ha="right", fontsize=9)
        names = [*labels.values(), *([words("figures.zero_state")] if rest is not None else [])]
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlim(first, top)
        axes.xaxis.set_major_locator(FixedLocator([t for t in _TICKS if t <= top]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(words("figures.factor" if given else "figures.gain"))
        high = figure.get_size_inches()[1]
        figure.subplots_adjust(left=0.25, right=0.97, bottom=0.46 / high, top=1 - 0.06 / high)
        return drawn(figure)


def certified_region(found: Region, gate: str, words: Labels) -> Picture:
    """For each size of the gate the largest norm of recurrent matrices that is certified."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.4))
        axes = figure.subplots()
        # between two values tried what is certified at the larger one holds: steps, no lines
        axes.fill_between(found.gates, found.ours, color="#DDDDDD", linewidth=0, step="pre")
        axes.plot(found.gates, found.ours, color=_BLACK, linewidth=1.4, drawstyle="steps-pre")
        middle = len(found.gates) // 3
        axes.annotate(
            words("figures.certified"), (found.gates[middle], found.ours[middle]), (12, 12),
            textcoords="offset points", fontsize=9,
        )  # fmt: skip
        if found.theirs is not None:
            axes.fill_between(found.gates, found.theirs, facecolor="#AAAAAA", hatch="///",
                              edgecolor="white", linewidth=0)  # fmt: skip
            axes.plot(found.gates, found.theirs, color=_DARK, linewidth=1.2, dashes=(4, 2))
            axes.text(0.03, found.theirs[0] * 0.3, words("figures.theirs"), fontsize=9,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(found.ours) * 1.12)
        axes.set_xlabel(words("figures.gate") + rf"$\hat{{{gate}}}$")
        axes.set_ylabel(words("figures.norm"))
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.15, top=0.97)
        return drawn(figure)


def rates_by_module(found: ModuleRates, words: Labels) -> Picture:
    """The growth a step of each module's own block, and the certified rate of the whole."""
    count = len(found.lengths)
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.0))
        axes = figure.subplots()
        axes.bar(range(count), found.rates, width=0.55, color="#BBBBBB", edgecolor=_BLACK,
                 linewidth=0.8)  # fmt: skip
        for k, rate in enumerate(found.rates):
            axes.text(k, rate / 2, number_label(rate, 3, UP), ha="center", va="center", fontsize=9)
        axes.axhline(1, color=_GREY, linewidth=0.8)
        axes.axhline(found.whole, color=_BLACK, linewidth=1.0, dashes=(5, 2))
        axes.text(count - 0.42, found.whole, words("figures.whole_state"), va="center", fontsize=9)
        axes.set_xticks(range(count), [
            words("figures.module").format(k + 1) + "\n"
            + words("figures.acting").format(a, found.period) for k, a in enumerate(found.acting)
        ])  # fmt: skip
        axes.set_xlim(-0.6, count - 0.45)
        axes.set_ylim(0, max(*found.rates, found.whole, 1.0) * 1.15)
        axes.set_ylabel(words("figures.growth"))
        figure.subplots_adjust(left=0.10, right=0.84, bottom=0.20, top=0.96)
        return drawn(figure)


def norms_over_times(times: Sequence[int], logs: Array, norm: str, words: Labels) -> Picture:
    """log10 of the norm at each pair k ≤ t: dark is small, lines join equal values."""
    values = np.where(np.isfinite(logs), logs, np.nan)
    held = values[np.isfinite(values)]
    low, high = float(held.min()), float(held.max())
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 4.4))
        axes, beside = figure.add_axes((0.09, 0.12, 0.60, 0.86)), figure.add_axes(
            (0.76, 0.12, 0.03, 0.86))  # fmt: skip
        image = axes.pcolormesh(times, times, values, cmap=_SHADES, shading="nearest",
                                vmin=low - 1e-9, vmax=high, rasterized=True)  # fmt: skip
        edge = 1e-3 * (high - low)  # a line so near the largest norm would follow its roundings
        levels = [v for v in MaxNLocator(7).tick_values(low, high) if low + edge < v < high - edge]
        if levels and high - low > 1e-6:
            apart = np.where(np.eye(len(times), dtype=bool), np.nan, values)
            lines = axes.contour(times, times, apart, levels=levels, colors=_ON_SHADES,
                                 linewidths=0.6, linestyles="solid")  # fmt: skip
            places = label_places(lines.allsegs, float(times[0]), float(times[-1]))
            if places:
                axes.clabel(lines, fmt=lambda v: f"${v:g}$", fontsize=8, manual=places)
        bar = figure.colorbar(image, cax=beside)
        bar.outline.set_linewidth(0.6)
        bar.set_label(rf"$\log_{{10}}\,{norm}$")
        for axis in (axes.xaxis, axes.yaxis):  # steps are whole numbers
            axis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        axes.set_xlabel(words.dated("figures.earlier"))
        axes.set_ylabel(words("figures.later"))
        return drawn(figure)


def label_places(
    segments: Sequence[Sequence[Array]], first: float, last: float
) -> list[tuple[float, float]]:
    """Where the number of each line stands: far from the frame, and from the numbers before it.

    A line without such a place has no number.
    """
    chosen: list[Array] = []
    for pieces in segments:
        points = (np.concatenate(pieces) - first) / (last - first) if len(pieces) else np.empty(0)
        if not points.size:
            continue
        room = np.minimum(points, 1 - points).min(axis=1)
        for other in chosen:
            room = np.minimum(room, np.linalg.norm(points - other, axis=1))
        if room.max() > _ROOM:
            chosen.append(points[room.argmax()])
    return [(first + x * (last - first), first + y * (last - first)) for x, y in chosen]
