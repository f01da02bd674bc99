"""Sums written out for one loss: they are the gradient of that loss alone, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Transpose

from derive import Cell, catalogue, differentiate
from derive.calculus.written_out import readout_of, terms_at, written_out
from derive.language.expr import Partial, symbols_of


def walk(expr):
    yield expr
    for part in getattr(expr, "args", ()):
        yield from walk(part)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "gla", "lru", "cornn"])
def test_each_earlier_step_has_one_term_and_the_own_step_no_chain(name):
    derivation = differentiate(catalogue[name])
    whole = derivation.chain.target.args[0].args[0]
    for pairs in derivation.part("pairs"):
        terms = terms_at(pairs.equation.value, 3)
        chains = [
            [
                n
                for n in walk(term)
                if isinstance(n, Partial) and {n.args[0].args[0], n.args[1].args[0]} == {whole}
            ]
            for term in terms
        ]
        times = [tuple((int(n.args[0].args[1]), int(n.args[1].args[1])) for n in found)
                 for found in chains]  # fmt: skip
        assert times == [(), ((3, 2),), ((3, 1),)]


def test_a_parameter_that_is_used_once_besides_is_left_out():
    derivation = differentiate(
        Cell.parse(name="twice", equations="M = W @ W\nh = tanh(M @ h_prev + W @ x + U @ x)")
    )
    assert [symbol.name for symbol, _ in written_out(derivation, 3)] == ["U"]


def test_the_plain_network_s_gradient_in_numbers():
    """Σ_k over three steps equals finite sums of the loop that everybody writes."""
    derivation = differentiate(catalogue["rnn"])
    rng, n = np.random.default_rng(0), 2
    W, U, b = rng.normal(size=(n, n)), rng.normal(size=(n, 1)), np.zeros((n, 1))
    x, h = rng.normal(size=(4, 1, 1)), [np.zeros((n, 1))]
    for t in (1, 2, 3):
        h.append(np.tanh(W @ h[-1] + U @ x[t] + b))
    loss = rng.normal(size=(n, 1))
    slope = [None, *(np.diag(1 - h[t][:, 0] ** 2) for t in (1, 2, 3))]
    jacobian = [None, *(slope[t] @ W for t in (1, 2, 3))]

    def value(node):
        kind = type(node).__name__
        if kind == "At":
            name, time = node.args[0].name, int(node.args[1])
            return loss if name == "h.bar_loss" else h[time] if name == "h" else x[time]
        if kind == "Partial":
            late, early = int(node.args[0].args[1]), int(node.args[1].args[1])
            made = np.eye(n)
            for t in range(late, early, -1):
                made = made @ jacobian[t]
            return made
        if kind == "DiagMatrix":
            return slope[int(next(a for a in walk(node) if type(a).__name__ == "At").args[1])]
        parts = [value(part) for part in node.args]
        if isinstance(node, Transpose):
            return parts[0].T
        made = parts[0]
        for part in parts[1:]:
            made = made + part if node.is_MatAdd else made @ part
        return made

    by_name = {symbol.name: made for symbol, made in written_out(derivation, 3)}
    got = value(by_name["W"])

    def total(matrix):
        state = np.zeros((n, 1))
        for t in (1, 2, 3):
            state = np.tanh(matrix @ state + U @ x[t] + b)
        return float(loss[:, 0] @ state[:, 0])

    step = 1e-6
    for i in range(n):
        for j in range(n):
            moved = np.zeros((n, n))
            moved[i, j] = step
            want = (total(W + moved) - total(W - moved)) / (2 * step)
            assert abs(got[i, j] - want) <= 1e-7 * np.max(np.abs(got))


def test_a_readout_needs_the_values_of_one_step():
    found = readout_of(differentiate(catalogue["rnn"]))
    times = {str(node.args[1]) for node in walk(found.gradient.value)
             if type(node).__name__ == "At"}  # fmt: skip
    assert times == {"t"}
    assert "V" in {symbol.name for symbol in symbols_of(found.output.value)}
