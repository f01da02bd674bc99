"""Weighted means and clocks: which updates are such, and their rates on real products."""

from __future__ import annotations

import numpy as np
import pytest
from on_paths import SEEDS, Numbers, derived, walk
from profiles import by_day
from sympy import lambdify

from derive import Cell, catalogue, differentiate
from derive.language.norms import Extreme
from derive.theorems.clockwork import clock_rate, find_clock
from derive.theorems.convex_update import find_update, weighted_mean
from derive.theorems.sentences import sentences
from derive.typeset.layout import Layout
from derive.typeset.text import Text

MEANS = [n for n in by_day(catalogue, 3) if find_update(derived(n))]


def rate_of(path):
    """Min over units of w_min (1 − K − (1 − w_min) A), from the printed A and K."""
    found, claim = find_update(path.derivation), weighted_mean(path.derivation)
    numbers = Numbers(path, claim.entries)
    steps = range(len(path.values))
    low = np.min([numbers.matrix(found.weight, k) for k in steps], axis=0)
    named = {str(r.left): r.right for r in claim.entries}
    A = numbers.vector(named["A"]) if "A" in named else 0 * low
    K = numbers.vector(named["K"]) if "K" in named else 0 * low
    return low, 1 - (low * (1 - K - (1 - low) * A)).min(), bool(np.all(K + (1 - low) * A < 1))


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_row_sums_decay_at_the_rate(name, seed):
    path = walk(name, seed, gain=0.15, steps=6)
    low, rate, holds = rate_of(path)
    assert low.min() > 0
    for k in range(6):
        norm = np.abs(path.product(6, k)).sum(axis=1).max()
        if holds:
            assert rate < 1
            assert norm <= rate ** (6 - k) * (1 + 1e-9)


@pytest.mark.parametrize("name", ["gru", "gru_reset_after", "mut1", "minimal_rnn", "t_rnn"])
def test_the_printed_rate_is_that_number(name):
    path = walk(name, 1, gain=0.15, steps=4)
    claim, (low, rate, _) = weighted_mean(path.derivation), rate_of(path)
    (least,) = claim.entries[0].right.atoms(Extreme)
    numbers = Numbers(path, claim.entries)
    named = {str(r.left): r.right for r in claim.entries}
    arrays = {"w_min_i": low}
    arrays |= {f"{k}_i": numbers.vector(named[k]) for k in ("A", "K") if k in named}
    letters = sorted(least.args[2].free_symbols, key=str)
    body = lambdify(letters, least.args[2], "numpy")(*(arrays[str(k)] for k in letters))
    assert str(claim.entries[0].right.subs(least, 0)) == "1"
    assert 1 - np.min(body) == pytest.approx(rate, rel=1e-12)


def test_the_condition_holds_for_small_weights_and_fails_for_large_ones():
    assert rate_of(walk("gru", 0, gain=0.05))[2]
    assert not rate_of(walk("gru", 0, gain=5.0))[2]


@pytest.mark.parametrize(("equations", "found"), [
    ("z = sigmoid(V @ x)\nh = z * h_prev + (1 - z) * tanh(W @ h_prev)", True),
    ("z = sigmoid(V @ x)\nh = tanh(W @ h_prev) * (1 - z) + h_prev * z", True),
    ("z = tanh(V @ x)\nh = z * h_prev + (1 - z) * tanh(W @ h_prev)", False),
    ("z = sigmoid(V @ x)\nh = z * h_prev + z * tanh(W @ h_prev)", False),
    ("z = sigmoid(V @ x)\nh = z * h_prev + (1 - z) * tanh(W @ h_prev) + h_prev", False),
])  # fmt: skip
def test_which_updates_are_weighted_means(equations, found):
    derivation = differentiate(Cell.parse(name="c", equations=equations))
    assert (find_update(derivation) is not None) == found


def test_the_clock_is_found_by_its_equation():
    assert [n for n in catalogue if find_clock(derived(n))] == ["clockwork_rnn"]
    learned = "h = k * tanh(W @ h_prev + U @ x) + (1 - k) * h_prev"
    assert find_clock(differentiate(Cell.parse(name="c", equations=learned))) is None
    given = Cell.parse(name="c", equations=learned, constants=["k[t]"])
    assert find_clock(differentiate(given)).function == "tanh"
    slot = clock_rate(differentiate(given)).statement[0].slots[0]
    assert Text()(Layout().of(slot.right)) == "max_i (γ ‖W_ii‖₂)^{1/T_i}"


def test_the_clockwork_decays_at_the_rate_of_its_slowest_module():
    """Four units in modules of one, periods 1, 2, 4, 8; blocks beside the diagonal are large."""
    rng = np.random.default_rng(0)
    W = np.triu(rng.normal(size=(4, 4)) * 3)
    np.fill_diagonal(W, [0.5, 0.6, 0.7, 0.8])
    path = walk("clockwork_rnn", 0, steps=400, n=4, W_H=W)
    blocks = path.values[0]["blocks"]
    np.testing.assert_array_equal(blocks * W, W)
    rate = max(d ** (1 / period) for d, period in zip(np.diag(W), (1, 2, 4, 8), strict=True))
    norms = [np.linalg.norm(path.product(400, 400 - lag), 2) for lag in (100, 200, 400)]
    dense = np.linalg.norm(W, 2)
    assert dense > 1
    for lag, norm in zip((100, 200, 400), norms, strict=True):
        assert norm <= 1e6 * (rate * 1.02) ** lag
    assert norms[2] < 1e-3


@pytest.mark.parametrize("name", ["gru", "mut1"])
def test_the_proof_says_of_the_factors_of_a_row_sum_what_holds_of_each(name):
    """The row sum falls from 1 by w (1 − K − (1 − w) A); without A the second factor is still."""
    claim = weighted_mean(derived(name))
    text = sentences().template(claim.proof[-1].key, lambda theorem: 1)
    weights = np.linspace(0.1, 1, 10)
    second = 1 - 0.3 - (1 - weights) * (0.4 if name == "gru" else 0.0)
    assert np.all(np.diff(weights) > 0)
    assert np.all(np.diff(second) >= 0)
    assert ("Both factors of the product grow" in text) <= bool(np.all(np.diff(second) > 0))
    assert text.startswith("Neither factor of the product falls as")
