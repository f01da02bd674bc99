"""Where Newton's method begins: no guess is further away than said, and no number is dearer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fifty_digit_states import exact

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.bounds.parallel_in_time import contraction as norms
from numeric.bounds.parallel_in_time import newton, start
from numeric.bounds.parallel_in_time.distance import Roundings
from numeric.bounds.parallel_in_time.evaluated import evaluated
from numeric.bounds.parallel_in_time.iterates import iterated
from numeric.bounds.parallel_in_time.predicted import predicted
from numeric.meaning.sizes import usual_sizes

CONTRACTING = [("rnn", 0.5), ("jordan", 0.3), ("ltc", 1.0), ("scrn", 0.5), ("clockwork_rnn", 0.4)]


def begun(cell: Cell, gain: float, steps: int = 60, seed: int = 1, size: int = 4):
    """The start, the guess of one evaluation, and the arrays drawn."""
    made = draw(cell, usual_sizes(cell, size, 3), gain, steps, seed, 1.0)
    made["initial"] = {name: np.zeros_like(value) for name, value in made["initial"].items()}
    derivation = derivation_of(cell)
    groups = made["parameters"], made["inputs"], made["constants"]
    zeros = newton._zeros(derivation, dict.fromkeys(made["initial"]), steps, *groups)
    run = newton._guess(Run(derivation, *groups[:2], zeros, groups[2]))
    setting = Setting(derivation, groups[0], run.sizes, newton._box(groups[1]), (0.0, 0.0),
                      groups[2])  # fmt: skip
    return start.begun(setting, step_curvature(derivation), run, 1e-13), run, made


def away(found: start.Start, cell: Cell, made) -> np.ndarray:
    """‖s_t − exact s_t‖₂ of the guess."""
    true = exact(cell, made)
    return np.sqrt(sum((((found.run.states[n][1:] - high) - low) ** 2).sum(axis=1)
                       for n, (high, low) in true.items()))  # fmt: skip


@pytest.mark.by_default("rnn-0.5", "jordan-0.3")
@pytest.mark.parametrize(("name", "gain"), CONTRACTING)
def test_no_guess_is_further_away_than_its_residual_says(name: str, gain: float) -> None:
    found, _, made = begun(catalogue[name], gain)
    assert found.evaluations > 1
    gaps = away(found, catalogue[name], made)
    assert np.all(gaps <= found.errors.whole)
    assert found.within <= 100 * gaps.max() + 1e-12


def test_norms_of_single_factors_alone_are_shown_wrong(monkeypatch) -> None:
    """Were products of several factors 0, some guess would be further away than said."""
    right = norms._norms
    monkeypatch.setattr(norms, "_norms", lambda *given: right(*given) * (np.arange(61) < 1))
    beaten = False
    for seed in range(4):
        found, _, made = begun(catalogue["rnn"], 0.5, seed=seed)
        beaten |= bool(np.any(away(found, catalogue["rnn"], made) > found.errors.whole))
    assert beaten


@pytest.mark.parametrize(("name", "gain"), CONTRACTING[:2])
def test_no_other_number_of_evaluations_costs_less(name: str, gain: float) -> None:
    """Over all of them, one after the other; and iterates may lie as far as it is proved."""
    found, run, _ = begun(catalogue[name], gain)
    none = np.zeros(60)
    apart = start.fed_places(run, step_curvature(run.derivation))
    costs = {}
    for evaluations in range(1, 60):
        now = evaluated(run)
        promise, _ = predicted(found.known, found.known.carried(now.missed(apart)), none,
                               Roundings(none, none), 1e-13)  # fmt: skip
        costs[evaluations] = evaluations + 7 * promise.steps if promise else math.inf
        if evaluations == found.evaluations:
            for name in run.states:
                np.testing.assert_array_equal(run.states[name], found.run.states[name])
        run = newton.replace(run, states=now.image)
    assert costs[found.evaluations] <= min(costs.values()) + 1  # κ is that of a wider box here
    assert found.within <= found.known.beyond
    assert found.known.holds_at(found.run.states)


def test_what_is_proved_holds_as_far_as_iterates_may_lie(monkeypatch) -> None:
    """Every box that is asked about is wider than the last error."""
    asked, right = [], start.contraction

    def seen(ranges, box, beyond, *rest):
        asked.append((beyond, made := right(ranges, box, beyond, *rest)))
        return made

    monkeypatch.setattr(start, "contraction", seen)
    found, _, _ = begun(catalogue["rnn"], 0.5)
    assert [beyond for beyond, _ in asked] == sorted({beyond for beyond, _ in asked})
    assert asked[0][0] == 0.0
    assert asked[-1][1] is found.known
    (narrow, wide) = (asked[0][1].box["h"], asked[-1][1].box["h"])
    assert np.all(wide.lo <= narrow.lo - found.within)
    assert np.all(wide.hi >= narrow.hi + found.within)


def test_what_is_proved_holds_as_far_as_is_promised() -> None:
    """Where inputs are nearly all, the guess is nearer than the tolerance; iterates need not be."""
    cell = Cell.parse(name="small", equations="h = tanh(w * h_prev + x)", sizes={"x": "n"})
    x = np.random.default_rng(0).uniform(size=(20, 1))
    found = newton.sweeps(derivation_of(cell), {"w": np.array([1e-15])}, {"x": x}, {}, {})
    assert found.predicted == 0
    assert found.start.within < 0.1 * found.within < found.start.known.beyond


def test_a_guess_outside_the_box_is_not_spoken_of() -> None:
    """It may have step Jacobians that are larger than any in the box."""
    found, _, _ = begun(catalogue["rnn"], 0.5)
    far = newton.replace(found.run, states={"h": found.run.states["h"] + 9.0})
    assert not found.known.holds_at(far.states)
    ranges = start.Ranges(Setting(far.derivation, far.parameters, far.sizes))
    with pytest.raises(start.NoContractionError, match="outside the box"):
        start._settled(ranges, found.known.box, step_curvature(far.derivation), far, found.known,
                       np.zeros(4, dtype=bool), 1e-13)  # fmt: skip


def test_without_a_rate_below_1_nothing_changes() -> None:
    for name, gain in (("rnn", 3.0), ("irnn", 0.1), ("gru", 1.0)):
        found, run, _ = begun(catalogue[name], gain)
        assert found.run is run
        assert (found.evaluations, found.known, found.within) == (1, None, None)
        assert found.reason


def test_evaluations_that_take_as_long_as_the_steps_do_are_not_made() -> None:
    """The context of scrn falls by 0.95 a step; of twenty steps nothing is spared."""
    found, run, _ = begun(catalogue["scrn"], 1.0, steps=20)
    assert found.run is run
    assert "of the step" in found.reason
    line = Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x", inputs=("x",))
    found, _, _ = begun(line, 1.0, steps=2)  # one iteration of two rounds: what there is at once
    assert found.evaluations == 1
    assert found.within is not None


def test_a_slow_pace_ends_the_evaluations(monkeypatch) -> None:
    """At twice the pace of the last ones a count would come too late."""
    made, right = [], start.evaluated
    monkeypatch.setattr(start, "evaluated", lambda run: made.append(1) or right(run))
    monkeypatch.setattr(start, "_by_products", lambda curvature, begin, tolerance: begin)
    found, _, _ = begun(catalogue["cornn"], 1.5, steps=300, size=16)
    assert found.evaluations == 1
    assert "after 32 evaluations" in found.reason or "after 48 evaluations" in found.reason
    assert len(made) <= 48


@pytest.mark.parametrize(("gain", "steps"), [(1.5, 150), (2.0, 200)])
def test_of_powers_of_two_none_costs_less(gain: float, steps: int) -> None:
    """Where products at the guess tell the count, by all of them."""
    found, run, _ = begun(catalogue["cornn"], gain, steps=steps, seed=0)
    curvature = step_curvature(run.derivation)
    iteration = 1 + math.ceil(math.log2(steps))
    costs = {}
    for evaluations in range(1, 257):
        if evaluations & (evaluations - 1) == 0:
            alone = iterated(run, curvature, 1e-13, beyond=False)[0].alone
            costs[evaluations] = evaluations + iteration * alone[0] if alone else math.inf
        if evaluations == found.evaluations:
            np.testing.assert_array_equal(run.states["y"], found.run.states["y"])
            assert alone == found.alone
        run = newton.replace(run, states=evaluated(run).image)
    assert found.alone is not None
    assert found.evaluations + iteration * found.alone[0] == min(costs.values()) < steps
    assert (found.known, found.within) == (None, None)
    assert "after 32 evaluations" in found.reason


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_of_a_few_steps_it_is_known_too(steps: int) -> None:
    found, _, _ = begun(catalogue["rnn"], 0.1, steps=steps)
    assert found.evaluations == 1
    assert found.within is not None or found.reason
