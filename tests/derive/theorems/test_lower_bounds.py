"""Lower bounds: the smallest singular value, the volume, the determinant in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from on_paths import SEEDS, Numbers, derived, walk
from sympy import preorder_traversal

from derive import Cell, catalogue, differentiate
from derive.calculus.through_time import EARLIER, TIME
from derive.cell import previous
from derive.language.expr import At, replace
from derive.language.functions import FUNCTIONS, X
from derive.theorems.claims import Line
from derive.theorems.lower_bounds import (
    determinant,
    no_uniform_explosion,
    smallest_singular_value,
    volume,
)
from derive.theorems.theorems import theorems
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.meaning.interpret import evaluate


def numbers_of(path, claim, t, k):
    """The numbers of a claim between two steps."""
    numbers = Numbers(path, claim.entries, {TIME: t, EARLIER: k})
    numbers.window = (k, t)
    for state in path.derivation.cell.states:
        numbers.known |= {symbol: 3 for symbol in state.shape[0].free_symbols}
    return numbers


@pytest.mark.parametrize("name", ["rnn", "irnn", "indrnn", "mi_rnn", "t_rnn", "brc"])
@pytest.mark.parametrize("seed", SEEDS)
def test_products_of_one_state(name, seed):
    path = walk(name, seed, gain=1.5, steps=5)
    least, mean = smallest_singular_value(path.derivation), volume(path.derivation)
    for t in range(1, 6):
        for k in range(t):
            values = np.linalg.svd(path.product(t, k))[1]
            low = numbers_of(path, least, t, k)(least.bound.expression)
            middle = numbers_of(path, mean, t, k)(mean.bound.expression)
            assert values.min() >= low * (1 - 1e-9) - 1e-15
            assert values.min() - 1e-12 <= middle <= values.max() * (1 + 1e-9)
            assert middle == pytest.approx(math.prod(values) ** (1 / 3), rel=1e-6, abs=1e-5)


@pytest.mark.parametrize(
    "name", [n for n in catalogue if len(catalogue[n].states) == 2
             and volume(derived(n))]
)  # fmt: skip
def test_the_volume_of_two_states(name):
    path = walk(name, 1, gain=1.0, steps=3)
    claim = volume(path.derivation)
    middle = numbers_of(path, claim, 3, 0)(claim.bound.expression)
    values = np.linalg.svd(path.product(3, 0))[1]
    assert middle == pytest.approx(abs(np.linalg.det(path.product(3, 0))) ** (1 / 6), rel=1e-6)
    assert values.min() <= middle <= values.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_somewhere_in_the_box_the_smallest_singular_value_is_at_most_one(seed):
    """At a large gain most states of the box are contracted; the mean of |det| is at most 1."""
    rng = np.random.default_rng(seed)
    W, u = rng.normal(size=(2, 2)) * 4, rng.normal(size=2)
    h = rng.uniform(-1, 1, size=(20_000, 2))
    slopes = 1 - np.tanh(h @ W.T + u) ** 2
    volumes = np.prod(slopes, axis=1) * abs(np.linalg.det(W))
    assert volumes.mean() <= 1.05
    least = [np.linalg.svd(np.diag(s) @ W)[1].min() for s in slopes[:50]]
    assert min(least) <= 1


@pytest.mark.parametrize(
    ("function", "claimed"),
    [("tanh", True), ("sigmoid", True), ("softsign", True), ("relu", False), ("sin", False),
     ("hard_tanh", False), ("softplus", False)],
)  # fmt: skip
def test_the_no_go_needs_a_bounded_increasing_function(function, claimed):
    cell = Cell.parse(name="c", equations=f"h = {function}(W @ h_prev + U @ x)")
    made = no_uniform_explosion(differentiate(cell))
    assert (made is not None) == claimed
    if claimed:
        slope = FUNCTIONS[function].slope
        assert all(slope.subs(X, point).evalf() > 0 for point in (-9, -2, 0, 1, 5))


def test_the_no_go_needs_the_state_to_be_the_function_itself():
    cell = Cell.parse(name="c", equations="h = tanh(W @ h_prev) + U @ x")
    names = [claim.name for claim in theorems(differentiate(cell))]
    assert "contraction" in names
    assert "no_uniform_explosion" not in names


def test_a_matrix_that_is_not_square_has_no_smallest_singular_value_here():
    assert smallest_singular_value(derived("multiplicative_rnn")) is None


# ---- the determinant: it equals that of the blocks, and others get none ---------------------


PEEPHOLE = """
f = sigmoid(W_f @ h_prev + p * c_prev)
o = sigmoid(W_o @ h_prev + x)
c = f * c_prev + tanh(W_c @ h_prev)
h = o * tanh(c)
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rnn", "∏_i (tanh′(a_t))_i det W"),
        ("lstm", "∏_i (f_t ⊙ tanh(c_t) ⊙ σ′(a_{o,t}))_i det W_oh"),
    ],
)
def test_closed_form(name, text):
    assert Text()(Layout().of(determinant(differentiate(catalogue[name])))) == text


PEEPING = Cell.parse(name="p", equations=PEEPHOLE, sizes={"x": "n"})


@pytest.mark.parametrize(
    "cell", [catalogue["rnn"], catalogue["lstm"], PEEPING], ids=lambda c: c.name
)
def test_it_equals_the_determinant_of_the_blocks(cell):
    derivation = differentiate(cell)
    rng = np.random.default_rng(3)
    sizes = {"n": 3, "m": 2}
    values = {
        symbol.name: rng.normal(size=tuple(sizes.get(str(e), 1) for e in symbol.shape))
        for symbol in (
            *derivation.cell.parameters, *derivation.cell.inputs, *derivation.cell.previous_states,
        )
    }  # fmt: skip
    for equation in derivation.forward:
        values[equation.target.name] = evaluate(equation.value, values, sizes)
    states = derivation.cell.states
    jacobian = derivation.step_jacobian
    whole = np.block([
        [evaluate(jacobian.expanded(a.name, b.name), values, sizes) for b in states] for a in states
    ])
    entries, matrix = determinant(derivation).args
    column = entries.args[0]
    plain = {
        at: at.args[0] if at.args[1] == TIME else previous(at.args[0])
        for at in preorder_traversal(column)
        if isinstance(at, At)
    }
    written = replace(column, plain)
    found = np.prod(evaluate(written, values, sizes)) * np.linalg.det(values[matrix.args[0].name])
    assert found == pytest.approx(np.linalg.det(whole), rel=1e-10)


def test_a_cell_without_a_closed_form_gets_none():
    assert determinant(differentiate(catalogue["gru"])) is None
    leaky = Cell.parse(name="leaky", equations="h = h_prev + tanh(W @ h_prev + x)")
    assert determinant(differentiate(leaky)) is None


def test_a_volume_of_diagonal_blocks_alone_has_its_own_sentence():
    text = "f = sigmoid(F @ x)\ng = sigmoid(G @ x)\ni = sigmoid(V @ h_prev + I @ x)\n" + (
        "c = f * c_prev + i * tanh(U @ h_prev)\nh = f * tanh(c) + g * h_prev"
    )
    found = volume(differentiate(Cell.parse(name="diagonals", equations=text)))
    assert found.proof[-1] == Line("volume.diagonals")
