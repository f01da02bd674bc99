"""N in numbers: bounds that hold on sampled sequences, conditions that agree with the spectrum."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from sympy import Max, S, Symbol

from derive import Cell, catalogue, differentiate
from derive.language.norms import Norm
from derive.theorems.certified_rate import closed_condition
from derive.theorems.claims import Relation
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.closed_condition import Condition, admissible, value_of, work
from numeric.bounds.all_inputs.gate_region import _largest
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run

SIZES = {"n": 6, "m": 3}


def worked(cell: Cell, gain: float):
    """N in numbers of a small drawn net, inputs in [−1, 1], zero initial state."""
    derivation = differentiate(cell)
    drawn = draw(cell, SIZES, gain, 1, 0, 0.3)["parameters"]
    setting = Setting(derivation, drawn, SIZES)
    found = certify(setting, 1)
    return work(closed_condition(derivation), setting, admissible(setting, found)), drawn


@pytest.mark.by_default("rnn", "gru", "0.2-lstm")
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("gain", [0.05, 0.2, 1.0])
def test_the_conditions_hold_just_where_the_spectral_radius_is_below_one(name, gain):
    found, _ = worked(catalogue[name], gain)
    radius = np.abs(np.linalg.eigvals(np.array(found.matrix))).max()
    assert abs(radius - 1) > 1e-6
    assert all(condition.holds for condition in found.conditions) == (radius < 1)
    assert radius * (1 - 1e-12) <= found.rate <= radius * (1 + 1e-6)


def test_the_letters_of_the_lstm_are_bounds_on_every_sampled_sequence():
    cell = catalogue["lstm"]
    found, drawn = worked(cell, 0.3)
    value = {str(name): bound for name, bound in found.quantities if isinstance(name, Symbol)}
    inputs = {"x": np.random.default_rng(1).choice([-1.0, 1.0], size=(200, 3))}
    path = run(differentiate(cell), drawn, inputs)
    h, c = path.states["h"][:-1], path.states["c"]
    gate = {}
    for letter in "fo":
        inner = h @ drawn[f"W_{letter}h"].T + inputs["x"] @ drawn[f"W_{letter}x"].T
        gate[letter] = 1 / (1 + np.exp(-inner))
    assert gate["f"].max() <= value["f_hat"] < 1
    assert (gate["o"] * (1 - np.tanh(c[1:]) ** 2)).max() <= value["omega"]
    assert np.abs(c[:-1] * gate["f"] * (1 - gate["f"])).max() <= value["d_1"]
    norms = {str(name.args[0]): bound for name, bound in found.quantities if isinstance(name, Norm)}
    for name, bound in norms.items():
        exact = np.linalg.norm(drawn[name], 2)
        assert exact <= bound <= exact * (1 + 1e-9)


def test_the_matrix_of_the_lstm_is_made_of_its_letters_exactly():
    found, _ = worked(catalogue["lstm"], 0.1)
    value = {str(name): Fraction(bound) for name, bound in found.quantities}
    beta = sum(value[f"d_{k}"] * value[f"Norm(W_{g}h)"] for k, g in ((1, "f"), (2, "i"), (3, "c")))
    alpha = value["d_4"] * value["Norm(W_oh)"]
    wanted = ((value["f_hat"], beta),
              (value["omega"] * value["f_hat"], alpha + value["omega"] * beta))  # fmt: skip
    for line, exact in zip(found.matrix, wanted, strict=True):
        for entry, bound in zip(line, exact, strict=True):
            assert 0 <= Fraction(entry) - bound <= bound * Fraction(1, 2**52)


def test_a_supremum_without_a_bound_is_named_and_nothing_is_claimed():
    cell = Cell.parse(name="open", equations="h = h_prev * tanh(W @ h_prev + U @ x) + relu(V @ x)")
    found, _ = worked(cell, 1.0)
    assert found.rate == math.inf
    assert found.unbounded
    assert not any(condition.holds for condition in found.conditions)


def test_a_condition_at_equality_does_not_hold():
    relation = closed_condition(differentiate(catalogue["rnn"])).conditions[0]
    assert not Condition(relation, Fraction(1), Fraction(1)).holds
    assert Condition(relation, Fraction(1) - Fraction(1, 2**80), Fraction(1)).holds
    assert not Condition(relation, None, Fraction(1)).holds


def test_sums_and_products_are_exact():
    a, b = Symbol("a"), Symbol("b")
    known = {a: Fraction(1, 3), b: None}.get
    assert value_of(2 * a + a**2, known) == Fraction(7, 9)
    assert value_of(a + b, known) is None


def test_where_floats_cannot_tell_a_condition_is_halved_by_exact_numbers():
    """1 + ε g < 1 + ε holds below g = 1; in floats both sides are 1."""
    g, e = Symbol("g"), Symbol("e")
    known = {g: math.nan, e: 2.0**-80}
    assert _largest([Relation(1 + e * g, "<", 1 + e)], [known]) == [1 - 2.0**-22]
    assert _largest([Relation(1 + e * g, "<", 1 + 2 * e)], [known]) == [2 - 2.0**-22]
    assert _largest([Relation(e * g, "<", e)], [known]) == [1 - 2.0**-22]
    assert _largest([Relation(e * g, "<", 5 * e)], [known]) == [4 - 2.0**-22]
    assert _largest([Relation(1 + e * g, "<", S.One)], [known]) == [0.0]
    several = [known, {**known, e: 0.25}]
    assert _largest([Relation(e * g, "<", e)], several) == [1 - 2.0**-22, 1 - 2.0**-22]
    assert _largest([Relation(g, "<", 4 * e)], several) == [0.0, 1 - 2.0**-22]


def test_a_largest_of_a_number_and_a_bound_is_halved_too():
    g, e = Symbol("g"), Symbol("e")
    several = [{g: math.nan, e: 1.0}, {g: math.nan, e: 0.25}]
    largest = Relation(Max(S.One, g) * e, "<", 2 * e)
    assert _largest([largest], several) == [2 - 2.0**-22, 2 - 2.0**-22]
    assert _largest([Relation(Max(S.One, g), "<", 5 * e)], several) == [
        4 - 2.0**-22,
        1.25 - 2.0**-22,
    ]
