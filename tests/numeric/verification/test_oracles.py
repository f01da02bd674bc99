"""The oracles against each other, against differences, and against SymPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from autograd import grad

from derive import Cell, Network, catalogue
from derive.language.expr import Elementwise
from numeric.compiler.kernel import compile_cell
from numeric.compiler.targets import STYLES
from numeric.meaning import interpret
from numeric.numbers.arithmetic import FLOATS
from numeric.numbers.fifty_digits import Forward, fifty
from numeric.verification.cases import REGIMES, Case
from numeric.verification.compare import agreement, as_result
from numeric.verification.oracles import (
    AUTOGRAD,
    Answer,
    autograd_answer,
    complex_step,
    precise_answer,
)
from numeric.verification.problems.of_cell import CellProblem, make_case
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verify import _oracle_is_right, verify

ALL = {
    "rnn": catalogue["rnn"],
    "lstm": catalogue["lstm"],
    "mixed": Cell.parse(
        name="mixed",
        equations="""
            p = softmax(W @ h_prev + U @ x)
            h = g * sin(p) / (2 + exp(0.1 * x)) + relu(V @ concat(x, h_prev)) - 2 * k * h_prev
        """,
        scalars=("g",),
        constants=("k[t]",),
    ),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("regime", REGIMES)
def test_reverse_in_float_and_forward_in_fifty_digits_agree(name: str, regime: str) -> None:
    cell = ALL[name]
    sizes = {"n": 3} if name == "mixed" else {"n": 3, "m": 2}
    case = make_case(cell, sizes, steps=3, batch=2, seed=3, regime=regime)
    one, other = autograd_answer(CellProblem(cell), case), precise_answer(CellProblem(cell), case)
    apart, where = agreement(as_result(one), other)
    assert apart < 1e-13, where
    for state, value in other.states.items():
        np.testing.assert_allclose(one.states[state], value, rtol=1e-12, atol=1e-14)


def test_what_cancels_to_nothing_is_measured_by_the_largest_gradient() -> None:
    equations = "h = softmax(V @ h_prev) * tanh(W @ h_prev + U @ x)"
    cell = Cell.parse(name="one", equations=equations)
    case = make_case(cell, {"n": 1, "m": 2}, steps=3, batch=2, seed=1)
    want = autograd_answer(CellProblem(cell), case)
    got = as_result(want)
    noise = float(np.max(np.abs(want.gradients["params"]["V"])))
    assert 0 < noise < 1e-15
    got[1]["params"]["V"] = np.zeros((1, 1))
    assert agreement(got, want)[0] < 1e-15
    got[1]["params"]["W"] = got[1]["params"]["W"] * (1 + 1e-9)
    assert agreement(got, want) == (pytest.approx(1e-9), "params.W")


@pytest.mark.parametrize("name", [*ALL, "indrnn"])
def test_autograd_from_the_outputs_is_its_own_gradient_of_the_loss_to_the_bit(name: str) -> None:
    problem = CellProblem(ALL.get(name) or catalogue[name])
    case = problem.case(problem.ordinary_sizes(), steps=4, batch=2, seed=5)
    keys = [(group, name) for group, name, _ in case.groups()]

    def loss(values: list[np.ndarray]) -> Any:
        moved = case.moved(dict(zip(keys, values, strict=True)))
        return problem.loss(moved, problem.outputs(moved, AUTOGRAD))

    want = grad(loss)([value for _, _, value in case.groups()])
    found = autograd_answer(problem, case).gradients
    for (group, key), gradient in zip(keys, want, strict=True):
        assert np.array_equal(found[group][key], gradient)


def test_gradients_are_those_of_finite_differences() -> None:
    problem = CellProblem(ALL["mixed"])
    case = problem.case({"n": 2}, steps=3, batch=2, seed=7)
    gradient = autograd_answer(problem, case).gradients

    def loss() -> float:
        return float(problem.loss(case, problem.outputs(case, FLOATS)))

    for group, name, value in case.groups():
        flat, want = value.reshape(-1), gradient[group][name].reshape(-1)
        for k in range(flat.size):
            kept = flat[k]
            flat[k] = kept + 1e-6
            above = loss()
            flat[k] = kept - 1e-6
            below = loss()
            flat[k] = kept
            assert (above - below) / 2e-6 == pytest.approx(want[k], rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (2, 0), (0, 0)])
def test_nothing_has_no_gradient(steps: int, batch: int) -> None:
    cell = catalogue["lstm"]
    case = make_case(cell, {"n": 3, "m": 2}, steps=steps, batch=batch)
    for answer in (
        autograd_answer(CellProblem(cell), case),
        precise_answer(CellProblem(cell), case),
    ):
        assert answer.states["h"].shape == (steps, batch, 3)
        for group, name, value in case.groups():
            assert answer.gradients[group][name].shape == value.shape
            assert not np.any(answer.gradients[group][name])


def test_the_slope_at_a_kink_is_the_table_s() -> None:
    cell = Cell.parse(name="kinks", equations="h = relu(h_prev) + hard_tanh(x) + leaky_relu(y)",
                      inputs=("x", "y"))  # fmt: skip
    case = make_case(cell, {"n": 2}, steps=1, batch=1)
    case.initial["h"][:], case.inputs["x"][:], case.inputs["y"][:] = 0, [1, -1], 0
    for answer in (
        autograd_answer(CellProblem(cell), case),
        precise_answer(CellProblem(cell), case),
    ):
        np.testing.assert_array_equal(answer.gradients["initial"]["h"], [[0, 0]])
        np.testing.assert_array_equal(answer.gradients["inputs"]["x"], [[[0, 0]]])
        np.testing.assert_allclose(
            answer.gradients["inputs"]["y"], 0.01 * case.cotangents["h"], rtol=1e-15
        )


def test_the_complex_step_sees_a_direction_to_the_last_digit() -> None:
    cell = catalogue["lstm"]
    case = make_case(cell, {"n": 3, "m": 2}, steps=4, batch=2, seed=2)
    gradient = autograd_answer(CellProblem(cell), case).gradients["params"]["W_fh"]
    direction = np.random.default_rng(0).normal(size=(3, 3))
    forward = compile_cell(cell, "textbook").forward
    got, scale = complex_step(forward, CellProblem(cell), case, "params", "W_fh", direction)
    assert abs(got - np.sum(gradient * direction)) < 1e-14 * scale


def test_float32_data_are_taken_as_they_are() -> None:
    cell = catalogue["rnn"]
    case = make_case(cell, {"n": 2, "m": 2}, steps=2, batch=1, dtype="float32")
    assert autograd_answer(CellProblem(cell), case).gradients["params"]["W"].dtype == np.float64
    np.testing.assert_array_equal(case.widened().params["W"], case.params["W"])


def test_a_gradient_of_1e_300_keeps_its_digits() -> None:
    cell = Cell.parse(name="tiny", equations="h = w * h_prev + 0 * x", inputs=("x",))
    case = make_case(cell, {"n": 1}, steps=3, batch=1, seed=1)
    case.params["w"][:] = 1e-100
    value = precise_answer(CellProblem(cell), case).gradients["initial"]["h"][0, 0]
    cotangent = case.cotangents["h"][:, 0, 0]
    assert value == pytest.approx(1e-100 * cotangent[0], rel=1e-15)
    assert Forward(fifty(1e-310)).tanh().value > 0


@pytest.mark.parametrize("answer", [autograd_answer, precise_answer])
def test_an_answer_is_shared_by_equal_calls_alone(answer: Callable[..., Answer]) -> None:
    """Equal is what has the same numbers, whatever seed, dtype or name it came with."""
    problem = CellProblem(catalogue["rnn"])
    case = problem.case({"n": 2, "m": 2}, steps=2, batch=1, seed=3)
    first = answer(problem, case)
    assert answer(problem, replace(case, seed=4, regime="small")) is first
    case.params["W"][0, 0] += 1e-12
    assert answer(problem, case) is not first
    case.params["W"][0, 0] -= 1e-12
    other = replace(case, cotangents={"h": 2 * case.cotangents["h"]})
    found = answer(problem, other).gradients["params"]["W"]
    np.testing.assert_array_equal(found, 2 * answer(problem, case).gradients["params"]["W"])
    assert answer(CellProblem(catalogue["mgu"]), _case_of("mgu")) is not first
    with pytest.raises(ValueError, match="read-only"):
        first.gradients["params"]["W"][0, 0] = 0
    with pytest.raises(TypeError):
        first.gradients["params"]["W"] = 0  # type: ignore[index]


def _case_of(name: str) -> Case:
    return CellProblem(catalogue[name]).case({"n": 2, "m": 2}, steps=2, batch=1, seed=3)


def test_targets_and_lengths_are_part_of_the_question() -> None:
    problem = NetworkProblem(Network(catalogue["rnn"]))
    case = problem.case({"n": 2, "m": 2, "q": 3}, steps=3, batch=2, seed=4)
    losses = {
        float(autograd_answer(problem, changed).states["L"])
        for changed in (case, replace(case, targets=(case.targets + 1) % 3),
                        replace(case, lengths=np.array([3, 2])))
    }  # fmt: skip
    assert len(losses) == 3


@pytest.mark.long
@pytest.mark.whole_profile
def test_every_style_runs_on_every_case(monkeypatch) -> None:
    """What is right of a case is computed once; what code makes of it, for each code."""
    cell, counts = catalogue["rnn"], []
    for style in STYLES:
        kernel, seen = compile_cell(cell, style), []
        counted = SimpleNamespace(
            cell=cell, style=style, module=kernel.module, backward=kernel.backward,
            forward=lambda *a, k=kernel, s=seen: (s.append(1), k.forward(*a))[1],
        )  # fmt: skip
        assert verify(counted).status == "pass"
        counts.append(len(seen))
    assert min(counts) > 150
    assert max(counts) - min(counts) < 20


@pytest.mark.parametrize(("off", "right"), [(0.5, True), (2.0, False)])
def test_an_oracle_is_believed_as_far_as_rounding_goes_beside_zeros_that_agree(
    off: float, right: bool
) -> None:
    zero, bound = np.zeros(2), 1e-11
    gradients = {"params": {"b": zero}, "inputs": {}, "initial": {}}
    want = Answer({"L": np.array(1.0)}, gradients)
    found = Answer({"L": np.array(1.0 + off * bound)}, gradients)
    session = SimpleNamespace(trusted=lambda case: (({"L": bound}, gradients), True))
    case = make_case(catalogue["rnn"], {"n": 2, "m": 1}, steps=1, batch=1)
    assert _oracle_is_right(session, case, found, want) == right


def test_equations_are_kept_ready_for_few_arithmetics_of_one_problem(monkeypatch) -> None:
    problem = CellProblem(catalogue["rnn"])
    case = problem.case({"n": 2, "m": 1}, steps=2, batch=1)
    first = problem.outputs(case, FLOATS)
    (ready,) = problem._runs.values()
    again = problem.outputs(case, FLOATS)
    assert np.array_equal(first["h"], again["h"])
    assert [*problem._runs.values()] == [ready]
    for _ in range(9):
        problem.outputs(case, replace(FLOATS))
    assert len(problem._runs) <= 4
    monkeypatch.setitem(interpret.NODES, Elementwise, lambda node, of: of(node.argument))
    wrong = CellProblem(catalogue["rnn"]).outputs(case, FLOATS)  # a mutant is not hidden
    assert not np.array_equal(first["h"], wrong["h"])


@pytest.mark.long
def test_a_cell_that_is_at_a_kink_everywhere_is_told_so() -> None:
    """Both arguments are one number: rounding decides which slope is taken, but not of what."""
    cell = Cell.parse(name="tie", equations="u = tanh(U @ h_prev + W @ x)\nh = maximum(u, u)")
    check = verify(compile_cell(cell, "textbook")).checks["high_precision"]
    assert check.status == "inconclusive"
    assert "lies at a kink" in str(check.reason)
