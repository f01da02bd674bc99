"""The determinant in closed form: it equals that of the blocks, and others get none."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import preorder_traversal

from derive import Cell, catalogue, differentiate
from derive.calculus.through_time import TIME
from derive.cell import previous
from derive.language.expr import At, replace
from derive.theorems.lower_bounds import determinant
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.meaning.interpret import evaluate

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
