"""One scaled norm: every step of the proof in numbers, and a mutant of each assumption."""

from __future__ import annotations

import numpy as np
import pytest
from on_paths import derived

from derive import Cell, differentiate
from derive.theorems.scaled_norm import scaled_norm

RNG = np.random.default_rng(0)
N, K = 3, 4


def closed(G, delta):
    A, B, C, D = G[:N, :N], G[:N, N:], G[N:, :N], G[N:, N:]
    return A + B @ delta @ np.linalg.solve(np.eye(K) - D @ delta, C)


def drawn(T, S, rate):
    """G with ‖diag(P, S) G diag(r P, S)⁻¹‖₂ = 1."""
    L = np.block([[T, np.zeros((N, K))], [np.zeros((K, N)), S]])
    M = RNG.normal(size=(N + K, N + K))
    G = np.linalg.inv(L) @ (M / np.linalg.norm(M, 2)) @ L
    G[:, :N] *= rate
    return G


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.3])
def test_products_stay_below_the_bound(rate):
    """J of any Δ, a new one at each step; two entries of Δ are one number, S mixes these."""
    T, S = RNG.normal(size=(N, N)), np.diag(RNG.uniform(0.1, 3, size=K))
    S[:2, :2] = RNG.normal(size=(2, 2))
    G = drawn(T, S, rate)
    size = np.linalg.cond(T)
    for _ in range(50):
        product = np.eye(N)
        for lag in range(1, 8):
            d = RNG.uniform(-1, 1, size=K - 1)
            product = closed(G, np.diag(d[[0, 0, 1, 2]])) @ product
            assert np.linalg.norm(product, 2) <= size * rate**lag * (1 + 1e-9)


def test_a_delta_apart_or_above_one_breaks_it():
    """Where S mixes entries that differ, or an entry exceeds 1, some J exceeds the rate."""
    T = np.eye(N)
    S = np.diag([1.0, 1.0, 1.0, 1.0])
    S[:2, :2] = [[1, 5], [0, 0.2]]
    G = drawn(T, S, 0.9)
    apart = max(np.linalg.norm(closed(G, np.diag(RNG.choice([-1.0, 1.0], size=K))), 2)
                for _ in range(200))  # fmt: skip
    G = drawn(T, np.eye(K), 0.9)
    above = max(np.linalg.norm(closed(G, np.diag(1.5 * RNG.choice([-1.0, 1.0], size=K))), 2)
                for _ in range(200))  # fmt: skip
    assert apart > 0.9
    assert above > 0.9


def test_it_is_stated_where_a_diagonal_is_unknown():
    assert scaled_norm(derived("gru")) is not None
    plain = Cell.parse(name="plain", equations="h = W @ h_prev + U @ x")
    assert scaled_norm(differentiate(plain)) is None
