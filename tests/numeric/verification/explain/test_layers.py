"""The diagnosis of a wrong gradient of a network: its equations in numbers, and what is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, Network, catalogue
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.verification.explain.anatomy import anatomy_of
from numeric.verification.explain.audit import STEPS
from numeric.verification.explain.explain import Finding, explain_gradients
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verdict import diagnoses
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, subject_of

RNN, LSTM = catalogue["rnn"], catalogue["lstm"]
UPWARD = Cell.parse(
    name="upward", equations="h = tanh(W @ h_prev + U @ x + D @ h_below)", inputs=("x", "h_below")
)
TWO_INPUTS = Cell.parse(
    name="two", equations="h = tanh(W @ h_prev + U @ x + Y @ y)", inputs=("x", "y")
)
KINDS = {
    "one layer": Network(RNN),
    "both ways, embedded, dropout": Network(RNN, 3, True, embedding=True, dropout=True),
    "squares of a softmax": Network(RNN, 1, True, "softmax", "squared_error"),
    "values at the last step": Network(LSTM, 2, False, "linear", "squared_error", "last"),
    "memory handed upward": Network(UPWARD, 3),
    "an input for every layer": Network(TWO_INPUTS, 2, True, loss_at="last"),
    "a clock": Network(catalogue["clockwork_rnn"], 2, True, dropout=True),
}


@pytest.mark.parametrize("kind", by_day(KINDS, 2))
def test_the_equations_in_parts_are_the_network(kind: str) -> None:
    """Loss and gradients of the parts, joined, are those of autograd over the whole."""
    problem = NetworkProblem(KINDS[kind])
    anatomy = anatomy_of(problem)
    for seed in (1, 2):
        case = problem.case(problem.ordinary_sizes(), steps=STEPS, batch=3, seed=seed)
        case = replace(case, lengths=None)
        tape, want = anatomy.tape(case), autograd_answer(problem, case)
        np.testing.assert_allclose(tape.outputs["L"], want.states["L"], rtol=1e-12)
        found = anatomy.made_by(tape)
        for group, name in problem.gradients():
            expected = want.gradients[group][name]
            off = np.max(np.abs(found[f"{group}.{name}"] - expected))
            assert off <= 1e-12 * np.max(np.abs(expected)), f"{group}.{name}"


TWO = Network(RNN, 2)
DEEP = Network(LSTM, 2)
MEMORY = Network(
    Cell.parse(name="memory", equations="c = tanh(W @ h_prev + U @ x) + r * c_prev\nh = tanh(c)"), 2
)
BOTH = Network(RNN, 2, True, embedding=True, dropout=True)
SQUARED = Network(RNN, 1, False, "softmax", "squared_error")
PAIR = Network(RNN, 1, True)
VALUES = Network(RNN, 1, False, "linear", "squared_error")
SLOPE = "(1 - layer{0}_h[t] * layer{0}_h[t])"
MUTANTS: dict[str, tuple[Network, dict[str, str], tuple[str, ...]]] = {
    "a term of the upper layer": (
        DEEP, {"layer1_f_bar = layer1_c_bar * layer1_c_prev[t]":
               "layer1_f_bar = layer1_c_bar * layer1_c[t]"},
        ("dW_fh of layer1", "dW_fh of layer0",
         "with c_t for c_{t−1} in c̄_t ⊙ c_{t−1} (layer1, adjoint equation 19: f̄_t")),
    "the carry of a memory that no loss sees": (
        MEMORY, {"+ layer1_c_bar_carry\n": "\n"},
        ("the carry of c is missing (layer1, adjoint equations",)),
    "the bias of the readout": (
        DEEP, {'"readout.c": readout_c_bar': '"readout.c": 0 * readout_c_bar'},
        ("dc of readout equals the gradient with d̄ left at zero (readout: d̄ = ∑_{t=1}^{T} ū_t)",)),
    "the lower layer alone": (
        TWO, {f"layer0_h_bar * {SLOPE.format(0)}": "layer0_h_bar"},
        ("tanh", "(layer0, adjoint equation")),
    "every layer": (
        TWO, {f"layer{k}_h_bar * {SLOPE.format(k)}": f"layer{k}_h_bar" for k in (0, 1)},
        ("tanh", "(every layer, adjoint equation")),
    "not handed down": (
        TWO, {"layer1_x_bar_inside[t] + layer0_h_bar_carry": "layer0_h_bar_carry"},
        ("dW of layer0", "with the term ∂L_t/∂h_t missing (layer0, adjoint equation")),
    "a parameter summed wrongly": (
        TWO, {"layer1_b_bar +=": "layer1_b_bar[:] ="},
        ("db of layer1 equals the gradient overwritten at each step", "(layer1, adjoint equation")),
    "the slope of the loss": (
        TWO, {"return slope\n": "return slope / slope.shape[1]\n"},
        ("dV of readout", "the slope of the loss averaged over the batch (readout: ō_t = p_t")),
    "the reverse direction": (
        BOTH, {"layer1_reverse_h_bar * ": "2 * layer1_reverse_h_bar * "},
        ("dW of layer1.reverse", "dE of embedding", "counted twice (layer1.reverse, adjoint")),
    "a sigmoid's slope besides": (
        TWO, {"return slope\n": "p = softmax(o)\n    return slope * p * (1 - p)\n"},
        ("dV of readout", "the slope of the loss multiplied by y ⊙ (1 − y) besides")),
    "an error times what it is of": (
        VALUES, {"(error_inside.reshape": "((error_inside * logits).reshape"},
        ("dW of layer0", "the factor o_t too many in Vᵀ ō_t (readout: h̄_t = Vᵀ ō_t)")),
    "a carry added to itself": (
        TWO, {"layer1_a_bar @ layer1_W)": "layer1_h_bar_carry + layer1_a_bar @ layer1_W)"},
        ("dW of layer1", "h⃖_{t−1} added to h⃖_t, whose place it has to take (layer1")),
    "both halves exchanged on the way down": (
        PAIR, {"h_bars = top_bar[..., :n]": "h_bars = top_bar[..., n:2 * n]",
               "reverse_h_bars = top_bar[..., n:2 * n]": "reverse_h_bars = top_bar[..., :n]"},
        ("dW of layer0, ", "what the readout hands down is taken with its two halves exchanged "
         "(readout: h̄_t = Vᵀ ō_t)")),
    "the reverse half not turned back in a gradient": (
        PAIR, {"inside(layer0_both,":
               "inside(np.concatenate((layer0_h, layer0_reverse_h[::-1]), -1),"},
        ("dV of readout equals", "what the readout reads is taken with its reverse half not turned "
         "back in time (readout: V̄ = ")),
    "the reverse half of an input's gradient not turned back": (
        PAIR, {"layer0_x_bar + layer0_reverse_x_bar": "layer0_x_bar + layer0_reverse_x_bar[::-1]"},
        ("dx equals", "what the reverse direction hands to the input is not turned back in time")),
    "the mean in the slope of a softmax": (
        SQUARED, {"error_inside - tmp_mean": "error_inside"},
        ("dV of readout", "p_tᵀ p̄_t dropped in p_t ⊙ (p̄_t − p_tᵀ p̄_t) (readout: ō_t = ")),
}  # fmt: skip


def mutant(name: str) -> tuple[Network, Any]:
    network, changes, _ = MUTANTS[name]
    source = compile_network(network, "textbook").source
    for old, new in changes.items():
        assert old in source, old
        source = source.replace(old, new)
    return network, load(source, "mutant")


def said_of(found: dict[str, Finding]) -> list[str]:
    return diagnoses({
        label: {"diagnosis": finding.sentence, "causes": finding.causes}
        for label, finding in found.items()
    })


@pytest.mark.by_default(
    "the lower layer alone",
    "a parameter summed wrongly",
    "the mean in the slope of a softmax",
)
@pytest.mark.parametrize("name", by_day(MUTANTS, 3))
def test_a_wrong_term_is_named_with_its_part(name: str) -> None:
    network, module = mutant(name)
    problem = NetworkProblem(network)
    guard = Guard(subject_of(module, problem.functions))
    found = explain_gradients(problem, lambda case: problem.call(guard, case))
    assert any(finding.wrong for finding in found.values())
    (sentence,) = said_of(found)
    for words in MUTANTS[name][2]:
        assert words in sentence


def found_in(source: str, network: Network) -> dict[str, Finding]:
    problem = NetworkProblem(network)
    guard = Guard(subject_of(load(source, "mutant"), problem.functions))
    return explain_gradients(problem, lambda case: problem.call(guard, case))


def changed(network: Network, *changes: tuple[str, str]) -> str:
    source = compile_network(network, "textbook").source
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


def test_right_code_has_no_diagnosis() -> None:
    found = found_in(compile_network(BOTH).source, BOTH)
    assert not any(finding.wrong or finding.sentence for finding in found.values())


@pytest.mark.long
def test_what_is_no_single_term_is_said_with_its_place() -> None:
    """Layer 0 and what layer 1 hands it have the same gradients wrong: either may be the place."""
    old = f"layer0_h_bar * {SLOPE.format(0)}"
    found = found_in(changed(TWO, (old, f"np.sin(3 * {old})")), TWO)
    sentence = found["params.layer0.W"].sentence or ""
    assert "equals no gradient that is tried, with one or two terms changed" in sentence
    assert "first in layer1, adjoint equation 11: x̄_t" in sentence
    assert "or in layer0, adjoint equation" in sentence


@pytest.mark.long
def test_mistakes_in_two_layers_are_each_said_once() -> None:
    found = found_in(changed(
        TWO,
        ("layer1_b_bar +=", "layer1_b_bar[:] ="),
        (f"layer0_h_bar * {SLOPE.format(0)}", "layer0_h_bar"),
    ), TWO)  # fmt: skip
    upper, lower = said_of(found)
    if "db of layer1" not in upper:
        upper, lower = lower, upper
    assert "overwritten at each step" in upper
    assert "(layer1, " in upper
    assert "tanh" in lower
    assert "(layer0, " in lower


def test_a_mistake_above_and_one_below_are_told_together() -> None:
    """What is wrong in the upper layer is handed down: the lower gradients have both."""
    found = found_in(changed(
        TWO,
        (f"layer1_h_bar * {SLOPE.format(1)}", "layer1_h_bar"),
        (f"layer0_h_bar * {SLOPE.format(0)}", f"2 * layer0_h_bar * {SLOPE.format(0)}"),
    ), TWO)  # fmt: skip
    assert len(found["params.layer1.W"].causes) == 1
    one, two = found["params.layer0.W"].causes
    assert {one, two} > {*found["params.layer1.W"].causes}
    assert sum("(layer0, " in cause and "counted twice" in cause for cause in (one, two)) == 1


def test_whole_gradients_that_were_scaled_are_told() -> None:
    found = found_in(changed(TWO, ("\"readout.V\": readout_V_bar",
                                   "\"readout.V\": readout_V_bar / 3")), TWO)  # fmt: skip
    (sentence,) = said_of(found)
    assert sentence == "dV of readout: it is the right gradient multiplied by 1/3"


@pytest.mark.long
def test_the_verdict_of_a_network_tells_the_mistake() -> None:
    network, module = mutant("a parameter summed wrongly")
    verdict = verify(module, network=network)
    gradient = verdict.gradients["params.layer1.b"]
    assert (gradient.status, gradient.steps) == ("fail", None)
    assert "overwritten at each step" in (gradient.diagnosis or "")
    assert "db of layer1 equals the gradient overwritten" in verdict.summary().splitlines()[1]
    right = [g for label, g in verdict.gradients.items() if label != "params.layer1.b"]
    assert all(g.status == "pass" and g.diagnosis is None for g in right)


def test_what_is_off_with_lengths_alone_is_not_called_complete() -> None:
    """The slope past a sequence's end is kept: only calls with lengths show it."""
    source = changed(TWO, ("slope = np.where(outside, np.zeros_like(slope), slope)\n", "pass\n"))
    problem, module = NetworkProblem(TWO), load(source, "mutant")
    guard = Guard(subject_of(module, problem.functions))
    wrong = ("params.readout.V",)
    found = explain_gradients(problem, lambda case: problem.call(guard, case), failing=wrong)
    assert not found[wrong[0]].wrong
    assert found[wrong[0]].sentence == (
        "dV of readout agrees to 1e-07 in small, ordinary calls without lengths; the "
        "counterexample shows a call in which it is off"
    )


HALF_THE_LOSS = ("return picked.sum(keepdims=True)", "return 0.5 * picked.sum(keepdims=True)")


def test_the_gradient_of_another_loss_is_told() -> None:
    found = found_in(changed(TWO, HALF_THE_LOSS, ("return slope\n", "return 0.5 * slope\n")), TWO)
    assert said_of(found) == [
        "the loss is the right one multiplied by 1/2; the backward pass is the gradient of that "
        "forward pass"
    ]


def test_another_loss_and_a_gradient_of_neither_are_told() -> None:
    found = found_in(changed(TWO, HALF_THE_LOSS, ("return slope\n", "return 3 * slope\n")), TWO)
    loss, slope = found["params.layer0.W"].causes
    assert loss == "the loss is the right one multiplied by 1/2"
    assert "multiplied by 3" in slope


def test_another_loss_that_is_no_multiple_is_told_so() -> None:
    squared = ("return picked.sum(keepdims=True)", "return (picked * picked).sum(keepdims=True)")
    found = found_in(changed(TWO, squared, ("return slope\n", "return 3 * slope\n")), TWO)
    assert found["params.layer0.W"].sentence == (
        "the forward pass computes another loss: dW of layer0 is not a gradient of this network"
    )


def test_a_readout_that_reads_both_directions_otherwise_is_told() -> None:
    for other, how in (
        ("layer0_reverse_h, layer0_h", "its two halves exchanged"),
        ("layer0_h, layer0_reverse_h[::-1]", "its reverse half not turned back in time"),
    ):
        found = found_in(changed(PAIR, ("layer0_h, layer0_reverse_h)", f"{other})")), PAIR)
        what = f"what the readout reads is taken with {how}"
        assert found["params.readout.c"].causes == (what,)
        assert found["params.layer0.W"].sentence == (
            f"{what}: dW of layer0 is not a gradient of this network"
        )


def test_a_loss_that_alone_is_wrong_makes_no_gradient_wrong() -> None:
    found = found_in(changed(TWO, HALF_THE_LOSS), TWO)
    assert not any(finding.wrong for finding in found.values())
    assert said_of(found) == ["the loss is the right one multiplied by 1/2"]


def test_a_row_of_the_table_that_occurs_twice_is_told() -> None:
    """The layers are right, and no equation of theirs is blamed."""
    network = Network(RNN, embedding=True)
    source = changed(network, ("np.add.at(", "_added("))
    source += "\n\ndef _added(table, rows, shares):\n    table[rows] += shares\n"
    (sentence,) = said_of(found_in(source, network))
    assert sentence == (
        "dE of embedding: a row that occurs twice is added once: table[rows] += … keeps the last, "
        "np.add.at adds all"
    )


def test_rows_left_at_zero_as_padding_is_are_told() -> None:
    """With one step of another row all is right: nothing passes wrongly between steps."""
    network = Network(RNN, embedding=True)
    source = changed(network, ("embedding_E_bar = scatter(", "embedding_E_bar = _kept("))
    source += (
        "\n\ndef _kept(*given):\n    table = scatter(*given)\n    table[0] = 0\n    return table\n"
    )
    (sentence,) = said_of(found_in(source, network))
    assert sentence == "dE of embedding: row 0 is left at zero, as where it stands for padding"
    source = source.replace("table[0] = 0", "table[:2] = 0")
    (sentence,) = said_of(found_in(source, network))
    said = "rows 0 and 1 are left at zero, as where they stand for padding"
    assert sentence == f"dE of embedding: {said}"
