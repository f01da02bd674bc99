"""N in named quantities: it dominates every step, and the closed condition decides ρ(N) < 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from on_paths import Numbers, derived, proved, walk
from profiles import NIGHTLY, by_day
from sympy import Symbol, lambdify

from derive import Cell, catalogue, differentiate
from derive.language.norms import BlockSup
from derive.theorems.certified_rate import closed_condition, eigenvalue, lettered
from derive.theorems.claims import Display, Line
from derive.theorems.letters import Letters
from derive.theorems.suprema import Quantities
from derive.theorems.theorems import theorems
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.strategies import cells


def matrix_of(found, numbers):
    made = numbers(found.matrix)
    return np.array(made).reshape(found.order, found.order)


@pytest.mark.parametrize("name", catalogue)
def test_the_printed_matrix_dominates_products_block_by_block(name):
    path = walk(name, seed=3, gain=1.2, steps=4)
    found = closed_condition(path.derivation)
    N = matrix_of(found, Numbers(path, found.definitions))
    power = np.eye(found.order)
    for k in range(3, -1, -1):
        power = power @ N
        product = path.product(4, k)
        for i, a in enumerate(found.names):
            for j, b in enumerate(found.names):
                norm = np.linalg.norm(path.block(product, a, b), 2)
                assert norm <= power[i, j] * (1 + 1e-9)


@settings(max_examples=500 if NIGHTLY else 8)
@given(cell=cells(), seed=st.integers(0, 1000))
def test_it_dominates_the_steps_of_any_cell(cell, seed):
    with np.errstate(all="ignore"):
        path = walk(cell, seed, steps=3)
    assume(all(np.isfinite(jacobian).all() for jacobian in path.jacobians))
    found = closed_condition(path.derivation)
    N = matrix_of(found, Numbers(path, found.definitions))
    for jacobian in path.jacobians:
        for i, a in enumerate(found.names):
            for j, b in enumerate(found.names):
                norm = np.linalg.norm(path.block(jacobian, a, b), 2)
                assert norm <= N[i, j] * (1 + 1e-8) + 1e-12


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "cornn", "t_gru"])
def test_a_quarter_of_the_printed_matrix_does_not(name):
    path = walk(name, seed=3, gain=1.2, steps=4)
    found = closed_condition(path.derivation)
    N = matrix_of(found, Numbers(path, found.definitions)) / 4
    assert any(
        np.linalg.norm(path.block(J, a, b), 2) > N[i, j]
        for J in path.jacobians
        for i, a in enumerate(found.names) for j, b in enumerate(found.names)
    )  # fmt: skip


def two_states():
    return [n for n in by_day(catalogue, 8) if closed_condition(derived(n)).polynomial is not None]


@pytest.mark.parametrize("name", two_states())
def test_the_closed_condition_holds_if_and_only_if_the_radius_is_below_one(name):
    found = closed_condition(derived(name))
    blocks = sorted(found.matrix.atoms(BlockSup), key=str)
    plain = {block: Symbol(f"N_{place}") for place, block in enumerate(blocks)}
    matrix = found.matrix.xreplace(plain)
    letters = sorted(matrix.atoms(Symbol), key=str)
    entries = lambdify(letters, list(matrix.args), "numpy")
    polynomial = lambdify(
        [eigenvalue(lettered(derived(name))), *letters], found.polynomial.xreplace(plain), "numpy"
    )
    conditions = [lambdify(letters, (r.right - r.left).xreplace(plain), "numpy")
                  for r in found.conditions]  # fmt: skip
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        drawn = rng.uniform(0, 1.3, len(letters)) ** 2
        N = np.array(entries(*drawn), dtype=float).reshape(2, 2)
        eigenvalues = np.linalg.eigvals(N)
        assert np.abs(polynomial(eigenvalues, *drawn)).max() < 1e-9
        if conditions:
            small = bool(np.abs(eigenvalues).max() < 1)
            assert small == all(condition(*drawn) > 0 for condition in conditions)
            seen.add(small)
    assert seen == ({True, False} if conditions else set())


def test_a_state_that_keeps_itself_whole_is_never_certified():
    stuck = {n for n in catalogue if closed_condition(derived(n)).stuck}
    assert stuck == {
        "antisymmetric_rnn", "gated_antisymmetric_rnn", "cornn", "unicornn", "lstm_1997",
        "linear_attention", "delta_net", "delta_product", "linoss", "d_linoss", "ttt_linear", "lmu",
    }  # fmt: skip
    for name in stuck:
        second = proved(name)[1]
        keys = {part.key for part in second.consequences if isinstance(part, Line)}
        assert keys & {"certified_rate.no_decay", "certified_rate.no_decay_matrix"}
        assert not any(isinstance(part, Display) for part in second.consequences)


def test_a_vector_certifies_and_the_bound_holds_with_it():
    path = walk("lstm", seed=1, gain=0.2, steps=8)
    found = closed_condition(path.derivation)
    N = matrix_of(found, Numbers(path, found.definitions))
    assert np.abs(np.linalg.eigvals(N)).max() < 1
    v = np.linalg.solve(np.eye(2) - N, np.ones(2))
    rate = (N @ v / v).max()
    assert rate <= 1 - 1 / v.max() + 1e-12 < 1
    for k in range(8):
        product = path.product(8, k)
        for i, a in enumerate(found.names):
            for j, b in enumerate(found.names):
                norm = np.linalg.norm(path.block(product, a, b), 2)
                assert norm <= v[i] / v[j] * rate ** (8 - k) * (1 + 1e-9)


def test_letters_that_the_cell_has_are_not_taken_twice():
    cell = Cell.parse(name="busy", equations="r = sigmoid(N @ h_prev)\nh = r * h_prev + x")
    derivation = differentiate(cell)
    letters = Letters(derivation)
    assert letters("r", "q") == "q"
    assert letters("q", "p") == "p"  # given by now
    assert letters("r", "q") == "q"
    assert closed_condition(derivation).symbol.name == "D"
    assert letters("r", "h") == "y"  # any letter, before one with a subscript
    assert letters("A", "N") == "A"
    assert letters("N", "A") == "Y"
    names = Quantities(derivation)
    assert [names.name(cell.states[0]).name, names.name(cell.parameters[0], "d_1").name] == [
        "h_hat", "d_1",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["linear_attention", "delta_net", "delta_product"])
def test_a_rate_of_1_whatever_the_weights_is_the_verdict(name):
    (said,) = theorems(differentiate(catalogue[name]))[0].verdict
    assert said.key == "shared.bounded"
    assert closed_condition(differentiate(catalogue[name])).matrix == 1


def test_no_such_verdict_where_a_rate_may_be_larger():
    assert all(line.key != "shared.bounded"
               for name in ("retnet", "rwkv7", "lstm", "gated_delta_net")
               for line in theorems(differentiate(catalogue[name]))[0].verdict)  # fmt: skip


def test_a_pair_of_states_the_other_way_round_says_the_order_of_its_matrix():
    text = "f = sigmoid(F @ x)\nq = s * (f * c_prev + W @ q_prev)\nc = f * c_prev + W @ q_prev"
    turned = Cell.parse(name="turned", equations=f"s = sigmoid(S @ x)\n{text}")
    for cell, names in ((turned, [["c", "q"]]), (catalogue["lstm"], [])):
        rate = next(t for t in theorems(differentiate(cell)) if t.name == "certified_rate")
        orders = [a.slots[1] for a in rate.assumptions
                  if isinstance(a, Line) and a.key == "certified_rate.order"]  # fmt: skip
        assert [[state.name for state in order] for order in orders] == names


def test_the_norm_of_ones_is_a_root():
    cell = Cell.parse(name="less", equations="h = tanh(W @ h_prev) - mean(h_prev) + U @ x")
    rate = next(one for one in theorems(differentiate(cell)) if one.name == "certified_rate")
    assert Text()(Layout(cell.notation).of(rate.entries[0].right)).endswith("sqrt(n) |1/n| sqrt(n)")


def test_the_size_of_one_number_has_one_sign_and_one_letter():
    """Of an mLSTM's gate, a number: ‖f‖_∞ and |f| stood side by side, as f̂ and d₁."""
    derivation = differentiate(catalogue["mlstm"])
    layout = Layout(derivation.notation)
    said = {claim.name: [f"{Text()(layout.of(r.left))} {r.sign} {Text()(layout.of(r.right))}"
                         for r in claim.entries] for claim in theorems(derivation)}  # fmt: skip
    assert said["block_domination"][::3] == ["N_{CC,t} = |f_t|", "N_{nn,t} = |f_t|"]
    assert said["certified_rate"][1:] == ["N_CC = f̂", "N_nn = f̂", "f̂ = sup|f_t|"]
