"""Every certified bound beside sixty digits that share nothing with it; old faults are seen."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import NIGHTLY

from derive import Cell, catalogue, differentiate
from numeric.bounds import growth
from numeric.bounds.all_inputs import certify as a_priori
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.one_sequence import parameter_sums
from numeric.strategies import cells

PATH = Path(__file__).parents[3] / "benchmarks" / "violations.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_violations", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


violations = loaded()
NAMES = [*catalogue, *violations.ODD]


@pytest.mark.long
@settings(max_examples=20_000 if NIGHTLY else 4)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 10**6))
def test_no_bound_fails_beside_sixty_digits(name, seed):
    count = Counter()
    assert violations.check(violations.cells([name])[name], seed, count, 1) == []
    assert count


@settings(max_examples=2000 if NIGHTLY else 1)
@given(cell=cells(), seed=st.integers(0, 10**6))
def test_no_bound_of_a_drawn_cell_fails(cell, seed):
    assert violations.check(cell, seed, Counter(), 1) == []


def test_the_oracles_jacobian_is_the_difference_quotient():
    sixty = sys.modules["sixty_digits"]
    for name in ("lstm", "share", "pair", "ratio", "antisymmetric_rnn"):
        cell = violations.cells([name])[name]
        found = next(
            net for net, _ in (violations.net(cell, seed) for seed in range(99))
            if all(1e-9 < np.abs(v).max() < 99 for v in net.parameters.values())
        )  # fmt: skip
        made = sixty.Steps.of(cell, found.sizes, found.parameters, found.constants)
        inputs, state = violations.sequence(found, 1, 1)
        _, jacobian = made.step(0, state, inputs)
        small, column = sixty.MP.mpf(10) ** -20, 0
        for own in cell.states:
            for k in range(len(state[own.name])):
                ends = []
                for sign in (1, -1):
                    moved = {
                        key: [sixty.MP.mpf(v) for v in values] for key, values in state.items()
                    }
                    moved[own.name][k] += sign * small
                    after, _ = made.step(0, moved, inputs)
                    ends.append([v for symbol in cell.states for v in after[symbol.name]])
                for row, (high, low) in enumerate(zip(*ends, strict=True)):
                    off = abs((high - low) / (2 * small) - jacobian[row][column])
                    assert off <= abs(jacobian[row][column]) * 1e-15 + 1e-30
                column += 1


def test_norms_from_both_sides_meet():
    sixty = sys.modules["sixty_digits"]
    A = np.random.default_rng(0).normal(size=(4, 4))
    exact = [[sixty.MP.mpf(float(x)) for x in row] for row in A]
    low, high = violations.norm_below(exact), violations.norm_above(exact)
    assert low <= high <= low * (1 + 1e-6)
    assert float(low) == pytest.approx(np.linalg.norm(A, 2), rel=1e-12)


# ---- old faults, put back ---------------------------------------------------------------------


def failures(found, steps, seeds=(0, 1, 2)):
    certificate = a_priori.certify(found, steps, steps=steps)
    return [
        failed
        for seed in seeds
        for failed in violations.exact_sequence(found, certificate, steps, seed, Counter())
    ]


def square():
    cell = Cell.parse(name="square", equations="h = 0.05*h_prev*h_prev + u*x", sizes={"x": "n"})
    return Setting(differentiate(cell), {"u": np.ones(1)}, {"n": 1}, (0.0, 0.0), (0.0, 10.0))


def test_bounds_at_the_last_step_alone_are_seen(monkeypatch):
    def last(matrices, lags, norm, width, *, around=False):
        return growth.chain(list(reversed(matrices))[:lags], norm, width)

    assert not failures(square(), 6)
    monkeypatch.setattr(a_priori, "chains", last)
    assert failures(square(), 6)


def test_a_period_that_does_not_divide_is_seen(monkeypatch):
    cell = Cell.parse(name="timed", equations="h = k * tanh(W @ h_prev + U @ x)",
                      constants=("k[t]",))  # fmt: skip
    k = np.array([4, 0.2, 4, 0.2, 4]).reshape(-1, 1)
    found = Setting(differentiate(cell), {"W": np.ones((1, 1)), "U": np.zeros((1, 1))},
                    {"n": 1, "m": 1}, (0.0, 0.0), (0.0, 0.0), {"k": k})  # fmt: skip
    many = {"k": np.tile(k, (3, 1))}
    endless = Setting(found.derivation, found.parameters, found.sizes, (0.0, 0.0), (0.0, 0.0), many)

    def grows(certificate):
        """Whether the rate is below the growth of the constants over and over again."""
        case = list(violations.products(jacobians(endless, 15), 15))[-1]
        return case.above(15 * math.log10(certificate.rate) + 1e-9)

    assert not grows(a_priori.certify(found, 5))
    monkeypatch.setattr(a_priori, "period_of", lambda setting, steps: 2)
    assert grows(a_priori.certify(found, 5))


def jacobians(found, steps):
    sixty = sys.modules["sixty_digits"]
    made = sixty.Steps.of(found.derivation.cell, found.sizes, found.parameters, found.constants)
    inputs, state = violations.sequence(found, steps, 0)
    held = []
    for t in range(steps):
        state, jacobian = made.step(t, state, inputs)
        held.append(jacobian)
    return held


def test_no_norm_fails_where_squares_underflow():
    """Matrices are scaled before their norms are taken; `test_matrices` has the old fault."""
    weights = {"W": np.full((2, 2), 1e-170), "U": np.zeros((2, 1)), "b": np.zeros(2)}
    found = Setting(differentiate(catalogue["rnn"]), weights, {"n": 2, "m": 1})
    certificate = a_priori.certify(found, 2, steps=2)
    assert not violations.stored_states(found, certificate, 2, 0, Counter())
    assert not failures(found, 2)


def test_a_sum_over_steps_that_leaves_some_out_is_seen(monkeypatch):
    """Norms of parameters whose first steps are not added, and half the rate."""
    weights = {"W": np.array([[0.5, 0.2], [-0.2, 0.5]]), "U": np.full((2, 1), 0.1),
               "b": np.zeros(2)}  # fmt: skip
    found = Setting(differentiate(catalogue["rnn"]), weights, {"n": 2, "m": 1})
    certificate = a_priori.certify(found, 4, steps=4)
    assert not violations.stored_states(found, certificate, 4, 0, Counter())
    low = replace(certificate.scaled, rate=0.5 * certificate.scaled.rate)
    wrong = replace(certificate, scaled=low)
    assert violations.exact_sequence(found, wrong, 4, 0, Counter())
    kept = parameter_sums._Sum.add
    monkeypatch.setattr(parameter_sums._Sum, "add", lambda self, product, shares:
                        kept(self, product, shares) if product is None else None)  # fmt: skip
    assert violations.stored_states(found, certificate, 4, 0, Counter())


def test_terms_kept_once_are_seen():
    """A step Jacobian of I for h_prev + h_prev: the measured side has to be made on its own."""
    cell = Cell.parse(name="twice", equations="h = h_prev + h_prev + 0 * (U @ x)")
    wrong = Cell.parse(name="once", equations="h = h_prev + 0 * (U @ x)")
    weights = {"U": np.zeros((1, 1))}
    certificate = a_priori.certify(
        Setting(differentiate(wrong), weights, {"n": 1, "m": 1}), 3, steps=3
    )
    found = Setting(differentiate(cell), weights, {"n": 1, "m": 1})
    assert violations.exact_sequence(found, certificate, 3, 0, Counter())
