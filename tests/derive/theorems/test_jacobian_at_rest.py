"""The Jacobian at rest: it is that of the equations, and has the eigenvalues that are printed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from on_paths import derived, walk
from profiles import NIGHTLY, by_day

from derive import Cell, catalogue, differentiate
from derive.theorems.growth_at_rest import at_rest
from derive.theorems.jacobian_at_rest import rest
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.meaning.interpret import evaluate
from numeric.strategies import cells

RESTING = {name: found for name in by_day(catalogue, 4) if (found := rest(derived(name)))}


def written(expr):
    return Text()(Layout().of(expr))


@pytest.mark.parametrize("name", RESTING)
def test_it_is_the_jacobian_of_the_equations_at_zero(name):
    found = RESTING[name]
    path = walk(name, 4, gain=1.0, steps=2, zero=True, still=[p.name for p in found.zeroed])
    for values, jacobian in zip(path.values, path.jacobians, strict=True):
        for (of, by), block in found.blocks.items():
            want = path.block(jacobian, of, by)
            assert not np.any(values[of])
            np.testing.assert_allclose(
                np.broadcast_to(evaluate(block, values, path.sizes), want.shape), want, atol=1e-12
            )
    if found.reduced is not None:
        small = evaluate(found.reduced, path.values[0], path.sizes)
        zeros = len(path.jacobians[0]) - len(small)
        characteristic = np.poly(path.jacobians[0])
        np.testing.assert_allclose(
            characteristic, np.concatenate([np.poly(small), np.zeros(zeros)]), atol=1e-9
        )


@pytest.mark.long
@settings(max_examples=500 if NIGHTLY else 8, suppress_health_check=[HealthCheck.filter_too_much])
@given(cell=cells(), seed=st.integers(0, 1000))
def test_it_is_that_of_any_cell_that_can_rest(cell, seed):
    found = rest(differentiate(cell))
    assume(found is not None)
    path = walk(cell, seed, steps=2, zero=True, still=[p.name for p in found.zeroed])
    for values, jacobian in zip(path.values, path.jacobians, strict=True):
        for (of, by), block in found.blocks.items():
            want = path.block(jacobian, of, by)
            assert not np.any(values[of])
            got = np.broadcast_to(evaluate(block, values, path.sizes), want.shape)
            np.testing.assert_allclose(got, want, atol=1e-10)


@pytest.mark.parametrize("name", [name for name, found in RESTING.items() if found.zeroed])
def test_where_no_bias_is_zero_the_state_moves(name):
    path = walk(name, 4, gain=1.0, steps=1, zero=True)
    assert any(np.any(path.values[0][s.name]) for s in path.derivation.cell.states)


@pytest.mark.parametrize(
    ("name", "text", "start", "factor", "weight"),
    [("gru", "(1/2) I + (1/4) W_hh", 0.5, 0.25, "W_hh"),
     ("lstm", "(1/2) I + (1/4) W_ch", 0.5, 0.25, "W_ch"),
     ("peephole_lstm", "(1/2) I + (1/4) W_ch", 0.5, 0.25, "W_ch"),
     ("rnn", "W", 0.0, 1.0, "W")],
)  # fmt: skip
def test_published_eigenvalues(name, text, start, factor, weight):
    """½ + μ/4 of GRU and LSTM without biases, μ(W) of the RNN."""
    found = rest(derived(name))
    assert written(found.unbiased) == text
    biases = [p.name for p in catalogue[name].parameters if p.shape[1] == 1]
    path = walk(name, 1, gain=1.0, steps=1, zero=True, still=biases)
    mu = np.linalg.eigvals(path.values[0][weight])
    got = sorted(np.linalg.eigvals(path.jacobians[0]), key=lambda z: (-abs(z), z.imag))[:3]
    want = sorted(start + factor * mu, key=lambda z: (-abs(z), z.imag))
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_scalar_biases_give_the_eigenvalues_of_one_weight():
    (line,) = [p for p in at_rest(derived("lstm")).consequences
               if p.key == "at_rest.those_equal_or_zero"]  # fmt: skip
    assert written(line.slots[0]) == "σ(b_f) + σ(b_i) σ(b_o) μ"
    b_f, b_i, b_o = 1.5, -0.5, 0.25
    biases = {"b_f": np.full(3, b_f), "b_i": np.full(3, b_i), "b_o": np.full(3, b_o)}
    path = walk("lstm", 1, gain=2.0, steps=1, zero=True, still=["b_c"], **biases)
    f, i, o = (1 / (1 + np.exp(-b)) for b in (b_f, b_i, b_o))
    want = f + i * o * np.linalg.eigvals(path.values[0]["W_ch"])
    got = np.linalg.eigvals(path.jacobians[0])
    assert all(np.abs(got - value).min() < 1e-9 for value in want)


@pytest.mark.parametrize("cell", [
    catalogue["mi_rnn"],
    Cell.parse(name="scaled", equations="h = p * tanh(W @ h_prev + U @ x)"),
    Cell.parse(name="read", equations="""
f = sigmoid(W_f @ h_prev + U @ x + b)
c = f * c_prev + tanh(W @ h_prev)
h = p * c"""),
], ids=lambda cell: cell.name)  # fmt: skip
def test_a_vector_that_is_no_bias_has_entries_of_its_own(cell):
    """The eigenvalues of diag(p) W are not p μ; the theorem then says nothing of them."""
    found = at_rest(differentiate(cell))
    keys = {part.key for part in found.consequences}
    assert "at_rest.growth" in keys
    assert not {key for key in keys if "those" in key or "values" in key} - {"at_rest.eigenvalues"}
    p, W = np.diag([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, 1.0]])
    assert np.abs(np.linalg.eigvals(p @ W)).max() == pytest.approx(3.0)  # p μ would be 0, 2 or 4


def test_kanai_the_condition_of_the_gru_and_that_it_can_fail():
    """‖W_hh‖₂ < 2 keeps ρ(½ I + ¼ W_hh) below 1; a matrix with norm above 2 need not."""
    lines = at_rest(derived("gru")).consequences
    (line,) = [p for p in lines if p.key == "at_rest.decay"]
    assert [written(s.left) + s.sign + written(s.right) for s in line.slots] == [
        "ρ(J₀)≤1/2 + (1/4) ‖W_hh‖₂", "‖W_hh‖₂<2",
    ]  # fmt: skip
    biases = ["b_z", "b_r", "b_h"]
    for scale, small in ((1.99, True), (2.01, False)):
        path = walk("gru", 1, steps=1, zero=True, still=biases, W_hh=scale * np.eye(3))
        assert (np.abs(np.linalg.eigvals(path.jacobians[0])).max() < 1) == small


def test_growth_along_the_zero_trajectory_is_at_least_the_radius():
    path = walk("gru", 2, gain=8.0, steps=6, zero=True, still=["b_h"])
    radius = np.abs(np.linalg.eigvals(path.jacobians[0])).max()
    assert radius > 1
    for k in range(6):
        assert np.linalg.norm(path.product(6, k), 2) >= radius ** (6 - k) * (1 - 1e-9)


@pytest.mark.parametrize("equations", [
    "h = sigmoid(W @ h_prev + b)",
    "h = relu(W @ h_prev + b)",
    "h = W @ softmax(h_prev) - W @ softmax(h_prev)",
])  # fmt: skip
def test_no_claim_where_zero_is_no_place_to_rest(equations):
    assert rest(differentiate(Cell.parse(name="c", equations=equations + " + 0 * (U @ x)"))) is None
