"""Invariant sets: grown out of the initial box, or cut out of all numbers for kept states."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import NIGHTLY

from derive import Cell, catalogue, differentiate
from numeric.bounds.all_inputs import ranges
from numeric.bounds.all_inputs.gate_region import _entry
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box
from numeric.meaning.enclose import enclose
from numeric.numbers.intervals import Interval


def lstm(seed, n=8, m=2):
    """Weights N(0, g²/n), half with a rank-one part, forget bias about 1 in a third."""
    rng = np.random.default_rng(seed)
    gain, weights = rng.uniform(0.05, 0.6), {}
    for gate in "fico":
        W = rng.normal(size=(n, n)) * gain / np.sqrt(n)
        if seed % 2:
            W += np.outer(rng.normal(size=n), rng.normal(size=n)) * gain / n
        weights |= {f"W_{gate}h": W, f"W_{gate}x": rng.normal(size=(n, m)) * 0.3,
                    f"b_{gate}": rng.normal(size=n) * 0.3}  # fmt: skip
    if seed % 3 == 0:
        weights["b_f"] += 1
    return Ranges(Setting(differentiate(catalogue["lstm"]), weights, {"n": n, "m": m}))


@pytest.mark.by_default("31")
@pytest.mark.parametrize("seed", range(200) if NIGHTLY else (3, 30, 31))
def test_every_lstm_that_forgets_a_little_has_a_box(seed):
    with np.errstate(all="ignore"):
        found = lstm(seed)
        box = invariant_box(found)
        assert box is not None
        assert all(image.within(box[name]) for name, image in found.step(box).items())
        assert box["h"].magnitude.max() <= 1


def test_growth_from_the_initial_box_alone_would_miss_one():
    with np.errstate(all="ignore"):
        assert ranges._grown(lstm(3)) is None


def test_a_state_that_is_kept_whole_has_no_box():
    cell = Cell.parse(name="sum", equations="h = h_prev + tanh(U @ x)")
    found = Ranges(Setting(differentiate(cell), {"U": np.ones((2, 2))}, {"n": 2, "m": 2}))
    with np.errstate(all="ignore"):
        assert invariant_box(found) is None


def test_entries_of_a_softmax_or_a_product_are_not_taken_at_size_one():
    """1 − softmax(b) is 0 for one entry and up to 1 for more; a product has as many terms."""
    cell = Cell.parse(name="odd", equations="a = 1 - softmax(b)\nh = a * (W @ tanh(h_prev + x))",
                      sizes={"x": "n"})  # fmt: skip
    point = Interval(np.ones((1, 1)), np.ones((1, 1)))
    ranges_of = {name: point for name in ("a", "b", "W", "h_prev", "x")}
    gate, state = (equation.value for equation in cell.equations)
    assert _entry(gate, ranges_of).magnitude.max() >= 1
    assert np.isinf(_entry(state, ranges_of).magnitude.max())
    assert enclose(gate, ranges_of, {"n": 1}).magnitude.max() < 1e-9  # the old fault


def test_weights_of_one_cell_share_what_its_equations_are_prepared_to(monkeypatch):
    made, usual = [], ranges.plain_equations
    monkeypatch.setattr(ranges, "plain_equations", lambda pairs: made.append(1) or usual(pairs))
    ranges._prepared.cache_clear()
    one, other = lstm(3), lstm(4)
    assert len(made) == 1
    assert one.given["W_fh"].lo[0, 0] != other.given["W_fh"].lo[0, 0]
