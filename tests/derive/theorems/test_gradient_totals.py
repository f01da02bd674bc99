"""The total gradient and what truncation leaves out: both bounds on real sums over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from on_paths import SEEDS, Numbers, derived, walk

from derive.theorems.certified_rate import closed_condition
from derive.theorems.gradient_totals import total_gradient


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_sum_over_pairs_stays_below_both_bounds(name, seed):
    """L_t = ⟨q_t, s_t⟩, and any matrices for the derivative within a step."""
    path = walk(name, seed, gain=0.03, steps=7)
    found = closed_condition(path.derivation)
    N = np.array(Numbers(path, found.definitions)(found.matrix)).reshape(found.order, -1)
    assert np.abs(np.linalg.eigvals(N)).max() < 1
    rng = np.random.default_rng(seed)
    whole, T = len(path.jacobians[0]), len(path.jacobians)
    loss, local = rng.normal(size=(T, 1, whole)), rng.normal(size=(T, whole, 5))
    parts = [path.rows(name) for name in found.names]
    g = np.array([[max(np.linalg.norm(q[:, rows]) for q in loss) for rows in parts]])
    e = np.array([[max(np.linalg.norm(m[rows], 2) for m in local)] for rows in parts])
    inverse = np.linalg.inv(np.eye(found.order) - N)

    def total(most):
        return sum(loss[t - 1] @ path.product(t, k) @ local[k - 1]
                   for t in range(1, T + 1) for k in range(max(1, t - most), t + 1))  # fmt: skip

    every = total(T)
    assert np.linalg.norm(every) <= (T * g @ inverse @ e).item() * (1 + 1e-9)
    for K in range(T - 1):
        error = np.linalg.norm(every - total(K))
        left = np.linalg.matrix_power(N, K + 1)
        assert 0 < error <= (T * g @ left @ inverse @ e).item() * (1 + 1e-9)


def test_a_power_more_would_be_too_much():
    """With one unit, J = N and equal terms the bound without T is nearly reached: N^{K+1}."""
    N, T, K = 0.5, 400, 3
    error = sum(N ** (t - k) for t in range(1, T + 1) for k in range(1, t + 1) if t - k > K)
    assert T * N ** (K + 2) / (1 - N) < error <= T * N ** (K + 1) / (1 - N)


def test_it_is_not_claimed_where_the_condition_is_out_of_reach():
    assert total_gradient(derived("cornn")) is None
    assert total_gradient(derived("lstm")) is not None
