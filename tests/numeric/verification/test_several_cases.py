"""Several cases of a cell in one trace: each has the answer that it has by itself."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue
from numeric.verification import oracles
from numeric.verification.cases import Case
from numeric.verification.oracles import Answer, autograd_answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.several_cases import answer_together, answers, can_share

MIXED = Cell.parse(
    name="mixed",
    equations="""
        p = softmax(W @ h_prev + U @ x)
        h = g * sin(p) / (2 + exp(0.1 * x)) + relu(V @ concat(x, h_prev)) - 2 * K @ h_prev
        y = b + W.T @ W @ b
    """,
    scalars=("g",), constants=("K",), outputs=("y",),
)  # fmt: skip
CELLS = {"lstm": catalogue["lstm"], "mixed": MIXED}


class TracedError(Exception):
    """A case has a trace of its own."""


def traced(*given: object) -> None:
    raise TracedError


def several(problem: CellProblem) -> list[Case]:
    """Cases of equal sizes in which all numbers differ, those of parameters too."""
    sizes = problem.ordinary_sizes()
    kinds = [(1, "ordinary"), (2, "contracting"), (4, "saturated")]
    return [problem.case(sizes, steps=3, batch=2, seed=seed, regime=kind) for seed, kind in kinds]


def assert_same(one: Answer, other: Answer) -> None:
    assert one.states.keys() == other.states.keys()
    for name, value in other.states.items():
        np.testing.assert_array_equal(one.states[name], value)
    for group, arrays in other.gradients.items():
        assert one.gradients[group].keys() == arrays.keys()
        for name, value in arrays.items():
            assert one.gradients[group][name].shape == value.shape
            largest = np.max(np.abs(value), initial=0.0)
            np.testing.assert_allclose(one.gradients[group][name], value, 0, 1e-13 * largest)


@pytest.mark.parametrize("name", CELLS)
def test_each_case_has_its_own_answer(name: str) -> None:
    problem = CellProblem(CELLS[name])
    cases = several(problem)
    for case, found in zip(cases, answers(problem.cell, cases), strict=True):
        assert_same(found, autograd_answer(problem, case))


def test_who_asks_for_one_has_it_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = CellProblem(catalogue["lstm"])
    cases = several(problem)
    other = problem.case(problem.ordinary_sizes(), steps=2, batch=2)
    want = [autograd_answer(problem, case) for case in cases]
    oracles._by_autograd.cache_clear()
    answer_together(problem, [*cases, other])
    monkeypatch.setattr(oracles, "gradients_of", traced)
    for case, answer in zip(cases, want, strict=True):
        assert_same(autograd_answer(problem, case), answer)
    with pytest.raises(TracedError):  # of another length
        autograd_answer(problem, other)


@pytest.mark.parametrize("name", ["delta_net", "clockwork_rnn"])
def test_where_steps_have_matrices_or_constants_each_has_a_trace_of_its_own(name: str) -> None:
    assert not can_share(catalogue[name])
    answer_together(CellProblem(catalogue[name]), [])
