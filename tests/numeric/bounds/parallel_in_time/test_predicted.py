"""The count of steps that is known before the first: never too small, close for tame nets."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.parallel_in_time import contraction
from numeric.bounds.parallel_in_time.contraction import Contraction
from numeric.bounds.parallel_in_time.distance import Errors, Roundings, Speeds
from numeric.bounds.parallel_in_time.inverse import constant_norms
from numeric.bounds.parallel_in_time.newton import sweeps
from numeric.bounds.parallel_in_time.predicted import predicted
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


def known(factor: float, speed: float, steps: int = 30, beyond: float = np.inf) -> Contraction:
    """Steps that a number multiplies, of step Jacobians that change so fast."""
    flat, none = np.full(steps, speed), np.zeros(steps)
    sums = constant_norms(factor ** np.arange(steps + 1.0), steps)
    return Contraction(None, beyond, sums, Speeds(none, flat, flat), None)


@pytest.mark.parametrize(("start", "speed", "lost"), [
    (1e-2, 1.0, 0.0), (0.4, 1.0, 0.0), (0.4, 1.0, 3e-14), (1e-7, 0.0, 0.0), (0.2, 4.0, 1e-15),
    (1e-14, 1.0, 0.0), (8e-3, 1.0, 1e-9),
])  # fmt: skip
def test_the_count_is_that_of_the_recursion(start: float, speed: float, lost: float) -> None:
    """Of errors E and sums of ½: E ← Σ ½^{t−k} (L E_{k−1}² / 2 + o), down to what o leaves."""
    steps = 30
    none, first = np.zeros(steps), start * np.random.default_rng(0).uniform(size=steps)
    rounded = Roundings(np.full(steps, lost), none)
    promise, why = predicted(known(0.5, speed), Errors(none, first), rounded.fixed, rounded, 1e-13)
    here, count = first, 0
    while here.max() > 1e-13 + 1.1 * 2 * lost:
        before = np.append(0.0, here[:-1]) ** 2
        here = np.array([sum(0.5 ** (t - k) * (speed * before[k] / 2 * (k > 0) + lost)
                             for k in range(t + 1)) for t in range(steps)])  # fmt: skip
        count += 1
    assert (promise.steps, why) == (count, "")
    assert 1e-13 + 2 * lost * (1 - 1e-6) <= promise.within <= (1e-13 + 2.2 * lost) * (1 + 1e-9)


def test_no_count_where_errors_do_not_fall() -> None:
    """From too far away, where roundings grow with the steps, or where they are not kept to."""
    none, near = np.zeros(30), Errors(np.zeros(30), np.full(30, 1e-2))
    exact, share = Roundings(none, none), Roundings(none, np.full(30, 0.6))
    far = Errors(none, np.full(30, 2.0))
    for first, granted, why in ((far, exact, "K L e₀ / 2 = 2"), (near, share, "what sweeps round")):
        promise, said = predicted(known(0.5, 1.0), first, none, granted, 1e-13)
        assert promise is None
        assert said.startswith(why)
    left = Roundings(np.full(30, 1e-13), np.full(30, 0.3))  # as near as that for one step only
    promise, said = predicted(known(0.5, 1.0), Errors(none, np.full(30, 1e-13)), none, left, 1e-13)
    assert promise is None
    assert said.startswith("what sweeps round")


def test_no_count_beyond_what_is_known() -> None:
    """Later iterates may lie as far away as is promised, though the first one is nearer."""
    none, near = np.zeros(30), Errors(np.zeros(30), np.full(30, 1e-14))
    for beyond, lost, steps in ((2e-13, 0.0, 0), (2e-14, 0.0, None), (np.inf, np.inf, None)):
        granted = Roundings(np.full(30, lost), none)
        promise, _ = predicted(known(0.5, 1.0, beyond=beyond), near, none, granted, 1e-13)
        assert (promise and promise.steps) == steps


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


def test_sweeps_are_granted_what_larger_states_round() -> None:
    """What hgrn keeps grows over many steps: its first guess rounds a fraction of what is left."""
    found = swept(catalogue["hgrn"], 1.0, steps=80, size=8)
    assert found.unpredicted == ""
    assert found.predicted == len(found.iterates) - 1 == 1
