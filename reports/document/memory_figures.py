"""Figures of how a cell keeps gradients: over the lag by the bias of a gate, and over the gain.

Of what a gradient by a decay comes to as the decay approaches 1.

In: `Keeping` and `ByGain`. Out: `Picture`s with labels at the curves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from numeric.bounds.memory import ByGain, Keeping
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

Array = Any
_GREY, _DARK, _BLACK = SHADES
_FROM_ONE: Final = (1e-4, 0.5)  # 1 − λ
_POINTS: Final = 121
_TICKS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)


def norms_by_bias(found: Keeping, bias: str, norm: str, words: Labels) -> Picture:
    """Norms over the lag for each bias, beside those of the plain network; `bias` is LaTeX."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.4))
        axes = figure.subplots()
        axes.axhline(0, color="#BBBBBB", linewidth=0.6)
        marks: list[Mark] = []
        shades = (_GREY, _DARK, _BLACK)
        for (shift, track), shade in zip(found.shifted.items(), shades, strict=False):
            axes.plot(list(track.lags), shown(track.log10_measured), color=shade, linewidth=1.5)
            sign = found.kept.signed(shift) or 0.0
            marks.append((track.log10_measured[-1], rf"${bias} = {sign:g}$", shade))
        plain = found.plain
        axes.plot(list(plain.lags), shown(plain.log10_measured), color=_BLACK, linewidth=1.1,
                  dashes=(4, 2.5))  # fmt: skip
        marks.append((plain.log10_measured[-1], words("figures.plain"), _BLACK))
        last = plain.lags[-1]
        over_lags(axes, last, words)
        axes.margins(y=0.05)
        axes.set_ylabel(rf"$\log_{{10}}\,{norm}$")
        label_ends(axes, [m for m in marks if math.isfinite(m[0])], last * 1.015)
        figure.subplots_adjust(left=0.11, right=0.82, bottom=0.14, top=0.97)
        return drawn(figure)


def norms_by_gain(found: ByGain, norm: str, words: Labels) -> Picture:
    """The norm at one lag over the gain: bounded for all inputs, at rest, and along a sequence."""
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.4))
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.axhline(0, color="#BBBBBB", linewidth=0.6)
        marks: list[tuple[float, float, str, str]] = []
        curves: tuple[tuple[Sequence[float], str, tuple[float, ...], str], ...] = (
            (found.upper, _DARK, (4, 2.5), words("figures.at_most_all")),
            (found.lower, _GREY, (1, 1.5), words("figures.at_least_rest")),
            (found.measured, _BLACK, (), words("growth.measured")),
        )
        for values, shade, dash, label in curves:
            points = [(f, v) for f, v in zip(found.factors, values, strict=True)
                      if math.isfinite(v)]  # fmt: skip
            if points:
                axes.plot(*zip(*points, strict=True), color=shade, linewidth=1.3,
                          dashes=dash or (None, None), marker="o", markersize=2.6)  # fmt: skip
                marks.append((*points[-1], label, shade))
        low, high = axes.get_ylim()
        for edge in (found.certified, found.explodes):
            if edge is not None:
                axes.axvline(edge, color="#BBBBBB", linewidth=0.6)
        for x, y, label, shade in marks:
            inside = x < found.factors[-1]
            on_paper = {"facecolor": "#FFFFFF", "edgecolor": "none", "pad": 1.0} if inside else None
            axes.annotate(
                label, (x, y), xytext=(-4, 7) if inside else (7, 0), fontsize=9, color=shade,
                textcoords="offset points", va="center", ha="right" if inside else "left",
                annotation_clip=False, bbox=on_paper)  # fmt: skip
        axes.set_ylim(low, high)
        axes.set_xlim(found.factors[0], found.factors[-1])
        axes.xaxis.set_major_locator(FixedLocator(_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(words("figures.gain"))
        axes.set_ylabel(rf"$\log_{{10}}\,{norm}$")
        figure.subplots_adjust(left=0.11, right=0.82, bottom=0.14, top=0.97)
        return drawn(figure)


def by_the_decay(x: Array) -> Array:
    """E (∂h/∂λ)² of h = λ h + x, white x of variance 1."""
    return (1 + x**2) / (1 - x**2) ** 3


def of_normed_inputs(x: Array) -> Array:
    """The same of h = λ h + √(1 − λ²) x."""
    return 1 / (1 - x**2) ** 2


def by_its_logarithm(x: Array) -> Array:
    """E (∂h/∂w)² of the same, λ = exp(−e^w)."""
    return (x * np.log(x) / (1 - x**2)) ** 2


CURVES: Final = (by_the_decay, of_normed_inputs, by_its_logarithm)


def decays(words: Labels) -> Picture:
    """Decimal logarithms of the three over 1 − λ, which falls to the right."""
    gap = np.geomspace(*_FROM_ONE[::-1], _POINTS)
    names = (r"$\partial h/\partial\lambda$", words("figures.decay_normed"),
             words("figures.decay_logarithm"))  # fmt: skip
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.0))
        axes = figure.subplots()
        for curve, name, shade, dashes in zip(
            CURVES, names, (_BLACK, _DARK, _GREY), ("-", "--", "-"), strict=True
        ):
            axes.plot(gap, np.log10(curve(1 - gap)), color=shade, linestyle=dashes,
                      linewidth=1.2, label=name)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(*_FROM_ONE[::-1])
        axes.set_xlabel(r"$1-\lambda$")
        axes.set_ylabel(r"$\log_{10}\,\mathrm{E}(\partial h/\partial\,\cdot)^2$")
        axes.legend(frameon=False, fontsize=9)
        figure.subplots_adjust(left=0.11, right=0.97, bottom=0.18, top=0.97)
        return drawn(figure)
