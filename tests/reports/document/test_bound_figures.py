"""Norms over pairs of times: what is drawn over the shades, and what is not."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

from reports.document import bound_figures
from reports.document.figures import labels


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
