"""Wrong backward passes of matrix memories and stabilised gates: none passes, each is named."""

from __future__ import annotations

import pytest
from corpus import right
from memories import MEMORIES
from profiles import by_day
from public import Public

from derive import catalogue
from numeric.compiler.target import load
from numeric.verification.explain.explain import explain_gradients
from numeric.verification.problems.of_cell import CellProblem, call
from numeric.verification.verdict import diagnoses, not_judged
from numeric.verification.verify import verify
from numeric.verification.watch import CELL_FUNCTIONS, Guard, subject_of

CELLS = ("slstm", "delta_net", "m2rnn")
WINDOW = "wrong below a window of three steps"


def test_states_that_are_matrices_and_gradients_of_first_and_last_states_are_among_them():
    assert {one.cell for one in MEMORIES} == {*CELLS}
    assert len({(one.cell, one.story) for one in MEMORIES}) == len(MEMORIES) >= 20
    stories = " ".join(one.story for one in MEMORIES)
    for part in ("initial state", "final state", "stabiliser", "chunk", "window"):
        assert part in stories


@pytest.mark.long
@pytest.mark.parametrize("cell", by_day(CELLS, 3, 1))
def test_the_right_file_passes(cell: str) -> None:
    verdict = verify(load(right(cell), cell), cell=catalogue[cell])
    assert verdict.status == "pass", verdict.summary()


@pytest.mark.by_default("delta_net: the key's share in what is erased forgotten")
@pytest.mark.parametrize("one", by_day(MEMORIES, 9, 1), ids=lambda one: f"{one.cell}: {one.story}")
def test_the_mistake_is_refused_and_named(one: Public) -> None:
    verdict = verify(load(one.source(), "wrong"), cell=catalogue[one.cell])
    assert verdict.status == one.status
    gradients = {name: gradient.to_dict() for name, gradient in verdict.gradients.items()}
    told = "\n".join([*diagnoses(gradients), *not_judged(verdict.unjudged)])
    for words in one.says:
        assert words in told, told
    assert "no gradient with one or two terms" not in told
    assert "small, ordinary calls" not in told


def test_what_is_wrong_in_short_calls_alone_is_named_with_their_length() -> None:
    (one,) = (m for m in MEMORIES if m.story == WINDOW)
    guard = Guard(subject_of(load(one.source(), "wrong"), CELL_FUNCTIONS))
    found = explain_gradients(
        CellProblem(catalogue[one.cell]), lambda case: call(guard, case),
        failing=["initial.S"], counterexample={"T": 2, "B": 1},
    )["initial.S"]  # fmt: skip
    assert not found.wrong  # in the calls that are usual
    assert "the carry of S is missing" in (found.sentence or "")
    assert (found.sentence or "").endswith(", in calls of T = 2")


@pytest.mark.long
def test_right_code_that_an_identity_of_the_root_makes_right_is_not_called_wrong() -> None:
    """‖k‖ = 1 takes what lies along k out of its cotangent: S_t for S_{t−1} changes nothing."""
    source = right("delta_net").replace(
        "(de[..., None, :] @ S[t])", "(de[..., None, :] @ S[t + 1])"
    )
    assert source != right("delta_net")
    verdict = verify(load(source, "another"), cell=catalogue["delta_net"])
    assert verdict.status == "inconclusive"
    assert "identity of" in (verdict.checks["exact"].reason or "")
    assert {gradient.status for gradient in verdict.gradients.values()} <= {"pass", "inconclusive"}
