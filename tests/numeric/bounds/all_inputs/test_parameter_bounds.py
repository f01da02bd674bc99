"""‖∂s_T/∂θ‖₂ for all inputs: no sequence exceeds it, and geometric sums come out exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_settings import sequence, setting
from profiles import NIGHTLY, by_day

from derive import Cell, differentiate
from numeric.bounds.all_inputs import parameter_bounds as source
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.parameter_bounds import memory, parameter_bounds
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.one_sequence.parameter_sums import parameter_norms

NAMES = ("rnn", "gru", "lstm", "mgu", "fast_rnn", "antisymmetric_rnn", "softmax_stack")


@pytest.mark.parametrize("name", by_day(NAMES, 3))
def test_no_sequence_exceeds_the_bound(name):
    found = setting(name, 0.2, 1, n=3)
    bounds = parameter_bounds(found, certify(found, 20))
    for seed in range(4 if NIGHTLY else 1):
        for symbol, norm in parameter_norms(sequence(found, 30 if NIGHTLY else 12, seed)).items():
            if bounds[symbol] is not None:
                assert norm is None or norm.lower <= bounds[symbol]


def leak(decay):
    cell = Cell.parse(name="leak", equations="h = lam * h_prev + x", scalars=["lam"])
    return Setting(differentiate(cell), {"lam": np.array(decay)}, {"n": 1}, (-1.0, 1.0))


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_a_leak_is_bounded_by_what_it_reaches(decay):
    """|∂h_T/∂λ| ≤ 1/(1 − λ)², reached by constant inputs."""
    found = leak(decay)
    log = parameter_bounds(found, certify(found, 200))["lam"]
    assert 0 <= log + 2 * math.log10(1 - decay) < 1e-3


def test_a_share_left_out_is_seen(monkeypatch):
    """The mutant that takes the step's own share for the whole is exceeded."""
    monkeypatch.setattr(source, "memory", lambda logs: 1.0)
    found = leak(0.9)
    assert 10 ** parameter_bounds(found, certify(found, 50))["lam"] < 0.5 / (1 - 0.9) ** 2


def test_what_does_not_decay_has_no_bound():
    found = leak(1.0)
    assert parameter_bounds(found, certify(found, 5)) == {"lam": None}


def test_memory_is_the_sum_of_the_geometric_series():
    assert memory(tuple(lag * math.log10(0.5) for lag in range(1, 60))) == pytest.approx(2.0)
    assert memory((0.1, 0.2)) == math.inf
    assert memory((math.inf, -1.0)) == math.inf
    assert memory((-math.inf,)) == pytest.approx(1.0)
