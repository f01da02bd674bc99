"""The bound step after step, against its own formula; and what it says where it says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.parallel_in_time import distance
from numeric.bounds.parallel_in_time.distance import (
    Chord,
    Errors,
    Roundings,
    Speeds,
    Step,
    UnprovedError,
    _Majorants,
    _majorants,
    _remaining,
    prove,
)
from numeric.bounds.parallel_in_time.inverse import inverse_norms
from numeric.meaning.sizes import usual_sizes

STEPS = 31


def recursion(factors, direct, off, linear, square):
    """E_t by the formula, of scalar steps."""
    found = np.zeros(STEPS + 1)
    for t in range(STEPS):
        total = direct[t]
        for k in range(t + 1):
            more = off[k] + linear[k] * found[k] + square[k] * found[k] ** 2
            total += np.prod(factors[k + 1 : t + 1]) * more
        found[t + 1] = total
    return found[1:]


@pytest.mark.parametrize("window", [1, 4, 30])
@pytest.mark.parametrize("strides", [1, 3, 40])
def test_the_majorant_is_its_formula(window: int, strides: int) -> None:
    rng = np.random.default_rng(window)
    factors = rng.uniform(0.4, 1.1, STEPS)
    given = [rng.uniform(0, size, STEPS) for size in (0.1, 0.05, 0.2, 0.3)]
    inverse = inverse_norms(factors[:, None, None], np.zeros(STEPS), window, strides)
    found = inverse.majorant(*given)
    np.testing.assert_allclose(found, recursion(factors, *given), rtol=1e-12)
    assert np.all(found >= recursion(factors, *given) * (1 - 1e-15))
    for k in range(4):  # each part counts
        less = [part * (j != k) for j, part in enumerate(given)]
        assert np.all(recursion(factors, *less)[2:] < found[2:])


def of(cell: Cell, lengths, gain: float = 0.5, rounded: float = 0.0, off: float = 0.0):
    """The proof for a trajectory that is exact, with steps as long as asked for."""
    made = draw(cell, usual_sizes(cell, 1, 1), gain, STEPS, 0, 1.0)
    found = run(derivation_of(cell), made["parameters"], made["inputs"], None, made["constants"])
    flat = np.full((STEPS, 1, 1), 0.5), np.zeros(STEPS)
    lost = np.full(STEPS, rounded)
    granted = Roundings(lost, 0 * lost)
    blurred = np.full(STEPS, off)
    step = Step(np.asarray(lengths), blurred, *flat, lost, granted, 0 * lost, 0 * lost)
    return prove(found, step_curvature(found.derivation), step, 1e-13)


def test_a_cell_with_a_kink_and_a_long_step_have_no_proof() -> None:
    with pytest.raises(UnprovedError, match="kink"):
        of(catalogue["irnn"], np.full(STEPS, 1e-6))
    with pytest.raises(UnprovedError, match="exceeds twice the step"):
        of(catalogue["rnn"], np.full(STEPS, 50.0), gain=3.0)


@pytest.mark.parametrize("name", ["rnn", "line"])
@np.errstate(invalid="ignore")
def test_an_infinite_bound_is_no_proof(name: str) -> None:
    """Where what a step rounds is unbounded, so is twice the step."""
    line = Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x", inputs=("x",))
    with pytest.raises(UnprovedError, match="exceeds twice the step"):
        of(line if name == "line" else catalogue[name], np.full(STEPS, 1e-3), off=np.inf)


def test_the_steps_left_are_those_of_halving_the_exponent() -> None:
    """From 1e-3 with curvature near 1 two or three squarings fall below 1e-13; a line needs one."""
    assert of(catalogue["rnn"], np.full(STEPS, 1e-3)).remaining in (2, 3)
    assert of(catalogue["rnn"], np.full(STEPS, 1e-14)).remaining == 0
    line = Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x", inputs=("x",))
    assert of(line, np.full(STEPS, 1e3)).remaining == 1


def test_what_a_sweep_rounds_is_added_to_what_is_left() -> None:
    """Sums of products of ½ are at most 2: roundings of 6e-14 add up to 1.2e-13, little more."""
    line = Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x", inputs=("x",))
    for cell, steps in ((catalogue["rnn"], (2, 3)), (line, (1,))):
        found = of(cell, np.full(STEPS, 1e-3), rounded=6e-14)
        assert found.remaining in steps
        assert 2.2e-13 < found.within < 2.4e-13
    assert of(line, np.full(STEPS, 1e-14), rounded=6e-14).remaining == 0


def test_a_late_long_step_is_certified_where_one_constant_for_all_times_would_not_be() -> None:
    """The bound knows when: K L η is above ½ here, yet what comes last has nothing to grow in."""
    lengths = np.full(STEPS, 1e-6)
    lengths[-1] = 30.0
    proof = of(catalogue["rnn"], lengths, gain=1.0)
    assert proof.inverse * proof.lipschitz * 30.0 > 0.5
    assert proof.profile[-1] <= 30.0 * (1 + 1e-9)
    assert np.all(proof.profile[:-1] < 1.1e-6 * 2)


def test_slopes_are_bounded_as_far_as_later_iterates_may_lie(monkeypatch) -> None:
    """An iterate nearer than what is promised may be left by all that is promised."""
    asked, speeds = [], distance._speeds

    def seen(found, curvature, radius):
        asked.append(radius)
        return speeds(found, curvature, radius)

    monkeypatch.setattr(distance, "_speeds", seen)
    for rounded in (0.0, 1e-12):
        asked.clear()
        proof = of(catalogue["rnn"], np.full(STEPS, 1e-20), rounded=rounded)
        assert proof.remaining == 0
        assert proof.within >= 1e-13 + 2 * rounded
        assert max(asked) >= proof.profile.max() + proof.within


def test_what_inputs_alone_make_counts_with_what_the_last_sweep_rounded() -> None:
    """The iterate that is near enough has a share of the long step in A, and the next one moves."""
    far, none = np.full(STEPS, 1e-3), np.zeros(STEPS)
    lost = 0.9e-13  # of a step that long
    bent = np.full(STEPS, 0.33 / lost)
    inverse = inverse_norms(np.zeros((STEPS, 1, 1)), none, 4, 1)
    step = Step(far, none, np.zeros((STEPS, 1, 1)), none, np.full(STEPS, lost),
                Roundings(none, np.full(STEPS, lost / 1e-3)), none, none)  # fmt: skip
    known = _Majorants(far, np.full(STEPS, np.inf), far)
    first, later = lost, 2 * lost * lost / 1e-3  # what the first and the second sweep round
    second = bent[0] * (first * lost + (1e-3 + lost) * later) / (1 - bent[0] * first)
    assert second > 1.1e-13
    steps, within = _remaining(inverse, step, known, Speeds(bent, none, none), 1e-13, 1.0)
    assert steps is None or second <= within
    steps, _ = _remaining(inverse, step, known, Speeds(bent / 9, none, none), 1e-13, 1.0)
    assert steps == 1


def test_what_inputs_alone_make_passes_its_roundings_on_for_one_step() -> None:
    """Of h = ½ h_prev + 8 last_prev: to o_t comes 8 o_{t−1}, and its cotangent is 8 that of h."""
    lost = np.random.default_rng(0).uniform(size=STEPS) * 1e-9
    none = np.zeros(STEPS)
    step = Step(none, none, np.zeros((STEPS, 1, 1)), none, lost, Roundings(lost, none), none,
                np.full(STEPS, 8.0))  # fmt: skip
    want = lost + 8 * np.append(0.0, lost[:-1])
    assert np.all(want <= step.reaching(lost))
    np.testing.assert_allclose(step.reaching(lost), want, rtol=1e-14)


def test_the_bilinear_form_of_states_that_meet_and_that_do_not() -> None:
    """Vectors of lengths within the bounds, none of which beats β; without A it is L ‖e‖ ‖e′‖."""
    rng = np.random.default_rng(0)
    of = Speeds(*rng.uniform(0.1, 2.0, (3, STEPS)))
    one, other = (Errors(*np.sort(rng.uniform(size=(2, STEPS)), axis=0)) for _ in range(2))
    a, b = (np.stack(errors.before()) for errors in (one, other))
    want = of.fed * (a[0] * b[1] + a[1] * b[0]) + of.own * a[1] * b[1]
    np.testing.assert_allclose(of.bent(one, other), want, rtol=1e-13)
    np.testing.assert_allclose(of.bent(other, one), want, rtol=1e-13)
    kept = Errors(np.zeros(STEPS), other.whole)
    np.testing.assert_allclose(of.bent(one, kept), of.share(one) * b[1], rtol=1e-13)
    np.testing.assert_allclose(of.turned(one), of.fed * a[0] + of.rest * a[1], rtol=1e-13)
    assert np.all(of.bent(one, other) >= want)
    assert of.largest >= np.hypot(of.fed, of.rest).max()


@pytest.mark.parametrize("fed", [0.0, 1.0])
def test_both_sums_are_their_formulas(fed: float) -> None:
    """E_t by the step, E_t⁺ by the next residual; no E_t⁺ where the way there leaves the ball."""
    rng = np.random.default_rng(1)
    factors = rng.uniform(0.4, 1.1, STEPS)
    d, c, w, o, p, A, r, q = rng.uniform(0.0, 0.05, (8, STEPS))
    own, by = rng.uniform(0.1, 0.4, (2, STEPS))
    A, r, q, passed = fed * A, fed * r, fed * q, 8 * fed * rng.uniform(size=STEPS)
    speeds = Speeds(fed * by, own, own)
    step = Step(d, o, factors[:, None, None], 0 * d, o, Roundings(o, 0 * o), r, passed,
                Chord(Errors(A, c), w, p, q))  # fmt: skip
    found = _majorants(inverse_norms(factors[:, None, None], 0 * d, 4, 40), speeds, step, 1.0)
    before = [np.append(0.0, part[:-1]) for part in (A, c, o, p, r, q)]
    A, c_before, o_before, p_before, r, q = before
    alone = recursion(factors, d, o + passed * o_before, fed * by * r, own / 2)
    np.testing.assert_allclose(found.own, alone, rtol=1e-12)
    after = recursion(factors, w, p + passed * p_before + fed * by * c_before * q,
                      fed * by * (A + q) + own * c_before, own / 2)  # fmt: skip
    np.testing.assert_allclose(found.after, after, rtol=1e-12)
    np.testing.assert_allclose(found.smaller, np.minimum(alone, c + after), rtol=1e-12)
    far = _majorants(inverse_norms(factors[:, None, None], 0 * d, 4, 40), speeds, step, 0.01)
    assert np.all(np.isinf(far.after))
    np.testing.assert_array_equal(far.smaller, far.own)
