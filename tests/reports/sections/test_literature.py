"""Sources one by one, and the recursion that tutorials copy."""

from __future__ import annotations

import pytest

from derive import Cell, catalogue, differentiate
from derive.calculus.adjoint import carry
from derive.calculus.through_time import TIME
from derive.language.expr import At
from derive.typeset.text import Text
from reports.document.model import Bullets
from reports.sections.facts import Facts
from reports.sections.literature import apart, dropped, drops, is_lstm, sources


@pytest.mark.parametrize(("given", "told"), [
    ("A 1997, B 9; forget gate: C 2000", ["A 1997, B 9", "Forget gate: C 2000"]),
    ("A 2014, arXiv:1; z weighs the new: B 2014", ["A 2014, arXiv:1", "z weighs the new: B 2014"]),
    ("A 2024, NeurIPS; keys are normalised there", ["A 2024, NeurIPS; keys are normalised there"]),
    ("A 2024；键已归一化；B 2023", ["A 2024；键已归一化", "B 2023"]),
])  # fmt: skip
def test_what_has_no_year_is_said_of_the_source_before(given, told):
    assert apart(given) == told


def test_the_copied_recursion_names_its_gap():
    facts = Facts(differentiate(catalogue["lstm"]))
    assert drops(facts)
    _, alone, _, lost, number = dropped(facts)
    assert Text()(alone) == "δ_{t−1} = (∂h_t/∂h_{t−1})ᵀ δ_t"
    assert Text()(facts.layout.of(lost)) == "c_t"
    step = facts.derivation.steps[number - 1]
    assert step.number == number
    assert step.equation.target == At(carry(catalogue["lstm"].states[0]), TIME - 1)
    assert is_lstm(facts)
    for name in ("rnn", "mlstm"):  # no second state; two that do not read each other
        assert not drops(Facts(differentiate(catalogue[name])))


def test_a_work_that_the_cell_comes_from_is_named_once():
    works = sources(Facts(differentiate(catalogue["lstm"]))).blocks[0]
    assert isinstance(works, Bullets)
    told = ["".join(part.text for part in item) for item in works.items]
    assert [work for work in told if work.startswith("Hochreiter")] == [
        "Hochreiter and Schmidhuber 1997, Neural Computation 9."
    ]


MOMENTUM = """
v = 0.9 * v_prev + tanh(W @ h_prev + U @ x)
h = h_prev + v"""
LINEAR = """
a = A @ a_prev + B @ b_prev + U @ x
b = C @ a_prev"""


@pytest.mark.parametrize("name", [
    "peephole_lstm", "coupled_lstm", "lstm_1997", "lstm_cifg", "lstm_np",
])  # fmt: skip
def test_what_tutorials_copy_is_said_of_cells_of_their_kind(name):
    assert is_lstm(Facts(differentiate(catalogue[name])))


@pytest.mark.parametrize("equations", [MOMENTUM, LINEAR])
def test_nothing_is_said_of_tutorials_and_gates_where_there_are_none(equations):
    facts = Facts(differentiate(Cell.parse(name="c", equations=equations)))
    assert not is_lstm(facts)
    words = repr(sources(facts))
    assert "utorials" not in words
    assert "That gates" not in words


def test_that_gates_help_is_not_denied_where_nothing_explodes():
    """The first theorem excludes it: what is said of theorems that exclude neither is left out."""
    text = "f = sigmoid(W @ x)\nc = f * c_prev + x\nh = 0.5 * f * h_prev + 0.5 * (1 - f) * c_prev"
    told = repr(sources(Facts(differentiate(catalogue["lstm"]))))
    assert "That gates" in told
    facts = Facts(differentiate(Cell.parse(name="c", equations=text)))
    assert "vanish" in facts.claim.verdict[0].key or "bounded" in facts.claim.verdict[0].key
    assert "That gates" not in repr(sources(facts))


SKEW = "h = tanh((W - W.T) @ h_prev + U @ x)"


def test_entries_and_eigenvalues_are_spoken_of_where_the_matrix_is_any():
    """W − Wᵀ has no entry on its diagonal but 0, and its norm is its largest eigenvalue."""
    rnn, skew = (Facts(differentiate(cell)) for cell in (
        catalogue["rnn"], Cell.parse(name="c", equations=SKEW)))  # fmt: skip
    assert skew.claim.rate is not None
    for facts, said in ((rnn, True), (skew, False)):
        assert ("bound no product" in repr(sources(facts))) is said
        keys = {line.key for line in facts.claim.silent}
        assert ("contraction.silent_eigenvalues" in keys) is said
        assert ("contraction.silent_slopes" in keys) is said
