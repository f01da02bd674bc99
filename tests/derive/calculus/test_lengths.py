"""Columns of length at most 1 are read from their equations; what only looks like one is not."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from derive.calculus.lengths import erases_at_most_twice, short_columns, squared_lengths
from derive.language.expr import negate
from derive.theorems.suprema import contracting
from numeric.meaning.run_cell import run_cell

STEP = "S = S_prev + outer({beta} * (W_v @ x - S_prev @ k), k)"


def memory(key: str, beta: str = "sigmoid(dot(w, x))", **given: object) -> Cell:
    return Cell.parse(name="memory", equations=f"k = {key}\n{STEP.format(beta=beta)}", **given)


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("l2norm(W_k @ x)", True),
        ("l2norm(silu(W_k @ x) * u, 0.3)", True),
        ("softmax(W_k @ x)", True),
        ("(W_k @ x) / sqrt(dot(W_k @ x, W_k @ x) + 0.1)", True),
        ("rms_norm(W_k @ x)", False),
        ("tanh(W_k @ x)", False),
        ("(W_k @ x) / sqrt(dot(W_k @ x, W_k @ x) - 0.1)", False),
        ("(W_k @ x) / sqrt(dot(W_k @ x, U @ x))", False),
        ("2 * l2norm(W_k @ x)", False),
        ("(W_k @ x) / dot(W_k @ x, W_k @ x)", False),
    ],
)
def test_a_column_over_its_own_length_is_short(key, short):
    cell = memory(key)
    names = {symbol.name for symbol in short_columns(differentiate(cell).forward)}
    assert ("k" in names) is short
    rng = np.random.default_rng(0)
    sizes = {"n": 2, "k": 4, "m": 3}
    params = {s.name: rng.normal(size=[sizes.get(str(d), 1) for d in s.shape if d != 1])
              for s in cell.parameters}  # fmt: skip
    lengths = []
    with np.errstate(invalid="ignore"):  # a root of a negative number, where it is no length
        run_cell(cell, params, {"x": rng.normal(size=(9, 1, 3))}, {"S": np.zeros((1, 2, 4))},
                 look=lambda t, step: lengths.append(np.linalg.norm(step.values["k"])))  # fmt: skip
    assert not short or max(lengths) <= 1 + 1e-12


@pytest.mark.parametrize(
    ("beta", "held"),
    [
        ("sigmoid(dot(w, x))", True),
        ("2 * sigmoid(dot(w, x))", True),
        ("sigmoid(W_b @ x)", True),
        ("sigmoid(dot(w, x)) * sigmoid(dot(u, x))", True),
        ("2.5 * sigmoid(dot(w, x))", False),
        ("tanh(dot(w, x))", False),
        ("exp(dot(w, x))", False),
        ("-sigmoid(dot(w, x))", False),
        ("dot(w, x)", False),
    ],
)
def test_a_rate_between_0_and_2_contracts(beta, held):
    assert bool(contracting(differentiate(memory("l2norm(W_k @ x)", beta)))) is held
    assert not contracting(differentiate(memory("tanh(W_k @ x)", beta)))


def test_every_delta_rule_of_the_catalogue_contracts():
    found = {name for name in catalogue if "delta" in name
             and contracting(differentiate(catalogue[name]))}  # fmt: skip
    assert found == {"delta_net", "gated_delta_net", "delta_product", "gated_delta_product"}
    assert contracting(differentiate(catalogue["kda"]))


def test_squares_of_lengths_are_found_in_an_expression():
    derivation = differentiate(catalogue["delta_net"])
    (strength,) = contracting(derivation)
    assert [key.name for key in squared_lengths(strength).values()] == ["k"]
    short = short_columns(derivation.forward)
    assert erases_at_most_twice(strength, derivation.forward, short)
    assert not erases_at_most_twice(negate(strength), derivation.forward, short)
    assert not erases_at_most_twice(strength, derivation.forward, frozenset())
