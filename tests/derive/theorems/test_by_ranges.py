"""What holds whatever the weights and inputs, and the advice that does not contradict it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from on_paths import proved, walk
from profiles import NIGHTLY, by_day
from sympy import Matrix, Rational, S

from derive import Cell, catalogue, differentiate
from derive.calculus.ranges import Ranges
from derive.theorems.by_ranges import Largest, tends_to_zero
from derive.theorems.theorems import theorems
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.strategies import cells

GATE = "z = sigmoid(W @ x)\n"


def first(equations, outputs=()):
    return theorems(differentiate(Cell.parse(name="c", equations=equations, outputs=outputs)))[0]


def keys(claim):
    return [line.key.split(".")[1] for line in (*claim.verdict, *claim.advice)]


def bound(claim):
    relation = claim.verdict[0].slots[-2]
    boxes = map(Layout().of, (relation.left, relation.right))
    return f" {relation.sign} ".join(map(Text(), boxes))


@pytest.mark.parametrize(("equations", "at_most"), [
    ("h = tanh(h_prev + x)", "‖∂h_t/∂h_k‖₂ ≤ 1"),
    (GATE + "h = (1 - z) * h_prev + z * (V @ x)", "‖∂h_t/∂h_k‖₂ ≤ 1"),
    ("a = exp(-softplus(W @ x))\nh = a * h_prev + x", "‖∂h_t/∂h_k‖₂ ≤ 1"),
    ("a = b_prev + U @ x\nb = a_prev", "‖∂s_t/∂s_k‖₂ ≤ 1"),
    ("a = exp(-elu(W @ x, 2) - 2)\nh = a * h_prev + x", "‖∂h_t/∂h_k‖₂ ≤ 1"),
    ("a = b_prev + U @ x\nb = a_prev\nc = 0.5 * c_prev + 0.5 * a_prev", "‖∂s_t/∂s_k‖₂ ≤ 3"),
])  # fmt: skip
def test_ranges_of_functions_prove_that_nothing_explodes(equations, at_most):
    claim = first(equations)
    assert keys(claim)[0] == "bounded"
    assert keys(claim)[-1] == "advice_bounded"
    assert bound(claim) == at_most


@pytest.mark.parametrize(("equations", "outputs", "at_most"), [
    ("h = 0.5 * h_prev + U @ x", (), "‖∂h_t/∂h_k‖₂ ≤ (1/2)^{t−k}"),
    (GATE + "h = -0.5 * z * h_prev + x", (), "‖∂h_t/∂h_k‖₂ ≤ (1/2)^{t−k}"),
    ("h = tanh(U @ x)\ny = W @ h_prev", ("y",), "‖∂h_t/∂h_k‖₂ = 0"),
])  # fmt: skip
def test_a_number_below_one_makes_every_gradient_vanish(equations, outputs, at_most):
    claim = first(equations, outputs)
    assert keys(claim) == ["vanishes", "advice_vanishing"]
    assert bound(claim) == at_most


def test_a_matrix_of_numbers_whose_powers_vanish_makes_every_gradient_vanish():
    assert keys(first("a = 0.5 * b_prev + U @ x\nb = a_prev")) == ["vanishes", "advice_vanishing"]


@pytest.mark.parametrize(("equations", "said", "at_most"), [
    (GATE + "h = z * h_prev + (1 - z) * tanh(h_prev + x)", "bounded", "1"),
    (GATE + "k = 1 - z\nh = k * h_prev - z * tanh(h_prev + x)", "bounded", "1"),
    (GATE + "h = 0.5 * (z * h_prev + (1 - z) * tanh(h_prev))", "vanishes", "(1/2)^{t−k}"),
])  # fmt: skip
def test_a_mixture_of_diagonals_keeps_no_more_than_its_parts(equations, said, at_most):
    claim = first(equations)
    assert keys(claim)[0] == said
    assert bound(claim) == f"‖∂h_t/∂h_k‖₂ ≤ {at_most}"


@pytest.mark.parametrize(("equations", "least"), [
    ("h = 2 * h_prev + U @ x", S(2)),
    ("h = -1.5 * h_prev + U @ x", Rational(3, 2)),
    (GATE + "h = (1.5 + z) * h_prev + x", Rational(3, 2)),
    ("S = 3 * S_prev + outer(U @ x, x)", S(3)),
])  # fmt: skip
def test_a_diagonal_above_one_explodes_whatever_the_weights(equations, least):
    claim = first(equations)
    assert keys(claim) == ["explodes", "advice_exploding"]
    assert claim.verdict[0].slots[0] == least


@pytest.mark.parametrize("equations", [
    GATE + "h = (1 + z) * h_prev + x",
    GATE + "h = z * h_prev + (1 - z) * tanh(W @ h_prev)",
    "h = leaky_relu(h_prev + x, 3.0)",  # the range of the table is that of another slope
    GATE + "h = z * h_prev + (1 + z) * tanh(h_prev + x)",
    "z = sigmoid(U @ x + h_prev)\nh = z * h_prev + (1 - z) * tanh(h_prev + x)",
    GATE + "V = sigmoid(U @ x)\nh = z * h_prev + (1 - V) * tanh(h_prev + x)",
    "h = h_prev * h_prev + x",
    "h = exp(h_prev + x)",
])  # fmt: skip
def test_nothing_is_claimed_beyond_what_is_proved(equations):
    found = keys(first(equations))
    assert found[0] == "undecided"
    assert found[-1] == "advice"


@pytest.mark.parametrize("name", [
    "delta_net", "delta_product", "gla", "rwkv6", "kda", "rg_lru", "gated_delta_net", "min_gru",
    "t_rnn", "linear_attention",
])  # fmt: skip
def test_cells_of_the_catalogue_that_cannot_explode_say_so(name):
    found = keys(proved(name)[0])
    assert (found[0], found[-1]) == ("bounded", "advice_bounded")


@pytest.mark.parametrize("name", ["lstm", "gru", "lem", "cornn"])
def test_cells_that_may_explode_do_not(name):
    assert keys(proved(name)[0])[-1] == "advice"


def test_a_constant_jacobian_needs_the_weights():
    assert keys(first("h = W @ h_prev + U @ x")) == ["undecided_weights", "constant", "advice"]
    assert keys(first("a = a_prev + 0.5 * b_prev + x\nb = a_prev"))[0] == "undecided_norms"
    two = first("a = W @ b_prev + U @ x\nb = a_prev")
    assert keys(two)[:2] == ["undecided_weights", "constant"]


@pytest.mark.parametrize(("rows", "small"), [
    ([[0, 1], [0, 0]], True), ([[0, 1], [Rational(1, 2), 0]], True), ([[0, 1], [1, 0]], False),
    ([[0, 2], [1, 0]], False), ([[Rational(1, 2), 9], [0, Rational(1, 2)]], True),
    ([[2, 0], [0, 2]], False),
])  # fmt: skip
def test_powers_of_a_nonnegative_matrix(rows, small):
    assert tends_to_zero(Matrix(rows)) is small


def values_and_blocks_lie_within(cell):
    """Compare what the ranges say with drawn trajectories; how many blocks had a finite bound."""
    compared = 0
    for seed, gain in ((1, 0.5), (2, 3.0), (3, 20.0)):
        with np.errstate(all="ignore"):
            path = walk(cell, seed, gain=gain, steps=4)
        derivation = path.derivation
        ranges, largest = Ranges(derivation.forward), Largest(derivation)
        for values in path.values:
            for target in (e.target for e in derivation.forward):
                (low, high), value = map(float, ranges.of(target)), values[target.name]
                value = value[np.isfinite(value)]
                slack = 1e-9 * max(1, np.abs(value).max(initial=0))
                assert np.all((value >= low - slack) & (value <= high + slack)), target
        for (of, by), block in derivation.step_jacobian.blocks.items():
            most = float(largest.of(block))
            for found in (path.block(jacobian, of, by) for jacobian in path.jacobians):
                if np.isfinite(most) and np.all(np.isfinite(found)):
                    assert np.linalg.norm(found, 2) <= most * (1 + 1e-9) + 1e-12, (of, by)
                    compared += 1
    return compared


@pytest.mark.parametrize("name", by_day(catalogue, 8))
def test_no_trajectory_of_the_catalogue_leaves_the_ranges(name):
    values_and_blocks_lie_within(name)


@settings(max_examples=300 if NIGHTLY else 10, deadline=None)
@given(cells())
def test_no_trajectory_of_any_cell_leaves_the_ranges(cell):
    values_and_blocks_lie_within(cell)


def test_a_range_that_is_too_small_is_noticed(monkeypatch):
    assert values_and_blocks_lie_within("min_gru")
    monkeypatch.setattr(Ranges, "largest", lambda self, node: Rational(1, 2))
    with pytest.raises(AssertionError):
        values_and_blocks_lie_within("min_gru")
