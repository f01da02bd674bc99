"""The search for scalings: its slope is the derivative, and it ends where theory says it does."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.bounds.all_inputs.scaling_search import Blocks, Descent, exponentials

MIXED = Blocks.of(2, [0, 0, 1])


def drawn(order, seed=0):
    return np.random.default_rng(seed).normal(size=(order, order))


def lowest(matrix, blocks):
    descent = Descent(matrix.copy(), blocks)
    for p in (8.0, 64.0, 512.0, 4096.0):
        descent.run(p, 200)
    assert np.allclose(descent.L @ matrix @ np.linalg.inv(descent.L), descent.M)
    return descent.norm


def test_the_blocks_are_the_state_and_what_shares_a_delta():
    ones = [np.ones((len(p), p.shape[1], p.shape[1])) for p in MIXED.parts]
    pattern = MIXED.before(ones, np.eye(5))
    want = np.zeros((5, 5))
    want[:2, :2] = want[2:4, 2:4] = want[4, 4] = 1
    assert np.array_equal(pattern, want)
    assert sum(p.size for p in Blocks.of(2, [0, 0, 1], full=False).parts) == 5


@pytest.mark.parametrize("blocks", [MIXED, Blocks.of(0, [0, 1, 0, 2, 0]), Blocks(MIXED.parts[1:])])
def test_products_block_by_block_are_those_with_the_whole_matrix(blocks):
    """Places in no block stay as they are."""
    rng, W = np.random.default_rng(3), drawn(5)
    X = [rng.normal(size=(len(p), p.shape[1], p.shape[1])) for p in blocks.parts]
    whole = np.eye(5)
    for p, own in zip(blocks.parts, X, strict=True):
        for places, block in zip(p, own, strict=True):
            whole[np.ix_(places, places)] = block
    assert np.allclose(blocks.before(X, W), whole @ W)
    assert np.allclose(blocks.behind(W, X), W @ whole)


@pytest.mark.parametrize("p", [2.0, 30.0])
def test_the_slope_is_the_derivative(p):
    descent = Descent(drawn(5), MIXED)
    value, slope, _ = descent.smooth(descent.M, p)
    rng = np.random.default_rng(1)
    X = [
        b + np.swapaxes(b, 1, 2)
        for b in (
            rng.normal(size=(len(part), part.shape[1], part.shape[1])) for part in MIXED.parts
        )
    ]
    tiny = 1e-6
    moved, _ = descent.moved([tiny * b for b in X])
    along = sum(float(np.sum(a * b)) for a, b in zip(slope, X, strict=True))
    assert (descent.smooth(moved, p)[0] - value) / tiny == pytest.approx(along, rel=1e-3)


def test_the_smooth_norm_lies_above_the_norm():
    descent = Descent(drawn(5), MIXED)
    for p in (2.0, 20.0, 200.0):
        value = descent.smooth(descent.M, p)[0]
        low = np.log(descent.norm)
        assert low - 1e-12 <= value <= low + np.log(5) / (2 * p) + 1e-12


def test_an_exponential_times_its_inverse_is_one():
    X = [drawn(3)[None] + drawn(3).T[None]]
    (E,), (back,) = exponentials(X)
    assert np.allclose(E @ back, np.eye(3))


def test_a_full_scaling_reaches_the_spectral_radius():
    """Inf ‖T W T⁻¹‖ over all T is ρ(W)."""
    W = np.diag([0.9, 0.5, 0.2]) + np.triu(drawn(3), 1)
    assert lowest(W, Blocks.of(3, [])) == pytest.approx(0.9, rel=3e-3)


def test_a_diagonal_scaling_of_a_positive_matrix_reaches_its_radius():
    """Inf ‖D W D⁻¹‖ over diagonal D is ρ(W) for W > 0."""
    W = np.abs(drawn(4))
    rho = np.abs(np.linalg.eigvals(W)).max()
    assert lowest(W, Blocks.of(0, [0, 1, 2, 3])) == pytest.approx(rho, rel=3e-3)


def test_a_start_elsewhere_ends_at_the_same_norm():
    """Convex: from any start the same value."""
    W, blocks = drawn(5), Blocks.of(2, [0, 1, 2])
    D = np.diag([1, 30, 0.01, 5, 1.0])
    assert lowest(D @ W @ np.linalg.inv(D), blocks) == pytest.approx(lowest(W, blocks), rel=3e-3)


def test_a_given_start_is_gone_on_from():
    W, start = drawn(5), 2 * np.eye(5)
    start[0, 1] = 0.5
    descent = Descent(W.copy(), MIXED, start)
    descent.run(64.0, 20)
    assert np.allclose(descent.L @ W @ np.linalg.inv(descent.L), descent.M)


def test_a_norm_out_of_reach_ends_the_search(monkeypatch):
    """No scaling brings ‖L W L⁻¹‖ below ρ(W): asked for 1, the search gives up; else it goes on."""
    W = drawn(16)
    taken = []
    smooth = Descent.smooth

    def counted(self, M, p):
        taken.append(p)
        return smooth(self, M, p)

    monkeypatch.setattr(Descent, "smooth", counted)
    counts = []
    for stop in (lambda norm: norm < 1, None):
        taken.clear()
        Descent(W.copy(), Blocks.of(0, range(16))).run(64.0, 200, stop)
        counts.append(len(taken))
    assert counts[0] < counts[1]
    assert counts[0] >= 8
