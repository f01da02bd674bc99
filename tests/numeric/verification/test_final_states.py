"""Verification of final states: right ones pass every check, and each single mistake is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.verification.batch_first import batch_first
from numeric.verification.compare import differences
from numeric.verification.exact import exact_check
from numeric.verification.oracles import autograd_answer, precise_answer
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.promises import check_padding, check_promises
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, Misbehaviour, subject_of

READ = Cell.parse(
    name="read", equations="h = tanh(W @ h_prev + U @ x)\ny = V @ h + c", outputs=("y",)
)
RIGHT = {
    "lstm, two layers": (Network(catalogue["lstm"], 2, final=True), "textbook"),
    "gru, both ways": (Network(catalogue["gru"], 2, True, final=True), "fused"),
    "embedding and dropout": (
        Network(catalogue["rnn"], 2, embedding=True, dropout=True, final=True), "stable"),
    "matrix states": (Network(catalogue["mlstm"], final=True), "fused"),
    "an output": (Network(READ, 2, final=True), "fused"),
    "the last step": (
        Network(catalogue["rnn"], 1, True, "linear", "squared_error", "last", final=True),
        "textbook"),
}  # fmt: skip


@pytest.mark.by_default("the last step")
@pytest.mark.parametrize("kind", by_day(RIGHT, 1))
def test_final_states_pass_every_check(kind: str) -> None:
    network, style = RIGHT[kind]
    verdict = verify(compile_network(network, style))
    assert verdict.status == "pass", verdict.summary()
    assert {check.status for check in verdict.checks.values()} == {"pass"}
    assert {*verdict.checks} >= {"padding", "autograd", "high_precision", "exact", "arguments"}


DEEP = Network(catalogue["rnn"], 2, True, final=True)
LONG = Network(catalogue["lstm"], 1, final=True)
MUTANTS = {
    "the state before the last": (
        LONG, '"layer0.c": layer0_c_all[-1].copy()', '"layer0.c": layer0_c_all[-2:][0].copy()'),
    "the first state": (
        DEEP, '"layer1.h": layer1_h_all[-1].copy()', '"layer1.h": layer1_h_all[0].copy()'),
    "of a reverse layer the state at the end of time": (
        DEEP, "layer1_reverse_h_all[0].copy()", "layer1_reverse_h_all[-1].copy()"),
    "another layer's": (
        DEEP, '"layer1.h": layer1_h_all[-1].copy()', '"layer1.h": layer0_h_all[-1].copy()'),
    "a cotangent dropped": (
        LONG, 'final_cotangents.get("layer0.c", 0)', "0"),
    "a reverse layer's cotangent dropped": (
        DEEP, 'final_cotangents.get("layer0.reverse.h", 0)', "0"),
    "a cotangent counted twice": (
        LONG, 'final_cotangents.get("layer0.h", 0)', '2 * final_cotangents.get("layer0.h", 0)'),
    "a cotangent added at every step": (
        DEEP, "layer1_h_bar = layer1_h_bars[t] + layer1_h_bar_carry",
        "layer1_h_bar = layer1_h_bars[t] + layer1_h_bar_carry + layer1_h_bar_carry_initial"),
    "a cotangent of another state": (
        LONG, 'final_cotangents.get("layer0.h", 0)', 'final_cotangents.get("layer0.c", 0)'),
    "a state that is not held where its sample has ended": (
        DEEP, "np.where(outside[t], layer0_h_prev[t], np.tanh(layer0_a))", "np.tanh(layer0_a)"),
    "a cotangent that is not handed on where its sample has ended": (
        DEEP,
        re.compile(r"layer0_h_bar_carry = np.where\(outside\[t\], layer0_h_bar_carry, (.*)\)"),
        r"layer0_h_bar_carry = \1"),
    "at the end of another sample": (
        LONG, '"layer0.h": layer0_h_all[-1].copy()',
        '"layer0.h": layer0_h_all[lengths[::-1], np.arange(B)].copy()'),
}  # fmt: skip


def mutant(name: str) -> tuple[Network, object]:
    network, old, new = MUTANTS[name]
    source = compile_network(network, "textbook").source
    pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
    assert pattern.search(source), f"{pattern.pattern!r} is not in the code"
    changed = pattern.sub(new if isinstance(old, re.Pattern) else lambda match: new, source)
    return network, load(changed, "mutant")


@pytest.mark.by_default(
    "the state before the last",
    "of a reverse layer the state at the end of time",
    "another layer's",
    "a state that is not held where its sample has ended",
    "a cotangent dropped",
)
@pytest.mark.parametrize("name", MUTANTS)
def test_each_oracle_rejects_a_wrong_final_state(name: str) -> None:
    network, module = mutant(name)
    problem = NetworkProblem(network, final=True)
    sizes = problem.ordinary_sizes()
    guard = Guard(subject_of(module, problem.functions))
    assert not all(
        exact_check(problem, guard, sizes, steps=4, batch=3, seed=seed).right
        for seed in range(1, 4)
    )
    for oracle, extents in ((autograd_answer, sizes), (precise_answer, dict.fromkeys(sizes, 2))):
        off = []
        for seed in range(1, 4):
            case = problem.case(extents, steps=3, batch=2, seed=seed)
            found = differences(problem.call(guard, case), oracle(problem, case))
            off.append(max(difference.scaled for difference in found))
        assert any(error > 1e-6 for error in off), oracle


@pytest.mark.by_default("the state before the last")
@pytest.mark.parametrize("name", by_day([*MUTANTS], 4))
def test_a_wrong_final_state_fails_the_verdict(name: str) -> None:
    network, module = mutant(name)
    verdict = verify(module, network=network)
    assert verdict.status == "fail", verdict.summary()
    assert "fail" in {verdict.checks[name].status for name in ("autograd", "exact")}


def test_padding_that_reaches_a_final_state_is_seen() -> None:
    network = Network(catalogue["rnn"], final=True)
    source = compile_network(network, "textbook").source
    held = "np.where(outside[t], layer0_h_prev[t], np.tanh(layer0_a))"
    assert held in source
    source = source.replace(held, "np.tanh(layer0_a)").replace("x = x[nearest]", "pass")
    problem = NetworkProblem(network, final=True)
    guard = Guard(subject_of(load(source, "mutant"), problem.functions))
    with pytest.raises(Misbehaviour, match=r"other values for final\['layer0.h'\]"):
        check_padding(problem, guard, range(1))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("layer0_h_all[-1].copy()", "0 * layer0_h_all[-1]", r"final\['layer0.h'\] is not what"),
        ("layer0_h_all[-1].copy()", "layer0_h_all[-1][:1]", "final.*expected shape"),
        ('final_cotangents.get("layer0.h", 0)',
         'final_cotangents.get("layer0.h", 0) if T else 0', r"initial\['layer0.h'\] is not what"),
        ('final_cotangents.get("layer0.h", 0)', 'final_cotangents.get("layer0.h", 1)',
         r"without final_cotangents\['layer0.h'\]"),
        ('"layer0.h": layer0_h_all[-1].copy()', '"h": layer0_h_all[-1].copy()',
         "final: expected a dict with the keys layer0.h"),
    ],
)  # fmt: skip
def test_broken_promises_of_final_states_are_told(old: str, new: str, says: str) -> None:
    network = Network(catalogue["rnn"], final=True)
    source = compile_network(network, "textbook").source
    assert old in source
    problem = NetworkProblem(network, final=True)
    with pytest.raises(Misbehaviour, match=says):
        check_promises(
            problem, Guard(subject_of(load(source.replace(old, new), "mutant"), problem.functions))
        )


def test_two_oracles_agree_on_final_states_of_samples_of_every_length() -> None:
    for network in (DEEP, RIGHT["embedding and dropout"][0], RIGHT["matrix states"][0]):
        problem = NetworkProblem(network, final=True)
        case = problem.case(dict.fromkeys(problem.ordinary_sizes(), 2), steps=3, batch=3, seed=1)
        case = replace(case, lengths=np.array([3, 0, 1]))
        one, other = autograd_answer(problem, case), precise_answer(problem, case)
        for name, given in case.initial.items():
            np.testing.assert_array_equal(one.states[name][1], given[1])
        for name, want in other.states.items():
            assert np.max(np.abs(one.states[name] - want)) <= 1e-12 * np.max(np.abs(want)), name
        for group, arrays in other.gradients.items():
            for name, want in arrays.items():
                off = np.max(np.abs(one.gradients[group][name] - want))
                assert off <= 1e-12 * np.max(np.abs(want)), name


def test_without_any_step_the_cotangents_are_the_gradient() -> None:
    problem = NetworkProblem(DEEP, final=True)
    case = problem.case(problem.ordinary_sizes(), steps=0, batch=2, seed=1)
    for answer in (autograd_answer(problem, case), precise_answer(problem, case)):
        for name, bar in case.cotangents.items():
            np.testing.assert_array_equal(answer.gradients["initial"][name], bar)
            np.testing.assert_array_equal(answer.states[name], case.initial[name])


# ---- somebody's files --------------------------------------------------------------------------


def verdict_of(path: Path, source: str, network: Network, **more: Any) -> Any:
    path.write_text(source, encoding="utf-8")
    with Sandbox(path, network=True) as sandbox:
        return verify(sandbox.subject, network=network, **more)


@pytest.mark.long
def test_a_file_with_final_states_is_judged_in_its_own_process(tmp_path: Path) -> None:
    network = Network(catalogue["rnn"], 2, final=True)
    source = compile_network(network, "textbook").source
    right = verdict_of(tmp_path / "right.py", source, network)
    assert right.status == "pass", right.summary()
    wrong = verdict_of(
        tmp_path / "wrong.py", source.replace("layer1_h_all[-1]", "layer1_h_all[0]"), network
    )
    assert wrong.status == "fail"
    assert "final['layer1.h']" in str(wrong.checks["autograd"].reason)


@pytest.mark.long
def test_a_file_without_final_states_is_judged_as_ever(tmp_path: Path) -> None:
    network = Network(catalogue["rnn"], 2)
    source = compile_network(network, "textbook").source
    alone = verdict_of(tmp_path / "alone.py", source, network)
    assert alone.status == "pass", alone.summary()
    asked = verdict_of(tmp_path / "asked.py", source, replace(network, final=True))
    assert asked.status == "partial", asked.summary()
    assert dict(asked.unjudged) == {"final states": "loss_and_gradient takes no final_cotangents"}
    assert {found.status for found in asked.gradients.values()} == {"pass"}
    wrong = source.replace("layer0_h_bar_carry = np.where", "layer0_h_bar_carry = 2 * np.where")
    assert wrong != source
    assert verdict_of(tmp_path / "wrong.py", wrong, replace(network, final=True)).status == "fail"
    module = load(source, "module")
    assert verify(module, network=replace(network, final=True)).unjudged == asked.unjudged


@pytest.mark.long
def test_a_file_that_lacks_one_final_state_is_judged_on_the_others() -> None:
    network = Network(catalogue["lstm"], final=True)
    source = compile_network(network, "textbook").source
    held = '    "layer0.c": layer0_c_all[-1].copy(),\n'
    assert held in source
    verdict = verify(load(source.replace(held, ""), "module"), network=network)
    assert verdict.status == "partial", verdict.summary()
    assert verdict.unjudged["final.layer0.c"] == ("loss_and_gradient returns no final['layer0.c']")


def test_sequences_with_the_batch_in_front_have_the_same_final_states() -> None:
    network = Network(catalogue["rnn"], final=True)
    kernel = compile_network(network)
    subject = subject_of(kernel, ("loss_and_gradient",))
    problem = NetworkProblem(network, final=True)
    case = problem.case(problem.ordinary_sizes(), steps=4, batch=3, seed=1)
    function = batch_first(subject).functions["loss_and_gradient"]
    given = {"x": np.swapaxes(case.inputs["x"], 0, 1)}
    turned = function(
        case.params, given, case.targets.T, case.initial, None, case.lengths, case.cotangents
    )
    straight = kernel.loss_and_gradient(
        case.params, case.inputs, case.targets, case.initial, None, case.lengths, case.cotangents
    )
    for name, array in straight[2].items():
        np.testing.assert_array_equal(turned[2][name], array)
