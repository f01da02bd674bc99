"""Norms over pairs of times: what is drawn over the shades, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet
from studies import small_study

from numeric.bounds.diagnosis import Diagnosis
from reports.document import bound_figures
from reports.document.figures import labels


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


def test_a_line_of_equal_norms_is_labelled_at_its_middle_and_a_short_one_not_at_all(monkeypatch):
    drawings = []
    monkeypatch.setattr(bound_figures, "drawn", drawings.append)
    times = [3 * k for k in range(21)]
    lag = np.subtract.outer(times, times) * 1.0
    logs = np.where(np.tri(21, dtype=bool), -0.1046 * lag, -np.inf)
    bound_figures.norms_over_times(times, logs, "x", labels("en"))
    (lines,) = drawings[0].axes[0].findobj(ContourSet)
    places = [text.get_position() for text in lines.labelTexts]
    assert min(lines.levels) == -6 < -5 == min(float(t.get_text()[1:-1]) for t in lines.labelTexts)
    for x, y in places:
        assert 3 < x < 57
        assert 3 < y < 57
        assert abs(x - (60 - y)) < 4
