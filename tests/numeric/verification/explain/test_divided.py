"""Gradients divided by the number of samples are told so, and what else is wrong with them."""

from __future__ import annotations

import pytest
from corpus import right

from derive import Network, catalogue
from derive.cell import declared
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.verification.explain.audit import Audit
from numeric.verification.explain.divided import divided_by_samples, undone
from numeric.verification.explain.explain import Finding, explain_gradients
from numeric.verification.fit import audited
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verdict import diagnoses
from numeric.verification.watch import LOSS, Guard, Subject, subject_of

RNN = catalogue["rnn"]
MEAN = ('    return {\n        "params": {',
        "    B = max(1, x.shape[1])\n    dW, dU, db = dW / B, dU / B, db / B\n"
        '    return {\n        "params": {')  # fmt: skip
SLOPE = ("da = dh * (1 - h[t] ** 2)", "da = dh * (1 - h[t] * 2)")
ODD = ("dh_next = da @ W", "dh_next = (1 + 0.1 * t) * (da @ W)")


def audit_of(*edits: tuple[str, str]) -> Audit:
    """The plain RNN with edits, called as the diagnosis calls it."""
    source = right("rnn")
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    module, problem = load(source, "edited"), CellProblem(RNN)
    subject = Subject(declared(RNN), {"forward": module.forward, "backward": module.backward})
    guard = Guard(subject, forgiving=True, lacks=frozenset())
    return Audit(problem, audited(problem, guard), 0)


def lines(found: dict[str, Finding]) -> list[str]:
    return diagnoses({label: {"diagnosis": one.sentence, "causes": one.causes}
                      for label, one in found.items()})  # fmt: skip


@pytest.mark.parametrize("edits", [(MEAN,), (MEAN, SLOPE), (MEAN, ODD)])
def test_the_code_itself_tells_that_it_divides(edits: tuple[tuple[str, str], ...]) -> None:
    audit = audit_of(*edits)
    params = {"params.W", "params.U", "params.b"}
    assert divided_by_samples(audit, {*audit.labels}) == params
    assert undone(audit, params).wrong == audit_of(*edits[1:]).wrong


def test_code_that_sums_divides_nothing() -> None:
    assert divided_by_samples(audit_of(SLOPE), {*audit_of().labels}) == set()


def test_what_is_wrong_besides_is_named() -> None:
    audit = audit_of(MEAN, SLOPE)
    slope, mean = lines(explain_gradients(audit.problem, audit.call))
    assert slope.startswith("all gradients: with 1 − 2 h_t for tanh′(a_t)")
    assert mean == "dW, dU and db: divided by B"


def test_what_one_mistake_says_is_not_taken_apart() -> None:
    mean = (MEAN[0], MEAN[1].replace("max(1, x.shape[1])", "max(1, x.shape[1] * T)"))
    audit = audit_of(mean)
    assert divided_by_samples(audit, {*audit.labels}) == {"params.W", "params.U", "params.b"}
    (line,) = lines(explain_gradients(audit.problem, audit.call))
    assert line.startswith("dW, dU and db each equal the gradient averaged over time and batch")


def test_what_is_the_right_gradient_times_a_number_is_not_said_of_it_divided() -> None:
    scaled = (MEAN[0], MEAN[1].replace("db / B", "db / B\n    dW, dU = 0.37 * dW, 0.59 * dU"))
    audit = audit_of(scaled)
    found = explain_gradients(audit.problem, audit.call)
    assert found["params.W"].sentence == (
        "dW: it is the right gradient multiplied by 37/100; it is divided by B as well, and what "
        "is said is of B times it"
    )
    assert "dW: it is the right gradient multiplied by 37/100" not in lines(found)
    assert found["params.b"].causes == ("divided by B",)


@pytest.mark.long
def test_what_no_term_explains_is_told_of_b_times_the_array() -> None:
    audit = audit_of(MEAN, ODD)
    found = explain_gradients(audit.problem, audit.call)
    sentence = found["params.W"].sentence
    assert "first in adjoint equation 6: h⃖_{t−1} = " in sentence
    assert sentence.endswith("it is divided by B as well, and what is said is of B times it")
    assert "divided" not in found["inputs.x"].sentence


def test_a_network_with_the_mean_of_its_losses() -> None:
    network = Network(RNN, 1)
    kernel = compile_network(network, "textbook")
    problem = NetworkProblem(network)
    inner = audited(problem, Guard(subject_of(kernel, problem.functions)))

    def call(case):
        outputs, gradients = inner(case)
        gradients["params"]["layer0.W"] = gradients["params"]["layer0.W"].swapaxes(0, 1)
        found = {g: {n: a / case.batch for n, a in own.items()} for g, own in gradients.items()}
        return {**outputs, LOSS: outputs[LOSS] / case.batch}, found

    loss, divided, turned = lines(explain_gradients(problem, call))
    assert loss == "all gradients: the loss is the right one divided by B"
    assert divided == "all gradients: divided by B"
    assert turned.startswith("dW of layer0: transposed (layer0, adjoint equation 8")
