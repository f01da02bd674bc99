"""Figures: the same numbers as vector PDF and SVG, without dates or random marks.

In: a `Measurement`. Out: the bytes of the two files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from numeric.bounds.one_sequence.measured import Curve, Measurement
from reports.document.drawn_once import drawn_once
from reports.document.formulas_once import shared
from reports.document.words import spoken

STYLE: Final[dict[str, Any]] = {
    "font.family": "cmr10", "font.size": 10, "mathtext.fontset": "cm", "axes.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "bptt",
    "axes.formatter.use_mathtext": True,
    "svg.fonttype": "path", "pdf.fonttype": 3, "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}  # fmt: skip
SHADES: Final = ("#8A8A8A", "#4A4A4A", "#000000")
_CHINESE: Final = re.compile("[\u3400-\u9fff]")
_SETTING: Final = re.compile(r"[${}]|\\mathdefault")
_BESIDE: Final = 0.40  # inches for the words at an axis and the ticks
_DIGIT: Final = 0.072  # inches for a digit of the numbers at it
_DIGITS: Final = re.compile(r"\$\\mathdefault\{([0-9.]+)\}\$")
Mark = tuple[float, str, str]


# Serifs before others; a collection is known to matplotlib by its first, Japanese, face.
CHINESE: Final = (
    "Noto Serif SC", "Source Han Serif SC", "Songti SC", "SimSun", "Noto Serif CJK SC",
    "Noto Serif CJK JP", "Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC",
    "Microsoft YaHei", "WenQuanYi Zen Hei",
)  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """What figures say, by key, and the fonts beside the usual one that it needs."""

    words: Callable[[str], str]
    fonts: tuple[str, ...] = ()
    earlier: str = "k"
    gain: str = "g"

    def __call__(self, key: str) -> str:
        """The label, with the letter of the gain put in."""
        return self.words(key).replace("$g", f"${self.gain}")

    def dated(self, key: str) -> str:
        """The label, with the letter of a time before t put in."""
        return self.words(key).format(self.earlier)

    @property
    def style(self) -> dict[str, Any]:
        """The settings under which a figure is drawn."""
        return {**STYLE, "font.family": [STYLE["font.family"], *self.fonts]}


@cache
def labels(language: str, earlier: str = "k", gain: str = "g") -> Labels:
    """The labels of a language; in English where no font has its letters.

    `earlier` is the letter of a time before t, or its name; `gain` is LaTeX.
    """
    letter = earlier if len(earlier) == 1 else rf"\{earlier}"
    if language == "en":
        return Labels(spoken(language).texts.__getitem__, earlier=letter, gain=gain)
    known = {font.name for font in font_manager.fontManager.ttflist}
    fonts = tuple(name for name in CHINESE if name in known)[:1]
    return Labels(spoken(language if fonts else "en").texts.__getitem__, fonts, letter, gain)


@dataclass(frozen=True)
class Picture:
    """One figure in both formats."""

    pdf: bytes
    svg: str


def gradient_norms(measured: Measurement, norm: str, words: Labels) -> Picture:
    """Measured norms and upper bounds over the lag, labelled beside the curves.

    `norm` is LaTeX for what is measured; `words` gives a label by its key.
    """
    with mpl.rc_context(words.style):
        figure = Figure(figsize=(6.3, 3.5))
        axes = figure.subplots()
        axes.axhline(0, color="#BBBBBB", linewidth=0.6)
        curves = measured.curves
        shades = [SHADES[-1 - round(k * (len(SHADES) - 1) / max(1, len(curves) - 1))]
                  for k in reversed(range(len(curves)))]  # fmt: skip
        for curve, shade in zip(curves, shades, strict=True):
            axes.plot(list(curve.lags), shown(curve.log10_measured), color=shade, linewidth=1.4)
            axes.plot(list(curve.lags), shown(curve.log10_upper), color=shade, linewidth=1.0,
                      dashes=(4, 2.5))  # fmt: skip
        last = measured.steps
        over_lags(axes, last, words)
        axes.margins(y=0.04)
        _label(axes, curves, shades, last, words)
        axes.set_ylabel(rf"$\log_{{10}}\,{norm}$")
        figure.subplots_adjust(left=0.11, right=0.80, bottom=0.14, top=0.97)
        return drawn(figure)


def over_lags(axes: Any, last: int, words: Labels) -> None:
    """The lag along the axis: whole numbers up to the last."""
    axes.set_xlim(0, last)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    axes.set_xlabel(words.dated("figures.lag"))


def shown(values: Sequence[float]) -> list[float]:
    """The values, with a gap where a norm is 0."""
    return [value if math.isfinite(value) else math.nan for value in values]


def _label(
    axes: Any, curves: tuple[Curve, ...], shades: list[str], last: int,
    words: Labels,
) -> None:  # fmt: skip
    """Labels at the right ends of the curves."""
    marks: list[Mark] = []
    low, _ = axes.get_ylim()
    for curve, shade in zip(curves, shades, strict=True):
        gain = rf"{words('words.pause')}${words.gain}={curve.gain:g}$" * (len(curves) > 1)
        marks.append((max(curve.log10_measured[-1], low), words("growth.measured") + gain, shade))
        marks.append((max(curve.log10_upper[-1], low), words("growth.bound") + gain, shade))
    label_ends(axes, marks, last * 1.015)


def label_ends(axes: Any, marks: list[Mark], x: float, size: float = 9) -> None:
    """Labels beside the frame at x, pushed apart where they would overlap.

    `marks` are the heights, words and shades of the labels; a label that is moved, or that the
    line of such a one would cross, has a line that leads from its curve to it.
    """
    axes.set_autoscale_on(False)
    low, high = axes.get_ylim()
    apart = (high - low) / 17 * size / 9
    marks.sort()
    places = [place for place, _, _ in marks]
    for _ in range(300):
        for k in range(len(places) - 1):
            overlap = apart - (places[k + 1] - places[k])
            if overlap > 1e-9:
                places[k] -= overlap / 2
                places[k + 1] += overlap / 2
    for k, place in enumerate(places):
        places[k] = max(place, low if k == 0 else places[k - 1] + apart)
    edge = axes.get_xlim()[1]
    lines = [sorted((place, end)) for place, (end, _, _) in zip(places, marks, strict=True)
             if abs(place - end) > apart / 2]  # fmt: skip
    for place, (end, text, shade) in zip(places, marks, strict=True):
        led = any(lower - apart / 2 < place < upper + apart / 2 for lower, upper in lines)
        left = edge + 4.4 * (x - edge) if led else x
        if led:
            axes.plot([edge, edge + 4 * (x - edge)], [end, place], color=shade, linewidth=0.5,
                      clip_on=False)  # fmt: skip
        axes.text(left, place, text, color=shade, va="center", fontsize=size)


class _Numbers(ScalarFormatter):
    """The usual numbers at an axis, mere digits as text: a formula takes far longer to set."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        label: str = super().__call__(x, pos)
        found = _DIGITS.fullmatch(label)
        return found[1] if found else label


def _make_room(figure: Figure) -> None:
    """Move the frame to the right where long numbers would push the words beside it out."""
    axes = next(iter(figure.axes), None)
    if axes is None or not axes.get_ylabel() or axes.get_subplotspec() is None:
        return
    axis, (low, high) = axes.yaxis, sorted(axes.get_ylim())
    inside = [place for place in axis.get_majorticklocs() if low <= place <= high]
    longest = max(map(len, map(_plain, axis.get_major_formatter().format_ticks(inside))), default=0)
    needed = (_BESIDE + _DIGIT * longest) / figure.get_size_inches()[0]
    if needed > figure.subplotpars.left:
        figure.subplots_adjust(left=needed)


def _plain(label: str) -> str:
    """A number as it is read, without what sets it."""
    return _SETTING.sub("", label)


def drawn(figure: Figure) -> Picture:
    """The figure in both formats."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_formatter()) is ScalarFormatter:
                axis.set_major_formatter(_Numbers())
    _make_room(figure)
    several = len(mpl.rcParams["font.family"]) > 1  # else every text has the one font
    for text in figure.findobj(Text) if several else ():
        label, others = text.get_text(), text.get_fontfamily()[1:]
        if others and "$" in label and _CHINESE.search(label):  # beside a formula one font is asked
            text.set_fontfamily(others)
    with shared():
        pdf, svg = drawn_once(figure)
    return Picture(pdf, shortened(svg.decode()))


_DATA: Final = re.compile(r'\bd="([^"]*)"(\stransform="scale\(0\.015625\))?')
_PLACE: Final = re.compile(r'\s(?:x|y|transform)="[^"]*"')
_LONG: Final = re.compile(r"-?\d+\.\d{3,}")
_SCALED: Final = 'scale(0.015625)"'


def shortened(svg: str) -> str:
    """The same picture, places to a hundredth of a point, paths by steps from place to place.

    The letters of a font are drawn 64 times as large, so there whole numbers do.
    """

    def short(found: re.Match[str]) -> str:
        return f'd="{_letter(found[1])}"{found[2]}' if found[2] else f'd="{by_steps(found[1], 2)}"'

    def placed(found: re.Match[str]) -> str:
        if found[0].endswith(_SCALED):
            return found[0]
        return _LONG.sub(lambda number: _number(float(number[0]), 2), found[0])

    return _PLACE.sub(placed, _DATA.sub(short, svg))


@lru_cache(maxsize=1024)
def _letter(path: str) -> str:
    """A letter of a font, the same in every figure that has it."""
    return by_steps(path, 0)


def by_steps(path: str, digits: int) -> str:
    """A path of M, L, Q, C and z with its places rounded, each told from the one before."""
    made, words = [], path.split()
    here = first = (0.0, 0.0)
    at = 0
    while at < len(words):
        sign = words[at]
        end = at + 1
        while end < len(words) and not words[end].isalpha():
            end += 1
        numbers = [round(float(word), digits) for word in words[at + 1 : end]]
        points = [*zip(numbers[::2], numbers[1::2], strict=True)]
        steps = [
            _number(p - q, digits) for point in points for p, q in zip(point, here, strict=True)
        ]
        made.append(sign.lower() + " ".join(steps).replace(" -", "-"))
        here = points[-1] if points else first
        first = here if sign == "M" else first
        at = end
    return "".join(made)


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
