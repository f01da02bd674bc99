"""Step Jacobians by blocks: products and norms as of the whole matrix."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from exact_norms import below
from profiles import by_day
from trajectories import CELLS, path

from numeric.bounds.one_sequence.step_jacobians import Jacobians
from numeric.numbers import matrices
from numeric.numbers.matrices import Near, bounds


def first(name, n=4):
    return next(iter(Jacobians(path(name, n=n, steps=1)).backwards()))


@pytest.mark.parametrize("name", by_day(CELLS, 7))
def test_products_by_blocks_are_those_of_the_matrix(name):
    near = first(name)
    left = np.random.default_rng(0).normal(size=(3, len(near.matrix)))
    gram = near.gram()
    assert np.allclose(near.after(left), left @ near.matrix, rtol=1e-13, atol=1e-13)
    assert np.allclose(gram @ left[0], near.matrix.T @ (near.matrix @ left[0]), atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_norm_from_blocks_holds_in_rationals_and_is_close(name, monkeypatch):
    monkeypatch.setattr(matrices, "SMALL", 0)  # small matrices go the way of large ones
    near = replace(first(name), error=0.0)
    _, high, _ = bounds(near)
    exact = [[Fraction(float(entry)) for entry in row] for row in near.matrix]
    assert len(near.gram().flat) == (4 if name == "lstm" else 0)
    assert below(exact, high)
    assert high <= np.linalg.norm(near.matrix, 2) * (1 + 1e-6)


@pytest.mark.parametrize("part", ["flat", "beside", "dense"])
def test_a_gram_matrix_that_lacks_a_part_would_be_seen(part, monkeypatch):
    monkeypatch.setattr(matrices, "SMALL", 0)
    near = first("lstm")
    whole = near.gram()
    less = replace(whole, **{part: 0.1 * getattr(whole, part)})
    monkeypatch.setattr(type(near), "gram", lambda self: less)
    assert bounds(near)[1] < np.linalg.norm(near.matrix, 2)


def test_panels_leave_what_the_whole_product_leaves(monkeypatch):
    """‖S − L Lᵀ‖ of a matrix that is not quite what its factor says, by one panel and by many."""
    rng = np.random.default_rng(1)
    A = rng.normal(size=(40, 30))
    found = []
    for panel in (4, 100):
        monkeypatch.setattr(matrices, "_PANEL", panel)
        monkeypatch.setattr(matrices, "_PANELS", 40)
        found.append(bounds(Near(A))[1])
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert found[0] >= np.linalg.norm(A, 2)
    known = np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda L: 1.1 * known(L))
    monkeypatch.setattr(matrices, "_PANEL", 4)
    assert bounds(Near(A))[1] > found[0] * (1 + 1e-4)  # a wrong factor costs, and is not believed
