"""Figures of bounds: what is drawn over shades, beside frames and outside them."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import figure
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet
from studies import small_study

from derive.calculus.through_time import derivation_of
from numeric.bounds.diagnosis import Diagnosis
from numeric.bounds.one_sequence.measured import Curve
from reports.document import bound_figures, figures
from reports.document.bound_figures import label_places
from reports.document.figures import labels
from reports.document.model import Figure
from reports.sections import one_sequence
from reports.sections.facts import Facts
from reports.sections.numbering import Pages


def diagnosis(name: str, **changes: object) -> Diagnosis:
    """What `bounds` finds of a small net, with some of it replaced."""
    return replace(small_study(name).one, **changes)


def test_an_arrow_stands_for_what_leaves_the_frame_and_for_nothing_else(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    words, lags = labels("en"), [1, 2, 3]
    near = {"a_priori": [0.1, 0.2, 0.3], "product": [0.0, 0.0, 0.0]}
    for far in (0.3, 30.0):
        upper = {**near, "a_priori": [0.1, 0.2, far]}
        one = diagnosis("rnn", lags=lags, log10_measured=[0.0, -1.0, -2.0], log10_upper=upper,
                        log10_lower={})  # fmt: skip
        bound_figures.bounds_over_lag(one, "x", words)
        said = " ".join(text.get_text() for text in drawings[-1].axes[0].texts)
        assert ("uparrow" in said) == bound_figures.leaves_the_frame(one, words) == (far > 1)


def test_the_label_of_a_curve_that_leaves_stands_at_it_where_it_does(monkeypatch):
    """Beside the frame its leader would end at the curve that is highest there."""
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    lags = [*range(1, 61)]
    for slope, side in ((3.0, "left"), (0.25, "right")):
        upper = {"a_priori": [slope * lag for lag in lags], "product": [-0.1 * lag for lag in lags],
                 "window_1": [0.2 * lag for lag in lags]}  # fmt: skip
        one = diagnosis("rnn", lags=lags, log10_measured=[-0.1 * lag for lag in lags],
                        log10_upper=upper, log10_lower={})  # fmt: skip
        bound_figures.bounds_over_lag(one, "x", labels("en"))
        axes = drawings[-1].axes[0]
        (label,) = [text for text in axes.texts if "uparrow" in text.get_text()]
        low, high = axes.get_ylim()
        passed = 0.05 * (high - low) / slope if side == "right" else 0
        assert label.xy == pytest.approx((high / slope - passed, high))
        assert label.get_ha() == side


def test_steps_are_counted_in_whole_numbers(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    times = [*range(21)]
    logs = np.where(np.tri(21, dtype=bool), -1.0 * np.subtract.outer(times, times), -np.inf)
    bound_figures.norms_over_times(times, logs, "x", labels("en"))
    axes = drawings[0].axes[0]
    for ticks in (axes.get_xticks(), axes.get_yticks()):
        assert all(tick == round(tick) for tick in ticks)


def test_norms_that_hardly_change_fill_the_frame(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    one = diagnosis("rnn", lags=[1, 2, 3], log10_measured=[0.0, -0.01, -0.02],
                    log10_upper={"product": [0.0, -0.01, -0.02]}, log10_lower={})  # fmt: skip
    bound_figures.bounds_over_lag(one, "x", labels("en"))
    low, high = drawings[0].axes[0].get_ylim()
    assert high - low < 2 * 0.02


def test_black_lines_show_on_every_shade_of_the_norms_over_times(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    times = [0, 1, 2, 3]
    logs = np.where(np.tri(4, dtype=bool), -1.0 * np.subtract.outer(times, times), -np.inf)
    bound_figures.norms_over_times(times, logs, "x", labels("en"))
    (mesh,) = drawings[0].axes[0].findobj(QuadMesh)
    shades = mesh.cmap(mesh.norm(logs[np.tri(4, dtype=bool)]))[:, :3]
    assert 0.35 < shades.min() < 0.45
    assert 0.9 < shades.max() < 0.97


def test_no_line_follows_the_roundings_of_the_largest_norm(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    times = [0, 1, 2, 3]
    logs = np.where(np.tri(4, dtype=bool), 1e-16, -np.inf)
    logs[3, :2] = -0.4
    bound_figures.norms_over_times(times, logs, "x", labels("en"))
    (lines,) = drawings[0].axes[0].findobj(ContourSet)
    assert -0.4 < min(lines.levels) < max(lines.levels) < -0.01


def test_the_numbers_on_lines_stand_off_the_frame_and_each_other(monkeypatch):
    """On parallel straight lines Matplotlib's own places lie on the frame, cut off by it."""
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    times = [*range(0, 61, 2)]
    lags = np.subtract.outer(times, times)
    logs = np.where(lags >= 0, -0.104 * lags, -np.inf)
    bound_figures.norms_over_times(times, logs, "x", labels("en"))
    (lines,) = drawings[0].axes[0].findobj(ContourSet)
    places = np.array([text.get_position() for text in lines.labelTexts])
    assert len(places) >= 4
    assert np.all((places > 3) & (places < 57))
    apart = [np.linalg.norm(p - q) for k, p in enumerate(places) for q in places[:k]]
    assert min(apart) > 3


def test_a_line_at_the_frame_has_no_number():
    assert label_places([[np.array([[0.0, 60.0], [1.0, 60.0]])], []], 0, 60) == []
    (place,) = label_places([[np.array([[0.0, 60.0], [30.0, 45.0], [60.0, 60.0]])]], 0, 60)
    assert place == (30.0, 45.0)


@pytest.mark.parametrize("leaves", [False, True])
def test_an_arrow_is_spoken_of_where_one_is_drawn(leaves, monkeypatch):
    monkeypatch.setattr(one_sequence, "leaves_the_frame", lambda *_: leaves)
    found = small_study("rnn")
    pages = Pages(Facts(derivation_of(found.one.cell)), found, "rnn")
    captions = [str(block.caption) for block in one_sequence.one_sequence(pages, "x").blocks
                if isinstance(block, Figure)]  # fmt: skip
    assert any("An arrow stands" in caption for caption in captions) is leaves


@pytest.mark.parametrize("steep", [1.0, 0.0007])
def test_long_numbers_at_an_axis_leave_its_words_in_the_figure(steep, monkeypatch):
    """Numbers such as −0.040 pushed the words beside them over the left edge, which cut them."""
    drawings = []
    monkeypatch.setattr(figures, "drawn_once", lambda figure: drawings.append(figure) or (b"", b""))
    lags = tuple(range(1, 61))
    curve = Curve(1.0, lags, tuple(-steep * k for k in lags), (0.0,) * 60)
    figures.gradient_norms(
        SimpleNamespace(curves=(curve,), steps=60), r"\|\partial S_t/\partial S_\tau\|_2",
        labels("en"))  # fmt: skip
    drawings[0].draw_without_rendering()
    assert drawings[0].axes[0].yaxis.label.get_window_extent().x0 > 2


def test_a_label_of_a_curve_that_ends_at_infinity_stands_at_its_step() -> None:
    """From a finite bound to none: no line leads there, and the label has a place all the same."""
    axes = figure.Figure().subplots()
    axes.set(xlim=(1, 4), ylim=(-1, 1))
    bound_figures.label_where_it_leaves(
        axes, [1, 2, 3, 4], [0.0, 0.5, math.inf, math.inf], "a", "k"
    )
    (label,) = axes.texts
    assert label.xy == (3.0, 1)
