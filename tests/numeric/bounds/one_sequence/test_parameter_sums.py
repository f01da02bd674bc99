"""‖∂s_T/∂θ‖₂ along a sequence: against the emitted backward code, closed forms, and mutants."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from profiles import NIGHTLY, by_day
from trajectories import CELLS, path

from derive import Cell, differentiate
from derive.theorems.sentences import languages
from numeric.bounds.one_sequence import parameter_sums as source
from numeric.bounds.one_sequence.parameter_sums import ParameterNorm, parameter_norms
from numeric.bounds.one_sequence.step_jacobians import Jacobians, run
from numeric.bounds.sensitivity import Sensitivity, clipping
from numeric.bounds.step_shares import Factor
from numeric.compiler.kernel import compile_cell
from numeric.numbers.intervals import Interval
from numeric.numbers.matrices import Near
from reports.document.words import spoken


def by_the_emitted_code(found):
    """‖∂s_T/∂θ‖₂ by θ."""
    return {name: np.linalg.norm(value, 2) for name, value in emitted_rows(found).items()}


def largest_shares(found):
    """max_k ‖∂F_k/∂θ‖₂ by θ: of each step alone, from the state before it."""
    steps = [emitted_rows(found, first, first + 1) for first in range(found.steps)]
    return {name: max(np.linalg.norm(step[name], 2) for step in steps) for name in steps[0]}


def emitted_rows(found, first=0, last=None):
    """∂s_T/∂θ by θ, of these steps: a backward pass for each entry of the last state."""
    cell, steps = found.derivation.cell, (last or found.steps) - first
    kernel = compile_cell(cell)
    inputs = {name: value[first:last, None] for name, value in found.inputs.items()}
    initial = {name: value[first : first + 1] for name, value in found.states.items()}
    constants = {name: value[first:last] if name in cell.sequences else value
                 for name, value in found.constants.items()}  # fmt: skip
    _, tape = kernel.forward(found.parameters, inputs, initial, constants)
    rows = {symbol.name: [] for symbol in cell.parameters}
    for state in cell.states:
        width = found.states[state.name].shape[1]
        for unit in range(width):
            cotangent = np.zeros((steps, 1, width))
            cotangent[-1, 0, unit] = 1.0
            made = kernel.backward(found.parameters, tape, {state.name: cotangent})["params"]
            for name, value in made.items():
                rows[name].append(np.ravel(value))
    return {name: np.array(value) for name, value in rows.items()}


def test_the_times_are_of_what_a_step_gives_its_own_state():
    """Not of the largest summand of ∂s_T/∂θ, J_T ⋯ J_{k+1} before it: that one may be larger."""
    found = path("rnn", n=6, m=2, steps=10, gain=2.2)
    after = [emitted_rows(found, first)["b"] for first in range(found.steps)]
    after.append(0 * after[0])
    summands = [np.linalg.norm(one - rest, 2) for one, rest in pairwise(after)]
    whole = np.linalg.norm(after[0], 2)
    times = parameter_norms(found)["b"].amplification
    assert whole / max(summands) < 0.8 * times
    assert times <= whole / largest_shares(found)["b"] * (1 + 1e-9)
    for language in languages():
        said = spoken(language).texts
        assert not any(
            "share of a single" in said[key] or "单步最大份额" in said[key]
            for key in ("one_sequence.parameters", "one_sequence.ill", "bounds.ill")
        )


@pytest.mark.by_default("lru", "mlstm", "min_lstm", "lstm_niaf", "ligru", "gla", "unicornn")
@pytest.mark.parametrize("name", [*dict.fromkeys([*by_day(CELLS, 8, 3), "lru", "s5"])])
def test_the_norms_are_those_of_the_emitted_gradient(name):
    """Measured to nine digits, certified from both sides, whatever the parameter's form."""
    found = path(name, n=3, m=2, steps=7 if not NIGHTLY else 30, gain=0.8)
    if found.derivation.has_matrices:
        assert set(parameter_norms(found).values()) == {None}
        return
    want, own = by_the_emitted_code(found), largest_shares(found)
    roundabout = {equation.of.name for equation in found.derivation.parameters
                  if any(not term.each_step for term in equation.terms)}  # fmt: skip
    for symbol, norm in parameter_norms(found).items():
        assert norm is not None
        if not want[symbol]:
            assert (norm.lower, norm.amplification) == (-math.inf, 0.0)
            continue
        assert norm.amplification <= want[symbol] / own[symbol] * (1 + 1e-9)
        looser = 4 if symbol not in roundabout else 100  # sums of what cancels in part
        assert norm.amplification >= want[symbol] / own[symbol] / looser
        log = math.log10(want[symbol])
        assert norm.measured == pytest.approx(log, abs=1e-9)
        assert norm.lower - 1e-9 <= log <= norm.upper + 1e-9
        assert norm.upper - norm.lower < 1e-6


def linear(decay, inputs):
    """H = λ h + x, one number."""
    cell = Cell.parse(name="leak", equations="h = lam * h_prev + x", scalars=["lam"])
    return run(differentiate(cell), {"lam": np.array(decay)}, {"x": np.array(inputs)[:, None]})


@pytest.mark.long
@pytest.mark.parametrize(("decay", "steps"), by_day([(0.5, 22), (0.9, 120)], 2))
def test_white_inputs_give_the_closed_form(decay, steps):
    """E (∂h/∂λ)² = (1 + λ²) / (1 − λ²)³ for white inputs of variance 1, to three digits and more.

    ∂h_T/∂λ is linear in the inputs, so its variance is the sum of its squares at unit inputs.
    """
    low = high = 0.0
    for place in range(steps):
        norm = parameter_norms(linear(decay, np.eye(steps)[place]))["lam"]
        low += 10 ** (2 * norm.lower)
        high += 10 ** (2 * norm.upper)
    want = (1 + decay**2) / (1 - decay**2) ** 3
    assert low <= want * (1 + 1e-4)
    assert high == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("decay", by_day([0.9, 0.99], 2))
def test_stable_states_with_parameters_that_are_ill_conditioned(decay):
    """The state forgets, and one parameter's share adds up to 1/(1 − λ) of them."""
    norm = parameter_norms(linear(decay, np.ones(round(8 / (1 - decay)))))["lam"]
    assert norm.amplification == pytest.approx(1 / (1 - decay), rel=0.02)


def test_errors_of_the_jacobians_are_carried(monkeypatch):
    """Jacobians wrong by as much as they say they may be: the truth stays within the bounds."""
    found = path("rnn", n=3, m=2, steps=6)
    true = parameter_norms(found)
    moved = np.random.default_rng(0).normal(size=(3, 3))
    moved *= 1e-3 / np.linalg.norm(moved, 2)
    kept = Jacobians.backwards

    def shaken(self, steps=None):
        for factor in kept(self, steps):
            yield Near(factor.matrix + moved, factor.error + 1e-3)

    monkeypatch.setattr(Jacobians, "backwards", shaken)
    for name, norm in parameter_norms(found).items():
        assert norm.lower <= true[name].measured <= norm.upper
        assert norm.measured != pytest.approx(true[name].measured, abs=1e-7)
    known = source._Later
    monkeypatch.setattr(source, "_Later", lambda product: known(
        None if product is None else replace(product, error=0.0)))  # fmt: skip
    seen = parameter_norms(found)
    assert not all(norm.lower <= true[name].measured <= norm.upper for name, norm in seen.items())


def test_a_sum_without_its_past_is_seen(monkeypatch):
    """The mutant that adds the last step alone is smaller than the emitted gradient."""
    found = path("rnn", n=3, m=2, steps=6)
    want = by_the_emitted_code(found)
    kept = source._Sum.add
    monkeypatch.setattr(source._Sum, "add", lambda self, later, shares:
                        kept(self, later, shares) if later.matrix is None else None)  # fmt: skip
    assert 0 < 10 ** parameter_norms(found)["W"].upper < 0.9 * want["W"]


def test_an_array_too_large_has_no_norm(monkeypatch):
    monkeypatch.setattr(source, "_LARGEST", 10)
    found = parameter_norms(path("rnn", n=3, m=2, steps=3))
    assert found["W"] is None
    assert found["b"] is not None
    monkeypatch.setattr(source, "_LONGEST", 8)
    assert set(parameter_norms(path("rnn", n=3, m=2, steps=3)).values()) == {None}


def test_the_sum_in_pieces_is_the_sum(monkeypatch):
    found = path("rnn", n=3, m=2, steps=7)
    whole = parameter_norms(found)["W"]
    monkeypatch.setattr(source, "_CHUNK", 2)
    pieces = parameter_norms(found)["W"]
    assert pieces.measured == pytest.approx(whole.measured, abs=1e-12)
    assert pieces.lower <= whole.measured <= pieces.upper


@pytest.mark.parametrize("name", ["lru", "slstm"])
def test_of_a_cell_with_outputs_or_a_choice_of_two(name):
    """A parameter that only the output sees moves no state."""
    found = path(name, n=3, m=2, steps=4)
    want = by_the_emitted_code(found)
    norms = parameter_norms(found)
    for symbol, true in want.items():
        if true:
            log = math.log10(true)
            assert norms[symbol].lower - 1e-9 <= log <= norms[symbol].upper + 1e-9
        else:
            assert norms[symbol] is None or norms[symbol].lower == -math.inf
    assert any(want.values())


NORMED = ("h = w * h_prev + sqrt(1 - w * w) * x", lambda k: k, lambda k: 1 / (1 - k**2) ** 2)
LOGS = (
    "d = exp(-exp(w))\nh = d * h_prev + sqrt(1 - d * d) * x", lambda k: math.log(-math.log(k)),
    lambda k: (k * math.log(k) / (1 - k**2)) ** 2,
)  # fmt: skip


@pytest.mark.by_default("form0")
@pytest.mark.parametrize("decay", [0.5, *[0.9] * NIGHTLY])
@pytest.mark.parametrize("form", [NORMED, LOGS])
def test_normed_inputs_and_the_logarithm_of_the_decay_cure_it(form, decay) -> None:
    """Inputs normed by √(1 − λ²) leave 1/(1 − λ²)²; by w with λ = exp(−e^w) it is below ¼."""
    equations, parameter, closed = form
    derivation = differentiate(Cell.parse(name="one", equations=equations, inputs=("x",)))
    above = below = 0.0
    for lag in range(20 if decay == 0.5 else 150):
        x = np.zeros((lag + 1, 1))
        x[0] = 1.0
        found = parameter_norms(run(derivation, {"w": np.array([parameter(decay)])}, {"x": x}))
        above += 10 ** (2 * found["w"].upper)
        below += 10 ** (2 * found["w"].lower)
    assert below == pytest.approx(closed(decay), rel=1e-6)
    assert above == pytest.approx(closed(decay), rel=1e-6)
    assert below < above
    assert LOGS[2](0.999999) < 0.25 < NORMED[2](0.999)


def test_what_a_gradient_over_so_many_steps_leaves_out() -> None:
    """Σ_{l ≥ K} λ^l h_{T−l−1} with h_t = 2 (1 − 2^−t); nothing beyond all steps."""
    found = linear(0.5, [1.0] * 12)
    for after in (0, 1, 4, 12):
        norm = parameter_norms(found, after)["lam"]
        want = sum(0.5**lag * 2 * (1 - 0.5 ** (11 - lag)) for lag in range(after, 12))
        if want == 0:
            assert norm.upper < -200
        else:
            assert norm.lower <= math.log10(want) + 1e-12
            assert math.log10(want) <= norm.upper + 1e-12
            assert norm.upper - norm.lower < 1e-9


@pytest.mark.parametrize("name", by_day(["rnn", "lstm", "gru"], 3, 1))
@pytest.mark.parametrize("threshold", [1e-3, 0.5, 4.0, 1e3])
def test_what_clipping_takes_from_the_gradients(name: str, threshold: float) -> None:
    """Of no loss on the last state more than is said; of one, its worst, at least what is said."""
    found = path(name, n=3, m=2, steps=7, gain=1.2)
    norms = {key: Sensitivity(norm, None) for key, norm in parameter_norms(found).items()}
    taken = clipping(norms, threshold)
    assert taken is not None
    rows = np.hstack([*emitted_rows(found).values()])
    rng = np.random.default_rng(3)
    losses = [*np.linalg.svd(rows)[0].T, *rng.normal(size=(20, len(rows)))]
    lost = [max(0.0, np.linalg.norm(g @ rows) / np.linalg.norm(g) - threshold) for g in losses]
    assert taken.least <= max(lost) * (1 + 1e-9) <= taken.most * (1 + 2e-9)
    alone = max(np.linalg.norm(value, 2) for value in emitted_rows(found).values())
    assert taken.least == pytest.approx(max(0.0, alone - threshold), abs=1e-6)
    assert taken.most <= max(0.0, math.sqrt(len(norms)) * alone - threshold) * (1 + 1e-9)


def test_what_clipping_takes_is_not_known_without_every_norm() -> None:
    some = parameter_norms(path("rnn", n=2, m=2, steps=3, gain=1.0))
    norms = {key: Sensitivity(norm, None) for key, norm in some.items()}
    assert clipping(norms | {"W": Sensitivity(None, 0.0)}, 1.0) is None
    nothing = ParameterNorm(-math.inf, -math.inf, -math.inf, -math.inf)
    silent = clipping(dict.fromkeys(norms, Sensitivity(nothing, None)), 1.0)
    assert silent is not None
    assert silent.most == 0.0
    assert silent.to_dict()["log10_upper"] is None
    huge = clipping(dict.fromkeys(norms, Sensitivity(ParameterNorm(*[400.0] * 4), None)), 1.0)
    assert huge is not None
    assert math.isfinite(huge.least)
    assert huge.to_dict()["taken_at_most"] is None


@pytest.mark.parametrize("part", ["columns", "row"])
def test_errors_of_the_shares_are_carried(monkeypatch, part):
    """Columns or rows that are off by as much as their ranges say: the truth stays within."""
    found = path("rnn", n=3, m=2, steps=6)
    true, known = parameter_norms(found), source.step_shares

    def shaken(*given):
        for shares in known(*given):
            yield {symbol: [replace(share, **{part: off(getattr(share, part))}) for share in held]
                   for symbol, held in shares.items()}  # fmt: skip

    def off(factor):
        lo, hi = factor.ranges.lo, factor.ranges.hi
        return Factor.of(Interval(lo, hi + 2e-3)).part(slice(None), factor.starts)

    monkeypatch.setattr(source, "step_shares", shaken)
    for name, norm in parameter_norms(found).items():
        assert norm.lower <= true[name].measured <= norm.upper
        assert norm.measured != pytest.approx(true[name].measured, abs=1e-7)
    monkeypatch.setattr(Factor, "spread", 0.0)
    seen = parameter_norms(found)
    assert not all(norm.lower <= true[name].measured <= norm.upper for name, norm in seen.items())
