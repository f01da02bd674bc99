"""The norm-domination matrix in symbols: published conditions come out of it."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day
from sympy import Matrix, Symbol, lambdify, simplify

from derive import catalogue, differentiate
from derive.language.norms import MaxAbs, Norm
from derive.theorems.carousel import find_carousel
from derive.theorems.domination import domination_matrix


def lstm(split=True):
    return domination_matrix(differentiate(catalogue["lstm"]), split=split)


def named(found):
    """The symbols of N by short names, norms by their weight."""
    symbols = {relation.left.name: relation.left for relation in found.quantities}
    norms = {norm.args[0].name: norm for row in found.entries for e in row
             for norm in e.atoms(Norm)}  # fmt: skip
    return symbols, norms


def test_terzi_his_matrix_equals_n_of_the_lstm():
    found = lstm()
    s, w = named(found)
    names = ("f_hat", "c_prev_hat", "c_tilde_hat", "i_hat", "o_hat", "d_1")
    f, c, g, i, o, y = (s[name] for name in names)
    a = c * w["W_fh"] / 4 + i * w["W_ch"] + g * w["W_ih"] / 4
    want = Matrix([[f, a], [o * f, a * o + y * w["W_oh"] / 4]])
    assert simplify(Matrix(found.entries) - want) == Matrix.zeros(2, 2)


def test_the_lstm_has_the_closed_condition():
    found = lstm()
    first, second, third = found.conditions()
    assert [r.sign for r in (first, second, third)] == ["<"] * 3
    N = Matrix(found.entries)
    determinant = third.right - third.left
    assert simplify(determinant - (Matrix.eye(2) - N).det()) == 0


def test_miller_and_hardt_their_region_lies_inside_and_ours_holds_twice_as_many():
    """Random nets in ‖·‖_∞ without inputs: φ = sup f, |c| ≤ 1/(1 − φ), other suprema 1."""
    found = lstm()
    s, w = named(found)
    names = ["W_fh", "W_ih", "W_ch", "W_oh"]
    plain = {w[name]: Symbol(name) for name in names}
    order = [s["f_hat"], s["c_prev_hat"], *plain.values()]
    ones = {symbol: 1 for name, symbol in s.items() if name not in {"f_hat", "c_prev_hat"}}
    tests = [lambdify(order, (r.right - r.left).subs(ones).subs(plain), "numpy")
             for r in found.conditions()]  # fmt: skip
    rng = np.random.default_rng(0)
    count, n = 20_000, 6
    gains = rng.uniform(0.0, 0.3, size=(count, 1, 1, 1))
    weights = rng.normal(size=(count, 4, n, n)) * gains / np.sqrt(n)
    norms = np.abs(weights).sum(axis=3).max(axis=2).T
    phi = 1 / (1 + np.exp(-norms[0] - rng.uniform(-2, 1, count)))
    ours = np.all([test(phi, 1 / (1 - phi), *norms) > 0 for test in tests], axis=0)
    theirs = ((norms[0] < (1 - phi) ** 2) & (norms[1] < 1 - phi) & (norms[2] < (1 - phi) / 4)
              & (norms[3] < 1 - phi))  # fmt: skip
    assert not np.any(theirs & ~ours)
    assert ours.sum() >= 2 * theirs.sum() > 1000


@pytest.mark.parametrize("name", by_day(catalogue, 6))
@pytest.mark.parametrize("split", [False, True])
def test_every_cell_has_a_matrix_with_declared_quantities(name, split):
    found = domination_matrix(differentiate(catalogue[name]), split=split)
    declared = {relation.left for relation in found.quantities}
    for entry in (entry for row in found.entries for entry in row):
        assert entry.subs(dict.fromkeys(entry.atoms(Norm, MaxAbs), 1)).free_symbols <= declared
    assert found.order == len(catalogue[name].states)


def test_pascanu_is_the_one_by_one_case():
    found = domination_matrix(differentiate(catalogue["rnn"]), split=True)
    (condition,) = found.conditions()
    assert condition.left == Norm(catalogue["rnn"].parameters[0])


def test_the_carousel_is_found_in_lstm_and_peephole_and_not_elsewhere():
    for name in ("lstm", "peephole_lstm", "lstm_np", "coupled_lstm"):
        found = find_carousel(differentiate(catalogue[name]))
        assert found is not None
        assert found.keeper == "c"
    for name in ("rnn", "gru", "cornn", "lem", "projected_lstm"):
        assert find_carousel(differentiate(catalogue[name])) is None
