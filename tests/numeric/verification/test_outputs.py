"""Outputs: what a step returns that is no state, from the equations to verdicts and bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from profiles import by_day, night_alone

from derive import Cell, CellError, Network, differentiate
from derive.calculus.adjoint import AdjointEquation, bar, from_loss
from numeric import compile_cell, compile_network, verify
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.compiler.target import load
from numeric.verification.derivation.check import examine

EQUATIONS = """
h = sigmoid(a) * h_prev + W @ x
y = tanh(C @ h + U @ h_prev) + D @ x
"""
LEAKY = Cell.parse(name="leaky", equations=EQUATIONS, outputs=("y",))


@pytest.mark.parametrize(
    ("outputs", "equations", "says"),
    [
        ((), EQUATIONS, "or name it in 'outputs'"),
        (("z",), "h = h_prev + x", "'z' is never assigned"),
        (("h",), "h = h_prev + x", "is a state"),
        (("z",), "z = tanh(x)\nh = h_prev + z", "read by another equation"),
        (("y", "y"), EQUATIONS, "declared twice"),
    ],
)
def test_what_is_no_output_is_refused(outputs, equations, says):
    with pytest.raises(CellError, match=says):
        Cell.parse(name="trial", equations=equations, outputs=outputs)


def test_an_emitted_module_declares_and_returns_them():
    kernel = compile_cell(LEAKY, "textbook")
    assert kernel.module.OUTPUTS == {"y": ("k1",)}
    assert {*kernel.module.STATES} == {"h"}
    params = {name: np.full([{"n": 2, "m": 3, "k1": 4}[s] for s in dims], float(name == "D"))
              for name, dims in kernel.module.PARAMETERS.items()}  # fmt: skip
    states, tape = kernel.forward(params, {"x": np.ones((5, 1, 3))})
    assert states["y"].shape == (5, 1, 4)
    last = np.zeros((5, 1, 4))
    last[-1] = 1
    found = kernel.backward(params, tape, {"y": last})
    np.testing.assert_array_equal(found["inputs"]["x"][:, 0, 0], [0, 0, 0, 0, 4])


def test_an_output_of_parameters_alone_has_a_value_for_every_step():
    cell = Cell.parse(name="still", equations="h = a * h_prev + x\ny = tanh(a)", outputs=["y"])
    assert verify(compile_cell(cell, "fused")).status == "pass"


def test_an_output_whose_size_nothing_else_has_is_named_in_errors():
    """No letter of another argument stands in what is said of its cotangent."""
    cell = Cell.parse(
        name="wide", equations="s1 = (W1 @ b1) + s1_prev + x1\ny = C1 @ (U_x1 @ x1)",
        inputs=["x1"], outputs=["y"], sizes={"s1": "n"},
    )  # fmt: skip
    assert verify(compile_cell(cell, "textbook")).status == "pass"


@pytest.mark.parametrize("style", by_day(["textbook", "fused"], 2, 1))
def test_right_code_passes(style):
    assert verify(compile_cell(LEAKY, style)).status == "pass"


@pytest.mark.by_default("params.C")
@pytest.mark.parametrize(
    ("right", "wrong", "gradient", "said"),
    [
        ("C_bar += a_y_bar.T @ h[t]", "C_bar += a_y_bar.T @ h_prev[t]", "params.C", "h_{t−1}"),
        ("y_bar = y_bars[t]", "y_bar = y_bars[-1]", "params.D", "∂L/∂y_T"),
        ("h_bar = h_bars[t] + a_y_bar @ C", "h_bar = h_bars[t]", "params.W", "missing"),
    ],
)
def test_a_wrong_gradient_through_an_output_is_refused_and_named(right, wrong, gradient, said):
    source = compile_cell(LEAKY, "textbook").source
    assert right in source
    verdict = verify(load(source.replace(right, wrong), "wrong"), cell=LEAKY)
    assert verdict.status == "fail"
    assert verdict.gradients[gradient].status == "fail"
    assert said in (verdict.gradients[gradient].diagnosis or "")


@night_alone
def test_a_module_that_leaves_the_outputs_out_is_not_called_right():
    source = compile_cell(LEAKY, "textbook").source
    forgotten = source.replace(', "y": y}, tape', "}, tape")
    assert forgotten != source
    assert verify(load(forgotten, "forgotten"), cell=LEAKY).status == "partial"


def test_the_derivation_check_misses_the_loss_of_an_output_where_it_is_dropped():
    derivation = differentiate(LEAKY)
    assert not examine(derivation).wrong
    (y,) = LEAKY.outputs
    step = next(s for s in derivation.part("adjoint") if s.equation.target.args[0] == bar(y))
    assert from_loss(y).name in str(step.equation.value)
    nothing = AdjointEquation.collect(y, ())
    lost = replace(step, equation=replace(step.equation, value=nothing.value))
    steps = tuple(lost if own is step else own for own in derivation.steps)
    assert any("y" in line for line in examine(replace(derivation, steps=steps)).wrong)


def test_an_output_enters_no_step_jacobian_and_no_sum_over_pairs_of_states():
    derivation = differentiate(LEAKY)
    assert {*derivation.step_jacobian.blocks} == {("h", "h")}
    assert not derivation.part("pairs")


@pytest.mark.long
def test_a_network_reads_the_output():
    network = Network(LEAKY, layers=2)
    assert network.output.name == "y"
    assert verify(compile_network(network, "fused")).status == "pass"


def test_a_trajectory_holds_what_is_handed_up():
    rng = np.random.default_rng(0)
    sizes = {"n": 2, "m": 3, "k1": 4}
    params = {s: rng.normal(size=tuple(sizes[d] for d in dims))
              for s, dims in compile_cell(LEAKY).module.PARAMETERS.items()}  # fmt: skip
    found = run(differentiate(LEAKY), params, {"x": rng.normal(size=(5, 3))})
    assert {*found.states} == {"h"}
    assert found.handed_up("y").shape == (5, 4)
    np.testing.assert_array_equal(found.handed_up("h"), found.states["h"][1:])
