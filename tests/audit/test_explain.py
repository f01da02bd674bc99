"""What the diagnosis is made of: changed loops in numbers, other cells, whole arrays treated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corpus import right
from profiles import NIGHTLY, by_day

from derive import Cell, catalogue, differentiate
from derive.calculus.adjoint import carry
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.meaning.run_cell import run_cell
from numeric.verification.cases import Case
from numeric.verification.explain.audit import CALLS, equal, relative_error
from numeric.verification.explain.change import Change
from numeric.verification.explain.changed_equations import ForwardPass
from numeric.verification.explain.equation_names import EquationNames
from numeric.verification.explain.explain import explain_gradients
from numeric.verification.explain.mistakes import mistakes
from numeric.verification.explain.other_cells import dialects
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case, ordinary_sizes
from numeric.verification.watch import Guard, subject_of

CELLS = ("rnn", "gru", "lstm")


def states(cell: Cell, case: Case) -> dict[str, np.ndarray]:
    found = run_cell(cell, case.params, case.inputs, case.initial)
    return {name: np.stack(values) for name, values in found.items()}


def case_of(cell: str, steps: int = 4) -> Case:
    return make_case(catalogue[cell], ordinary_sizes(catalogue[cell]), steps=steps, batch=2, seed=3)


def tape_of(cell: str) -> ForwardPass:
    return ForwardPass(differentiate(catalogue[cell]), case_of(cell))


@pytest.mark.parametrize("cell", by_day(CELLS, 2, 1))
def test_a_window_of_all_steps_is_the_gradient_and_of_one_lacks_the_carries(cell: str) -> None:
    tape = tape_of(cell)
    derivation = tape.derivation
    missing = {
        (e.target.name, place): None
        for e in derivation.adjoint
        for place, term in enumerate(e.terms) if term.value == carry(e.of)
    }  # fmt: skip
    for one, other in (
        (Change(window=4), Change()), (Change(piece=(4, True)), Change()),
        (Change(window=1), Change(terms=missing)), (Change(piece=(1, False)),
                                                    Change(terms=missing)),
    ):  # fmt: skip
        for group, name, _ in tape.case.groups():
            if group != "initial" or other == Change():
                label = f"{group}.{name}"
                assert equal(tape.gradients(one)[label], tape.gradients(other)[label]), label


@pytest.mark.parametrize("cell", by_day(CELLS, 2))
def test_pieces_are_the_gradients_of_two_sequences(cell: str) -> None:
    tape = tape_of(cell)
    case, found = tape.case, tape.gradients(Change(piece=(2, False)))
    middle = {name: value[1] for name, value in tape.states.items()}
    total: dict[str, np.ndarray] = {}
    for part, initial in ((slice(0, 2), case.initial), (slice(2, 4), middle)):
        inputs = {name: value[part] for name, value in case.inputs.items()}
        cotangents = {name: value[part] for name, value in case.cotangents.items()}
        one = replace(case, steps=2, inputs=inputs, initial=initial, cotangents=cotangents)
        for name, value in (
            autograd_answer(CellProblem(catalogue[cell]), one).gradients["params"].items()
        ):
            total[name] = total.get(name, 0) + value
    for name, value in total.items():
        assert relative_error(found[f"params.{name}"], value) < 1e-11


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("cell", by_day(CELLS, 2))
def test_no_mistake_of_the_list_is_the_right_gradient(cell: str) -> None:
    """A mistake that changes nothing would be found in right code."""
    steps = max(steps for steps, _ in CALLS)  # what is cut after all but one of them is seen
    tape = ForwardPass(differentiate(catalogue[cell]), case_of(cell, steps))
    want = tape.gradients(Change())
    labels = [f"{group}.{name}" for group, name, _ in tape.case.groups()]
    for mistake in mistakes(tape.derivation, EquationNames(tape.derivation)):
        if mistake.derivation is None:
            found = tape.gradients(mistake.change)
            assert not all(equal(found[label], want[label]) for label in labels), mistake.what


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("cell", by_day(CELLS, 2))
def test_every_other_cell_is_another_and_is_recognised(cell: str) -> None:
    derivation = differentiate(catalogue[cell])
    others = list(dialects(derivation, EquationNames(derivation)))
    assert len(others) >= 10
    case = case_of(cell)
    own = states(catalogue[cell], case)
    for number, dialect in enumerate(others):
        if dialect.from_zero:
            continue
        found = states(dialect.cell, case)
        assert any(relative_error(found[name], own[name]) > 1e-6 for name in own), dialect.what
        if not NIGHTLY and number % 9:
            continue
        guard = Guard(subject_of(compile_cell(dialect.cell, "textbook")))
        told = explain_gradients(
            CellProblem(catalogue[cell]), lambda one, guard=guard: call(guard, one)
        )
        sentences = {finding.sentence for finding in told.values()}
        assert len(sentences) == 1
        assert "is the gradient of your own forward; your forward is this cell w" in sentences.pop()


def test_what_is_off_in_float32_code_beside_its_rounding_is_told() -> None:
    source = right("rnn")
    module = load(source, "right")

    def low(arrays: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
        return {name: value.astype(np.float32) for name, value in (arrays or {}).items()}

    def called(case: Case) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
        found, tape = module.forward(low(case.params), low(case.inputs), low(case.initial))
        gradients = module.backward(low(case.params), tape, low(case.cotangents))
        gradients["params"]["U"] = 2 * gradients["params"]["U"]
        wide = {g: {n: a.astype(float) for n, a in d.items()} for g, d in gradients.items()}
        return {n: a.astype(float) for n, a in found.items()}, wide

    told = explain_gradients(CellProblem(catalogue["rnn"]), called)
    assert "computes in float32 and returns float64" in told["params.W"].sentence
    assert "float32 does not explain" not in told["params.W"].sentence
    assert "dU is off by 1.0e+00, which float32 does not explain" in told["params.U"].sentence


def told_of(change) -> dict[str, str]:
    """What is said of the right module whose gradients are changed, of each of them."""
    module = load(right("rnn"), "right")

    def called(case: Case) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
        found, tape = module.forward(case.params, case.inputs, case.initial)
        gradients = module.backward(case.params, tape, case.cotangents)
        change(case, gradients)
        return found, gradients

    told = explain_gradients(
        CellProblem(catalogue["rnn"]), called, failing=["params.W"],
        counterexample={"T": 1, "B": 17, "n": 1, "m": 1},
    )  # fmt: skip
    return {label: finding.sentence or "" for label, finding in told.items()}


def test_one_gradient_in_float32_is_told_from_a_missing_term() -> None:
    def low(case: Case, gradients: dict[str, dict[str, np.ndarray]]) -> None:
        W = gradients["params"]["W"]
        gradients["params"]["W"] = W.astype(np.float32).astype(W.dtype)

    told = told_of(low)
    assert "dW: it is computed in float32" in told["params.W"]
    assert not told["params.U"]


def test_what_is_wrong_in_large_batches_of_one_step_alone_is_told_with_their_size() -> None:
    """A call of one step has no second step whose loss could stand alone."""

    def few(case: Case, gradients: dict[str, dict[str, np.ndarray]]) -> None:
        if case.batch > 8:
            gradients["params"]["W"] = gradients["params"]["W"] * np.arange(1, case.batch)[-1]
            gradients["params"]["W"] += 1

    said = told_of(few)["params.W"]
    assert said.endswith(", in calls of T = 1, B = 17"), said


def test_what_is_right_of_all_losses_alone_is_not_put_down_to_two_signs_that_undo_each_other() -> (
    None
):
    def still(case: Case, gradients: dict[str, dict[str, np.ndarray]]) -> None:
        if not np.any(case.cotangents["h"][-1]):
            for group in gradients.values():
                group.update({name: 0 * value for name, value in group.items()})

    for label, said in told_of(still).items():
        assert "right where every step has a loss" in said, label
        assert "not linear in cotangents" in said
        assert "wrong sign" not in said
