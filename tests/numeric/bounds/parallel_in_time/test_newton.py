"""Newton's iterates in fifty digits: what is certified of them holds, and is close."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from fifty_digit_states import exact
from known_cells import VECTORS
from profiles import by_day

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.bounds.parallel_in_time import distance, iterates, newton
from numeric.bounds.parallel_in_time.inverse import Inverse
from numeric.bounds.parallel_in_time.newton import sweeps
from numeric.meaning.sizes import usual_sizes

SMOOTH = [n for n in by_day(VECTORS, 9) if not step_curvature(derivation_of(catalogue[n])).kinks]


def errors(monkeypatch, cell, gain, steps=20, size=4, seed=1, **options):
    """Each iterate, with its true distance from the exact trajectory."""
    made = draw(cell, usual_sizes(cell, size, 3), gain, steps, seed, 1.0)
    return compared(monkeypatch, cell, made, **options)


def compared(monkeypatch, cell, made, **options):
    """The same, of these arrays."""
    true = exact(cell, made)
    seen = []
    known = newton.iterated

    def kept(run, *rest):
        seen.append(run.states)
        return known(run, *rest)

    monkeypatch.setattr(newton, "iterated", kept)
    found = sweeps(derivation_of(cell), made["parameters"], made["inputs"], {}, made["constants"],
                   **options)  # fmt: skip
    gaps = [math.sqrt(max(sum((((s[n][1:] - high) - low) ** 2).sum(axis=1)
                              for n, (high, low) in true.items()))) for s in seen]  # fmt: skip
    return found, [*zip(found.iterates, gaps, strict=True)]


@pytest.mark.by_default("clockwork_rnn", "qrnn", "antisymmetric_rnn", "cfn", "mgu")
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("gain", by_day([0.5, 1.0, 1.5], 3, 1))
def test_what_is_certified_holds_and_is_close(monkeypatch, name: str, gain: float) -> None:
    found, pairs = errors(monkeypatch, catalogue[name], gain)
    certified = [(one, gap) for one, gap in pairs if one.certified is not None]
    assert all(gap <= one.certified for one, gap in certified)
    if found.converged:
        last = certified[-1][0]  # at rounding, as the iterate is
        assert last.certified < 1e-13 * max(1.0, last.inverse)
    if found.converged and len(pairs) > 2:  # one step leaves nothing between the start and the end
        assert certified[0][0] is not pairs[-1][0]
        assert certified[0][0].certified <= 1.5 * certified[0][1]
        left = [one.remaining for one, _ in certified if one.remaining is not None]
        assert left == sorted(left, reverse=True)
        assert not left or len(pairs) - 1 <= len(pairs) - len(left) + left[0]


@pytest.mark.parametrize("part", ["inverse_norms", "lipschitz"])
def test_a_part_that_claims_too_little_is_shown_wrong(monkeypatch, part: str) -> None:
    """With K = 0 or L = 0 some iterate lies further away than is said."""
    low = {"inverse_norms": lambda given, *_: Inverse((np.zeros(len(given)),), (), 1),
           "lipschitz": lambda *given: np.zeros(given[4])}[part]  # fmt: skip
    monkeypatch.setattr(distance, part, low)
    beaten = []
    for seed in range(3):
        with monkeypatch.context() as inner:
            _, pairs = errors(inner, catalogue["rnn"], 1.8, seed=seed)
        beaten += [one for one, gap in pairs if one.certified is not None and gap > one.certified]
    assert beaten


LOOKING_BACK = Cell.parse(
    name="back", inputs=("x",), sizes={"last": "m"},
    equations="h = tanh(2*W @ (h_prev * tanh(V @ last_prev)) + h_prev * h_prev + U @ x)\nlast = x",
)  # fmt: skip


@pytest.mark.parametrize("name", ["qrnn", "t_gru"])
@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_a_line_whose_gates_look_one_input_back_is_certified_at_once(monkeypatch, name, gain):
    """What is nonlinear meets only the input before, which the guess has exactly."""
    found, pairs = errors(monkeypatch, catalogue[name], gain, steps=60)
    assert len(pairs) == 2
    assert found.predicted == 1
    assert found.foreseen == (0, 1)
    assert pairs[0][0].certified <= pairs[0][1] * (1 + 1e-9)
    for one, gap in pairs:
        assert gap <= one.certified
        assert one.adjoint is not None


def displaced(monkeypatch, by) -> None:
    """Guesses whose `last` is off by that, after each step."""
    known = newton._guess

    def off(run):
        run = known(run)
        last = run.states["last"].copy()
        last[1:] += by(last[1:].shape)
        return replace(run, states={**run.states, "last": last})

    monkeypatch.setattr(newton, "_guess", off)


@pytest.mark.parametrize("size", [1e-2, 1e-4])
@pytest.mark.parametrize("seed", range(2))
def test_an_input_before_that_is_off_counts(monkeypatch, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    displaced(monkeypatch, lambda shape: size * rng.normal(size=shape))
    found, pairs = errors(monkeypatch, LOOKING_BACK, 0.5, seed=seed, warm=False)
    assert found.converged
    assert sum(one.certified is not None for one, _ in pairs) > 1
    assert all(one.certified is None or gap <= one.certified for one, gap in pairs)


@pytest.mark.parametrize("part", ["fed", "own", None])
def test_either_part_of_the_form_is_needed(monkeypatch, part: str | None) -> None:
    """Squares add to every step here: without L^A, or L^B, some iterate is further away than said.

    Below the trajectory, and where `last` is less negative than x, each error exceeds its step.
    """
    terms = {"fed": "last_prev * last_prev", "own": "0.3 * h_prev * h_prev"}
    kept = list(terms.values()) if part is None else [terms[part]]
    cell = Cell.parse(name="squares", inputs=("x",), sizes={"x": "n", "last": "n"}, equations=(
        f"h = w * h_prev + 0.1 * last_prev + {' + '.join(kept)} + x * x\nlast = x\n"
    ))  # fmt: skip
    made = {"parameters": {"w": np.full(2, 0.25)}, "inputs": {"x": np.full((12, 2), -0.5)},
            "initial": {"h": np.zeros(2), "last": np.zeros(2)}, "constants": {}}  # fmt: skip
    speeds = distance._speeds

    def less(*given):
        made = speeds(*given)
        return replace(made, **{part: np.zeros_like(made.own)}) if part else made

    monkeypatch.setattr(distance, "_speeds", less)
    displaced(monkeypatch, lambda shape: np.full(shape, 0.1 * (part != "own")))
    _, pairs = compared(monkeypatch, cell, made, warm=False)
    wrong = [gap > one.certified for one, gap in pairs if one.certified is not None]
    assert wrong
    assert any(wrong) == (part is not None)


def swept(monkeypatch, gain: float, seed: int, *, chord: bool):
    """Newton's iterates of a tanh net, with or without the next residual."""
    cell = catalogue["rnn"]
    made = draw(cell, usual_sizes(cell, 8, 3), gain, 60, seed, 1.0)
    with monkeypatch.context() as inner:
        if not chord:
            inner.setattr(iterates, "_chord", lambda *_: None)
        return sweeps(derivation_of(cell), made["parameters"], made["inputs"], {}, {}, warm=False)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_the_next_residual_certifies_no_later_and_counts_closer(monkeypatch, seed: int) -> None:
    gained = 0
    for gain in (0.3, 1.0, 1.4):
        with_it, alone = (swept(monkeypatch, gain, seed, chord=given) for given in (True, False))
        taken = len(alone.iterates) - 1
        assert with_it.certified_at <= alone.certified_at
        assert taken <= with_it.foreseen[1] <= taken + 2
        assert with_it.foreseen[1] <= alone.foreseen[1]
        assert with_it.predicted == alone.predicted  # known before the next iterate is
        gained += alone.foreseen[1] - with_it.foreseen[1]
        for one, other in zip(with_it.iterates, alone.iterates, strict=True):
            assert other.certified is None or one.certified <= other.certified
    assert gained


@pytest.mark.parametrize("part", ["carried on", "the slope moves", None])
def test_what_the_next_residual_says_needs_both_parts(monkeypatch, part: str | None) -> None:
    """From below, by a convex step, each iterate stays below, and the slope grows on the way."""
    cell = Cell.parse(name="convex", inputs=("x",), sizes={"x": "n"},
                      equations="h = w * h_prev + 0.3 * h_prev * h_prev + x * x")  # fmt: skip
    made = {"parameters": {"w": np.full(2, 0.25)}, "inputs": {"x": np.full((12, 2), 0.6)},
            "initial": {"h": np.zeros(2)}, "constants": {}}  # fmt: skip
    chord = iterates._chord
    if part == "carried on":
        monkeypatch.setattr(iterates, "_chord", lambda *given: replace(
            (found := chord(*given)), lengths=0 * found.lengths))  # fmt: skip
    elif part is not None:
        monkeypatch.setattr(distance.Speeds, "share", lambda self, one: 0 * one.whole)
    _, pairs = compared(monkeypatch, cell, made, warm=False)
    wrong = [gap > one.certified for one, gap in pairs if one.certified is not None]
    assert len(wrong) > 2
    assert any(wrong) == (part is not None)


def test_an_explosion_ends_without_a_word_too_many() -> None:
    cell = Cell.parse(name="big", equations="h = W @ h_prev * h_prev + U @ x", inputs=("x",))
    weights = {"W": 1000 * np.eye(3), "U": 1000 * np.eye(3)}
    found = sweeps(derivation_of(cell), weights, {"x": np.ones((20, 3))}, {}, {}, most=8)
    assert not found.converged
    assert all(one.certified is None and one.reason for one in found.iterates)


def test_a_step_whose_square_overflows_is_finite() -> None:
    cell = Cell.parse(name="line", equations="h = W @ h_prev + x", sizes={"x": "n"})
    given = np.random.default_rng(0).normal(size=(3, 2)) * 1e200
    found = sweeps(derivation_of(cell), {"W": np.eye(2) / 2}, {"x": given}, {}, {})
    assert len(found.iterates) > 1
    assert 1e199 < found.iterates[0].step < 1e201
    assert 1e199 < found.iterates[0].residual < 1e201
    assert "finite" not in found.iterates[0].reason


def test_the_first_state_does_not_move() -> None:
    cell = catalogue["rnn"]
    made = draw(cell, usual_sizes(cell, 3, 2), 0.8, 6, 0, 1.0)
    start = made["initial"]["h"]
    found = sweeps(derivation_of(cell), made["parameters"], made["inputs"], {"h": start}, {})
    np.testing.assert_array_equal(found.states["h"][0], start)
    assert found.converged


def test_a_state_that_nothing_moves_is_guessed_at_every_step() -> None:
    """The state s = b ⊙ b is one column for all times."""
    cell = Cell.parse(name="still", equations="s = b * b\nh = tanh(0.5 * h_prev + s_prev + x)",
                      sizes={"s": "n", "h": "n", "x": "n"})  # fmt: skip
    found = sweeps(derivation_of(cell), {"b": np.array([1.0, 0.5])}, {"x": np.ones((6, 2))}, {}, {})
    assert found.converged
    np.testing.assert_array_equal(found.states["s"][1:], np.full((6, 2), [1.0, 0.25]))


@pytest.mark.parametrize(
    ("equations", "scalars"),
    [("h = tanh(concat(W @ h_prev, V @ x))", ()), ("h = 0.5 * h_prev + sum(U @ x)", ("h",))],
)
def test_a_state_of_a_sum_of_sizes_or_of_one_number_has_a_first_guess(equations, scalars) -> None:
    cell = Cell.parse(name="odd", equations=equations, scalars=scalars)
    made = draw(cell, usual_sizes(cell, 3, 2), 0.5, 6, 0, 1.0)
    found = sweeps(derivation_of(cell), made["parameters"], made["inputs"], made["initial"], {})
    assert found.converged


def test_more_entries_than_fit_are_refused() -> None:
    cell = catalogue["rnn"]
    made = draw(cell, usual_sizes(cell, 2000, 2), 0.8, 100, 0, 1.0)
    with pytest.raises(ValueError, match="expected at most"):
        sweeps(derivation_of(cell), made["parameters"], made["inputs"], {}, {})


@pytest.mark.long
def test_cotangents_carried_back_through_an_iterate(monkeypatch) -> None:
    """The share of the largest exact cotangent that is certified is not passed."""
    cell = catalogue["gru"]
    derivation = derivation_of(cell)
    made = draw(cell, usual_sizes(cell, 4, 3), 1.0, 12, 2, 1.0)
    given = made["parameters"], made["inputs"], {}, made["constants"]
    loss = np.random.default_rng(0).normal(size=(12, 4))
    last = newton.sweeps(derivation, *given)
    want = carried(derivation, given, last.states, loss)
    for most in range(1, len(last.iterates) - 1):
        found = newton.sweeps(derivation, *given, most=most)
        one = found.iterates[-1]
        if one.adjoint is None:
            continue
        states = newton.sweeps(derivation, *given, most=most - 1).states
        got = carried(derivation, given, states, loss)
        gap = np.linalg.norm(got - want, axis=1).max() / np.linalg.norm(want, axis=1).max()
        assert gap <= one.adjoint
        assert one.adjoint <= 1000 * gap + 1e-9


def carried(derivation, given, states, loss):
    """λ_t = J_{t+1}ᵀ λ_{t+1} + g_t at these states."""
    parameters, inputs, _, constants = given
    near = [*Jacobians(Run(derivation, parameters, inputs, states, constants)).backwards()][::-1]
    found = loss.copy()
    for t in range(len(loss) - 2, -1, -1):
        found[t] += near[t + 1].matrix.T @ found[t + 1]
    return found


def test_a_promise_begins_with_no_less_than_the_exact_residual(monkeypatch):
    """Of h = p h_prev + x the guess is x_t, and r_t = p x_{t−1}, small beside x_t."""
    cell, given = Cell.parse(name="small", equations="h = p * h_prev + x"), []

    def seen(known, first, rounded, granted, tolerance):
        given.append((known, first))
        return None, ""

    monkeypatch.setattr(newton, "predicted", seen)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        p, x = 1e-9 * rng.uniform(size=1), rng.uniform(size=(2, 1))  # no second evaluation pays
        sweeps(derivation_of(cell), {"p": p}, {"x": x}, {}, {})
        known, first = given[-1]
        exact = [Fraction(float(p[0])) * Fraction(float(value)) for value in (0.0, *x[:-1, 0])]
        for t, own in enumerate(exact):
            assert own <= Fraction(float(first.whole[t])) <= max(exact) * Fraction(101, 100)
        assert known.sums.rows() == pytest.approx(1.0, rel=1e-6)


def test_the_guess_may_be_left_as_it_is() -> None:
    """Not warm, it is of one evaluation; the count is that by the iterate's own step, if any."""
    cell = catalogue["rnn"]
    made = draw(cell, usual_sizes(cell, 4, 3), 0.5, 40, 0, 1.0)
    given = derivation_of(cell), made["parameters"], made["inputs"], {}, {}
    warm, cold = sweeps(*given), sweeps(*given, warm=False)
    assert (warm.evaluations > 1, cold.evaluations, cold.start.within) == (True, 1, None)
    assert warm.start.within < 0.01 * cold.iterates[0].step
    assert warm.iterates[0].residual < 0.01 * cold.iterates[0].residual
    np.testing.assert_allclose(warm.states["h"], cold.states["h"], atol=1e-13)


# what decides nothing for all inputs soon enough, and what is then tried
SLOW = [
    ("cornn", 1.5, 150, 0),
    ("cornn", 2.0, 200, 1),
    ("scrn", 1.0, 60, 2),
    ("cornn", 1.5, 120, 2),
]


def kept(pairs, found) -> list[bool]:
    """Whether the iterates after as many steps as were promised are as near as that."""
    return [gap <= found.within for _, gap in pairs[found.predicted :]]


@pytest.mark.by_default("cornn-1.5-150-0")
@pytest.mark.parametrize(("name", "gain", "steps", "seed"), SLOW)
def test_what_products_at_a_warm_guess_promise_is_kept(
    monkeypatch, name: str, gain: float, steps: int, seed: int
) -> None:
    found, pairs = errors(monkeypatch, catalogue[name], gain, steps, seed=seed, most=8)
    taken = len(found.iterates) - 1
    assert found.evaluations > 1
    assert (found.start.within, found.unpredicted) == (None, "")
    assert found.own
    assert found.start.alone == (found.predicted, found.within)
    assert taken <= found.predicted <= taken + 2
    assert all(kept(pairs, found))


def test_a_promise_of_products_that_is_not_kept_says_why(monkeypatch) -> None:
    """The guess told a count, and a later sweep rounded more than was granted for it."""
    monkeypatch.setattr(newton, "_granted", lambda found: False)
    found, _ = errors(monkeypatch, catalogue["cornn"], 1.0, 60, seed=3, most=8)
    assert (found.start.alone is None, found.predicted, found.own) == (False, None, False)
    assert found.unpredicted == "a sweep rounds more than twice what the first one does"


@pytest.mark.parametrize("part", ["speeds", "products"])
def test_a_promise_of_products_needs_each_of_its_parts(monkeypatch, part: str) -> None:
    """Of a slope that hardly moves, or of hardly any products, it is broken."""
    if part == "speeds":
        right = distance.speeds_over

        def slower(*given):
            found = right(*given)
            return distance.Speeds(1e-9 * found.fed, 1e-9 * found.own, 1e-9 * found.rest)

        monkeypatch.setattr(distance, "speeds_over", slower)
    else:
        single = Inverse((np.full(150, 1e-9),), (), 1)
        monkeypatch.setattr(distance, "inverse_norms", lambda *_: single)
    found, pairs = errors(monkeypatch, catalogue["cornn"], 1.5, 150, seed=0, most=8)
    assert found.predicted is not None
    assert not all(kept(pairs, found))


def test_of_the_count_over_a_box_and_that_of_the_guess_the_smaller_is_taken(monkeypatch) -> None:
    cell, known = catalogue["rnn"], newton.iterated
    made = draw(cell, usual_sizes(cell, 4, 3), 0.3, 40, 0, 1.0)

    def with_own(alone):
        monkeypatch.setattr(newton, "iterated", lambda *given: (
            replace((found := known(*given))[0], alone=alone), found[1]))  # fmt: skip
        return sweeps(derivation_of(cell), made["parameters"], made["inputs"], {}, {})

    box = with_own(None)
    assert box.predicted
    assert not box.own
    for alone in ((box.predicted + 1, 0.0), (box.predicted, box.within)):
        found = with_own(alone)
        assert (found.own, found.predicted, found.within) == (False, box.predicted, box.within)
    found = with_own((box.predicted - 1, 1.0))
    assert (found.own, found.predicted, found.within) == (True, box.predicted - 1, 1.0)


def test_a_first_step_that_is_not_finite_promises_nothing():
    begin = SimpleNamespace(known=object(), errors=object(), reason="")
    first = SimpleNamespace(granted=object(), step=math.inf)
    promise, reason = newton._promised(begin, first, 1e-13)
    assert promise is None
    assert "not finite" in str(reason)
