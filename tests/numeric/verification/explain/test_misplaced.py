"""Right arrays in a wrong place are told by what happened to them, not by an equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from derive import Cell, Network, catalogue
from derive.cell import declared
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.verification.compare import within
from numeric.verification.explain.anatomy import anatomy_of
from numeric.verification.explain.audit import Audit
from numeric.verification.explain.explain import Finding, explain_gradients
from numeric.verification.explain.misplaced import (
    forgets,
    misplaced,
    of_all_steps,
    turned_axes,
)
from numeric.verification.fit import audited, fitted
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.scope import Scope
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, PARTIAL, PASS, diagnoses
from numeric.verification.verify import CREDIT, FAR, verify
from numeric.verification.watch import Guard, Subject, subject_of

RNN = catalogue["rnn"]
Made = tuple[Callable[..., Any], Callable[..., Any]]
Changed = Callable[[dict[str, Any], dict[str, Any]], None]


def by_hand(
    change: Changed = lambda gradients, params: None,
    states: Callable[[Any], Any] = lambda h: h[1:].copy(),
    window: int = 0,
) -> Made:
    """The plain RNN; its gradients changed, other states returned, or each loss cut short."""

    def forward(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
        x = inputs["x"]
        h = np.zeros((len(x) + 1, x.shape[1], len(params["b"])), x.dtype)
        if initial and "h" in initial:
            h[0] = initial["h"]
        for t in range(len(x)):
            h[t + 1] = np.tanh(h[t] @ params["W"].T + x[t] @ params["U"].T + params["b"])
        return {"h": states(h)}, (x, h)

    def backward(params: Any, tape: Any, cotangents: Any) -> Any:
        x, h = tape
        d = {name: np.zeros_like(value) for name, value in params.items()}
        dx, carry = np.zeros_like(x), np.zeros_like(h[0])
        h_bar = cotangents.get("h", np.zeros_like(h[1:]))
        losses = [slice(k, k + 1) for k in range(len(x))] if window else [slice(0, len(x))]
        dh_0 = np.zeros_like(carry)
        for loss in losses:
            carry = np.zeros_like(carry)
            first = max(0, loss.stop - window) if window else 0
            for t in reversed(range(first, loss.stop)):
                given = h_bar[t] if loss.start <= t else 0 * h_bar[t]
                a = (1 - h[t + 1] * h[t + 1]) * (carry + given)
                d["W"] += a.T @ h[t]
                d["U"] += a.T @ x[t]
                d["b"] += a.sum(0)
                dx[t] += a @ params["U"]
                carry = a @ params["W"]
            if first == 0:
                dh_0 = dh_0 + carry
        gradients = {"params": d, "inputs": {"x": dx}, "initial": {"h": dh_0}}
        change(gradients, params)
        return gradients

    return forward, backward


def found_in(forward: Any, backward: Any) -> dict[str, Finding]:
    """What the diagnosis says of the two functions."""
    problem = CellProblem(RNN)
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    guard = Guard(subject, forgiving=True, lacks=frozenset())
    return explain_gradients(problem, audited(problem, guard))


def reversed_in_time(gradients: dict[str, Any], params: dict[str, Any]) -> None:
    gradients["inputs"]["x"] = gradients["inputs"]["x"][::-1].copy()


def one_step_late(gradients: dict[str, Any], params: dict[str, Any]) -> None:
    gradients["inputs"]["x"] = np.roll(gradients["inputs"]["x"], 1, axis=0)


def weights_decay(gradients: dict[str, Any], params: dict[str, Any]) -> None:
    gradients["params"]["W"] += 0.01 * params["W"]


def kept(store: dict[Any, Any], gradients: dict[str, Any], params: dict[str, Any]) -> None:
    """Gradients of earlier calls of these shapes are still there."""
    total = store.setdefault(tuple(a.shape for a in params.values()), {})
    for name, array in gradients["params"].items():
        total[name] = total.get(name, 0) + array.astype(float)
        gradients["params"][name] = total[name].astype(array.dtype)


def jitter(rng: np.random.Generator, gradients: dict[str, Any], params: dict[str, Any]) -> None:
    gradients["params"]["U"] += 1e-3 * rng.normal(size=params["U"].shape)


@pytest.mark.by_default("reversed_in_time", "weights_decay", "change3", "change4")
@pytest.mark.parametrize(
    ("change", "label", "cause"),
    [
        (reversed_in_time, "inputs.x", "in reverse order of time"),
        (one_step_late, "inputs.x", "one step late"),
        (weights_decay, "params.W", "0.01 times the weights themselves"),
        (partial(kept, {}), "params.U", "never set to zero between calls"),
        (partial(jitter, np.random.default_rng(0)), "params.U", "equal calls give other values"),
    ],
)
def test_what_happened_to_a_right_gradient_is_the_cause(
    change: Changed, label: str, cause: str
) -> None:
    """No equation is blamed: each step's cotangents were right."""
    found = found_in(*by_hand(change))
    assert found[label].wrong
    assert cause in str(found[label].sentence)
    assert "adjoint equation" not in str(found[label].sentence)
    assert bool(found[label].steps) == ("calls" not in cause)  # another call may say otherwise


def no_number(gradients: dict[str, Any], params: dict[str, Any]) -> None:
    gradients["params"]["b"][0] = np.nan


def test_what_is_no_number_in_every_call_is_not_called_unsteady() -> None:
    """NaN ≠ NaN, and yet equal calls give the same."""
    found = found_in(*by_hand(no_number))["params.b"]
    assert found.wrong
    assert "equal calls" not in str(found.sentence)
    assert found.steps == dict.fromkeys(range(1, 5), False)


def slope_dropped(gradients: dict[str, Any], params: dict[str, Any]) -> None:
    """One mistake that every parameter has, and the order of time besides."""
    for array in (*gradients["params"].values(), gradients["initial"]["h"]):
        array *= 2
    gradients["inputs"]["x"] = 2 * gradients["inputs"]["x"][::-1]


@pytest.mark.long
def test_another_order_of_time_beside_another_mistake_is_told() -> None:
    """Dx has both; with one step it has the other alone, whose place is not its own."""
    found = found_in(*by_hand(slope_dropped))
    causes = found["inputs.x"].causes
    assert "it stands in reverse order of time" in causes[0]
    assert set(causes[1:]) == {*found["params.W"].causes}


def test_a_gradient_returned_under_another_name_is_told() -> None:
    """Of two layers of equal size: no equation of either is to blame."""
    network = Network(RNN, 2)
    problem, kernel = NetworkProblem(network), compile_network(network)

    def swapped(*arguments: Any) -> Any:
        loss, found = kernel.loss_and_gradient(*arguments)
        params = {**found["params"], "layer0.W": found["params"]["layer1.W"]}
        return loss, {**found, "params": params}

    guard = Guard(Subject(subject_of(kernel, problem.functions).declared,
                          {"loss_and_gradient": swapped}))  # fmt: skip
    audit = Audit(problem, lambda case: problem.call(guard, case), 0)
    assert audit.wrong == {"params.layer0.W"}
    said = misplaced(audit, "params.layer0.W", audit.right())
    assert said == "it is dW of layer1, returned in its place"


def test_a_small_number_in_the_forward_pass_is_told_by_how_near_it_comes() -> None:
    """PyTorch's ε under the root, which the cell does not have."""
    cell, theirs = (
        Cell.parse(name="own", equations=f"h = tanh(layer_norm(W @ x + U @ h_prev{number}))")
        for number in ("", ", 0.00001")
    )
    verdict = verify(compile_cell(theirs, "textbook"), cell=cell)
    said = verdict.gradients["params.W"].diagnosis or ""
    assert said.startswith("states.h is right to 1e-04 only; the backward pass is the gradient")


def test_gradients_that_forget_where_samples_end_are_told() -> None:
    """The loss regards lengths, its gradient does not: in calls without them both are right."""
    network = Network(RNN)
    problem, kernel = NetworkProblem(network), compile_network(network)

    def careless(*arguments: Any) -> Any:
        loss, _ = kernel.loss_and_gradient(*arguments)
        return loss, kernel.loss_and_gradient(*arguments[:5])[1]

    guard = Guard(Subject(subject_of(kernel, problem.functions).declared,
                          {"loss_and_gradient": careless}))  # fmt: skip
    label = "params.layer0.W"
    found = explain_gradients(problem, lambda case: problem.call(guard, case), failing=(label,))
    assert not found[label].wrong
    assert "of all T steps" in str(found[label].sentence)


def test_states_returned_in_place_of_others_leave_right_gradients_right() -> None:
    """h_{t−1} returned as h_t: the states are wrong, and no gradient is called so."""
    forward, backward = by_hand(states=lambda h: h[:-1].copy())
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    verdict = verify(subject, cell=RNN)
    assert verdict.status == FAIL
    assert {gradient.status for gradient in verdict.gradients.values()} == {PASS}
    lines = diagnoses({n: g.to_dict() for n, g in verdict.gradients.items()})
    assert lines == ["forward returns h_{t−1} as h_t"]
    assert "analytic" not in str(verdict.checks["complex_step"].reason)


@pytest.mark.long
def test_a_loss_cut_short_where_nothing_is_left_of_it_is_seen() -> None:
    """After 25 steps of a contracting cell no whole array shows it; a single step does."""
    problem = CellProblem(RNN)
    (case,) = (c for c in problem.unusual_cases() if not np.any(c.cotangents["h"][:-1]))
    for window, wrong in ((0, set()), (25, {"inputs.x", "initial.h"})):
        forward, backward = by_hand(window=window)
        subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
        guard = Guard(subject, forgiving=True, lacks=frozenset())
        session = Session(problem, guard, Guard(subject), 0, forgiving=True)
        got = session.result(case)
        far = session.far(case, got, within(session.autograd(case), got), FAR, CREDIT)
        assert {difference.label for difference in far} == wrong
        said = "no loss goes back further than 25 steps" if window else ""
        assert forgets(Audit(problem, audited(problem, guard), 0)) == said
        verdict = verify(subject, cell=RNN)
        assert verdict.status == (FAIL if window else PASS)
        assert not window or {verdict.gradients[label].status for label in wrong} == {FAIL}
        lines = diagnoses({n: g.to_dict() for n, g in verdict.gradients.items()})
        assert lines == ([f"dx and dh_0: {said}"] if window else [])


@pytest.mark.by_default("0")
@pytest.mark.parametrize("window", [0, 25])
def test_a_loss_cut_short_is_seen_in_gradients_of_parameters_alone(window: int) -> None:
    """Inputs that end early leave U with what comes from afar."""

    def keep_parameters(gradients: Any, params: Any) -> None:
        del gradients["inputs"], gradients["initial"]

    forward, backward = by_hand(keep_parameters, window=window)
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    verdict = verify(subject, cell=RNN)
    assert verdict.status == (FAIL if window else PARTIAL)
    assert verdict.gradients["params.U"].status == (FAIL if window else PASS)


@pytest.mark.parametrize("window", [5, 9])
def test_a_loss_cut_short_is_named_where_no_input_has_a_gradient(window: int) -> None:
    """A call of one step more is the first that is wrong; W may be right in it, from h_0 = 0."""

    def keep_parameters(gradients: Any, params: Any) -> None:
        del gradients["inputs"], gradients["initial"]

    forward, backward = by_hand(keep_parameters, window=window)
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    guard = Guard(subject, forgiving=True, lacks=None)
    fit = fitted(CellProblem(RNN), guard, 0)
    problem = CellProblem(RNN).within(fit.scope)
    found = explain_gradients(
        problem, audited(problem, guard.within(fit.scope.lacks)), failing=["params.U"],
        counterexample={"T": window + 1, "B": 1, "n": 1, "m": 1},
    )  # fmt: skip
    said = f"truncated after {window} steps: each loss goes back {window} steps, no further"
    assert {label: one.causes for label, one in found.items() if one.wrong} == dict.fromkeys(
        ("params.W", "params.U", "params.b"), (said,)
    )
    assert all(one.scaled_error > 1e-7 for one in found.values() if one.wrong)


def test_code_that_takes_no_lengths_is_not_blamed_for_them() -> None:
    problem = NetworkProblem(Network(RNN, 1)).within(Scope(lengths=False))
    kernel = compile_network(problem.network, "textbook")
    inner = audited(problem, Guard(subject_of(kernel, problem.functions)))
    audit = Audit(problem, lambda case: inner(replace(case, lengths=None)), 0)
    assert of_all_steps(audit, {*audit.labels}) == {}


def turned(arrays: Any) -> Any:
    return {name: np.swapaxes(array, 0, 1).copy() for name, array in arrays.items()}


def in_front(*, from_zero: bool) -> Made:
    """The plain RNN with the batch in front; from zero, whatever initial state is given."""
    forward, backward = by_hand()

    def other_forward(params: Any, inputs: Any, initial: Any = None) -> Any:
        states, tape = forward(params, turned(inputs), None if from_zero else initial)
        return turned(states), tape

    def other_backward(params: Any, tape: Any, cotangents: Any) -> Any:
        found = backward(params, tape, turned(cotangents))
        if from_zero:  # of the shape that is asked for
            found["initial"]["h"] = np.zeros((tape[0].shape[0], len(params["b"])))
        return {**found, "inputs": turned(found["inputs"])}

    return other_forward, other_backward


def test_sequences_with_the_batch_in_front_are_told_by_their_states() -> None:
    """The code starts from zero, so that no shape shows it."""
    found = found_in(*in_front(from_zero=True))
    assert "--batch-first" in str(found["params.W"].sentence)


def test_code_that_runs_with_the_batch_in_front_alone_is_told_of_the_flag() -> None:
    """Not one call gives a result; the reason says what to do."""
    forward, backward = in_front(from_zero=False)
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    fit = fitted(CellProblem(RNN), Guard(subject, forgiving=True, lacks=None), 0)
    assert "--batch-first" in fit.unjudged["params.W"]


def test_the_axes_of_right_code_are_not_turned() -> None:
    """The right code computes other states of exchanged axes."""
    problem = CellProblem(RNN)
    forward, backward = by_hand()
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    audit = Audit(problem, audited(problem, Guard(subject, forgiving=True, lacks=frozenset())), 0)
    assert not audit.wrong
    assert not turned_axes(audit)
    assert anatomy_of(problem).by_step
