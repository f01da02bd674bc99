"""Theorems: which one a cell gets, that its slots are derived, that its number is a bound."""

from __future__ import annotations

import pytest
from sympy import Identity, MatAdd, MatMul, Mul, ZeroMatrix
from sympy import MatrixSymbol as M
from sympy.matrices.expressions import DiagMatrix

from derive import Cell, catalogue, differentiate
from derive.language.expr import Concat
from derive.language.norms import BlockBound, Largest, MaxAbs, Norm
from derive.theorems.claims import Bound, Relation
from derive.theorems.theorems import dominate, domination, theorem
from derive.typeset.layout import Layout
from derive.typeset.text import Text

ELMAN = "h = {}(W @ h_prev + U @ x + b)"


def written(thing):
    text = Text()
    if isinstance(thing, Relation):
        return f"{written(thing.left)} {thing.sign} {written(thing.right)}"
    return text(Layout().of(thing))


def claim(equations: str):
    return theorem(differentiate(Cell.parse(name="c", equations=equations)))


@pytest.mark.parametrize(
    ("function", "supremum"),
    [("tanh", "1"), ("sigmoid", "1/4"), ("relu", "1"), ("sin", "1"), ("hard_sigmoid", "1/5")],
)
def test_contraction_takes_the_supremum_of_the_table(function, supremum):
    made = claim(ELMAN.format(function))
    assert made.name == "contraction"
    assert str(made.supremum) == supremum
    assert written(made.bound.relation) == "‖∂h_t/∂h_k‖₂ ≤ (γ ‖W‖₂)^{t−k}"
    assert isinstance(made.rate.args[0], Largest)


@pytest.mark.parametrize(("function", "key"), [
    ("tanh(W @ h_prev + x)", "silent_slopes"),
    ("step(W @ h_prev + x, slope=straight_through)", "silent_norms"),
])  # fmt: skip
def test_a_slope_that_is_always_one_is_not_said_to_lie_below(function, key):
    assert claim(f"h = {function}").silent[0].key == f"contraction.{key}"


def test_an_unbounded_slope_gives_no_uniform_rate():
    assert claim(ELMAN.format("exp")).rate is None


def test_a_constant_matrix_product_enters_whole():
    made = claim("h = tanh((W - W.T) @ h_prev + U @ x)")
    assert made.name == "contraction"
    assert written(made.rate) == "γ ‖M_h‖₂"


@pytest.mark.parametrize("equations", [
    "h = z * h_prev + (1 - z) * tanh(W @ h_prev)\n",
    "h = tanh(W @ h_prev + U @ x) + h_prev",
])  # fmt: skip
def test_anything_else_is_bounded_step_by_step(equations):
    if "z *" in equations:
        equations = "z = sigmoid(V @ x)\n" + equations
    made = claim(equations)
    assert (made.name, made.rate) == ("stepwise", None)


def test_the_lstm_is_dominated_block_by_block():
    derivation = differentiate(catalogue["lstm"])
    made = theorem(derivation)
    assert made.name == "block_domination"
    assert [written(entry) for entry in domination(derivation)] == [
        "N_{cc,t} = ‖f_t‖_∞",
        "N_{hc,t} = ‖o_t ⊙ tanh′(c_t) ⊙ f_t‖_∞",
        "N_{ch,t} = ‖c_{t−1} ⊙ σ′(a_{f,t})‖_∞ ‖W_fh‖₂ + ‖c̃_t ⊙ σ′(a_{i,t})‖_∞ ‖W_ih‖₂"
        " + ‖i_t ⊙ tanh′(a_{c̃,t})‖_∞ ‖W_ch‖₂",
        "N_{hh,t} = ‖tanh(c_t) ⊙ σ′(a_{o,t})‖_∞ ‖W_oh‖₂ + ‖o_t ⊙ tanh′(c_t)‖_∞ N_{ch,t}",
    ]
    assert any(line.key == "block_domination.other_path" for line in made.silent)


def test_numbers_of_the_proof_are_those_of_the_derivation():
    derivation = differentiate(catalogue["rnn"])
    numbers = [s for line in theorem(derivation).proof for s in line.slots if isinstance(s, int)]
    parts = [derivation.steps[number - 1].part for number in numbers]
    assert parts == ["jacobian", "chain"]


def test_domination_of_each_form():
    n = 3
    A, B, d = M("A", n, n), M("B", n, n), M("d", n, 1)
    assert dominate(ZeroMatrix(n, n)) == 0
    assert dominate(Identity(n)) == 1
    assert dominate(DiagMatrix(d)) == MaxAbs(d)
    assert dominate(MatMul(-1, DiagMatrix(d), A)) == Mul(MaxAbs(d), Norm(A), evaluate=False)
    assert dominate(MatMul(2, A)).args == (2, Norm(A))
    assert dominate(MatAdd(A, B)).args == (Norm(A), Norm(B))
    assert dominate(Concat(A, B)).args == (Norm(A), Norm(B))


def test_a_block_bound_is_named_by_its_block():
    assert written(BlockBound("c", "h_tilde", differentiate(catalogue["rnn"]).chain.value.args[1]))


def test_a_bound_has_a_side():
    with pytest.raises(ValueError, match="sideways"):
        Bound(Norm(M("A", 2, 2)), "sideways", Norm(M("A", 2, 2)))
