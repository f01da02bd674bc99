"""The count of steps that is known before the first: never too small, close for tame nets."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.parallel_in_time import contraction
from numeric.bounds.parallel_in_time.distance import Roundings, Speeds
from numeric.bounds.parallel_in_time.newton import sweeps
from numeric.meaning.sizes import usual_sizes


def swept(cell: Cell, gain: float, seed: int = 0, steps: int = 40, size: int = 6):
    made = draw(cell, usual_sizes(cell, size, 3), gain, steps, seed, 1.0)
    return sweeps(derivation_of(cell), made["parameters"], made["inputs"], {}, made["constants"])


@pytest.mark.by_default("0-0.2", "1-0.1", "2-0.05")
@pytest.mark.parametrize("gain", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_enough_and_close(gain: float, seed: int) -> None:
    found = swept(catalogue["rnn"], gain, seed)
    taken = len(found.iterates) - 1
    assert found.predicted is not None
    assert taken <= found.predicted <= taken + 2


def test_none_has_a_reason() -> None:
    for name, said in (("irnn", "kink"), ("lstm", "rate below 1")):
        found = swept(catalogue[name], 1.0, steps=10)
        assert found.predicted is None
        assert said in found.unpredicted


def test_no_box_no_count() -> None:
    cell = Cell.parse(
        name="grows", equations="h = 2 * h_prev + tanh(9 * h_prev + U @ x)", inputs=("x",)
    )
    found = swept(cell, 1.0, steps=10)
    assert found.predicted is None
    assert found.unpredicted == "no invariant box of the states was found"


def test_a_linear_cell_takes_one_step() -> None:
    cell = Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x", inputs=("x",))
    found = swept(cell, 1.0)
    assert found.predicted == 1
    assert len(found.iterates) - 1 == 1


@pytest.mark.long
def test_roundings_of_large_states_are_counted() -> None:
    """States near 1e5 cannot be held to within 1e-13: what is promised says how near instead."""
    cell = Cell.parse(name="line", equations="h = 0.9 * h_prev + 1e4 * U @ x", inputs=("x",))
    found = swept(cell, 1.0)
    assert found.predicted in (1, 2)
    assert found.within is not None
    assert 1e-11 < found.within < 1e-8
    assert all(1e-11 < one.within < 1e-8 for one in found.iterates)
    small = swept(Cell.parse(name="l", equations="h = 0.9 * h_prev + U @ x", inputs=("x",)), 1.0)
    assert small.within is not None
    assert 1e-13 < small.within < found.within / 1e3


def test_a_sweep_that_rounds_more_than_was_granted_is_no_promise(monkeypatch) -> None:
    """Were hardly any roundings granted, the sweeps made would not be what was counted on."""
    few = Roundings(np.full(40, 1e-30), np.zeros(40))
    monkeypatch.setattr(Roundings, "allowed", lambda self: few)
    found = swept(catalogue["rnn"], 0.1)
    assert found.predicted is None
    assert found.unpredicted == "a sweep rounds more than twice what the first one does"
    assert all(one.remaining is None for one in found.iterates)


def test_a_constant_too_small_is_shown_wrong(monkeypatch) -> None:
    """With L a thousandth of what it is the count comes out too small."""
    right = contraction.speeds_over

    def slower(*given):
        found = right(*given)
        return Speeds(*(1e-12 * part for part in (found.fed, found.own, found.rest)))

    monkeypatch.setattr(contraction, "speeds_over", slower)
    found = swept(catalogue["rnn"], 0.2, steps=400)
    assert found.predicted is not None
    assert found.predicted < len(found.iterates) - 1
    assert np.isfinite(found.iterates[-1].step)
