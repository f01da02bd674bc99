"""The forward pass alone: what the loss is made of, without loss, targets and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from derive import Cell, catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.prediction import predicting
from numeric.compiler.program import LENGTH
from numeric.compiler.targets import STYLES
from numeric.verification.cases import Case
from numeric.verification.problems.of_network import NetworkProblem

LSTM = catalogue["lstm"]
NETWORKS = {
    "one layer": Network(LSTM),
    "both ways, embedded, dropout": Network(LSTM, 2, True, embedding=True, dropout=True),
    "linear": Network(catalogue["gru"], 2, readout="linear", loss="squared_error", dropout=True),
    "softmax, squared": Network(catalogue["rnn"], loss="squared_error", loss_at="last"),
    "a matrix state": Network(catalogue["mlstm"]),
    "an output of one input": Network(
        Cell.parse(
            name="beside",
            equations="h = tanh(W @ h_prev + U @ x)\ny = V @ z",
            inputs=("x", "z"),
            outputs=("y",),
        )
    ),
    "an output of nothing": Network(
        Cell.parse(
            name="still",
            equations="h = tanh(W @ h_prev + U @ x)\ny = tanh(V @ b)",
            outputs=("y",),
        )
    ),
    "an output alone": Network(catalogue["clockwork_rnn"], 2, dropout=True),
}


def case_of(network: Network, seed: int = 1) -> Case:
    problem = NetworkProblem(network)
    case = problem.case(problem.ordinary_sizes(), steps=5, batch=4, seed=seed)
    return replace(case, lengths=np.array([5, 1, 3, 4]))


def without_masks(case: Case) -> dict[str, Any]:
    return {name: array for name, array in case.constants.items() if "." not in name}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_is_that_of_the_outputs(name: str, style: str) -> None:
    network = NETWORKS[name]
    kernel, case = compile_network(network, style), case_of(network)
    ones = {n: np.ones_like(a) if "." in n else a for n, a in case.constants.items()}
    given = (case.params, case.inputs)
    loss, _ = kernel.loss_and_gradient(*given, case.targets, case.initial, ones, case.lengths)
    outputs = kernel.predict(*given, case.initial, without_masks(case), case.lengths)
    if network.loss_at == "all":
        outside = np.arange(5)[:, None] >= case.lengths
        assert not np.any(outputs[outside])
    else:
        outside = np.zeros(4, bool)
    if network.loss == "cross_entropy":
        picked = np.take_along_axis(outputs, case.targets[..., None], -1)[..., 0]
        assert np.isclose(-np.log(picked[~outside]).sum(), loss, rtol=1e-12)
    else:
        error = (outputs - case.targets)[~outside]
        assert np.isclose(0.5 * (error * error).sum(), loss, rtol=1e-12)
    if network.readout == "softmax":
        assert np.allclose(outputs.sum(-1)[~outside], 1, rtol=1e-14)


@pytest.mark.parametrize("name", NETWORKS)
def test_states_alone_are_kept_for_every_step(name: str) -> None:
    program = predicting(NETWORKS[name])
    states = {*program.shifted, *program.shifted.values()}
    looped = {s.target for block in program.blocks if block.loop for s in block.statements}
    read = {n for block in program.blocks if not block.loop for s in block.statements
            for n in s.reads}  # fmt: skip
    kept = {name for name in looped if program.dims[name][:1] == (LENGTH,)}
    assert kept <= states | read
    assert not states or len(looped - kept) > len(kept)
    assert {block.phase for block in program.blocks} == {"forward"}
    assert not {"targets", "loss"} & {argument.group for argument in program.arguments}


def test_what_no_output_needs_is_not_computed() -> None:
    cell = Cell.parse(
        name="sum_beside", inputs=["x"],
        equations="h = tanh(W @ h_prev + U @ x)\ns = 0.5 * s_prev + V @ h",
    )  # fmt: skip
    program = predicting(Network(cell))
    made = {s.target for block in program.blocks for s in block.statements}
    assert {"layer0_h", "logits"} <= made
    assert not {"layer0_s", "layer0_s_all"} & made
    assert "layer0_s_initial" not in {argument.name for argument in program.arguments}
    kernel, case = compile_network(Network(cell)), case_of(Network(cell))
    loss, _ = kernel.loss_and_gradient(
        case.params, case.inputs, case.targets, case.initial, None, case.lengths
    )
    outputs = kernel.predict(case.params, case.inputs, case.initial, None, case.lengths)
    inside = np.arange(5)[:, None] < case.lengths
    picked = np.take_along_axis(outputs, case.targets[..., None], -1)[..., 0]
    assert np.isclose(-np.log(picked[inside]).sum(), loss, rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_argument_of_predict_is_named(style: str) -> None:
    network = NETWORKS["both ways, embedded, dropout"]
    kernel, case = compile_network(network, style), case_of(network)
    wrong = {
        "layer1.W_fh": ({n: a for n, a in case.params.items() if n != "layer1.W_fh"}, case.inputs),
        "inputs['x']": (case.params, {"x": case.inputs["x"] * 1.0}),
        "layer0.dropout": (case.params, case.inputs, None, case.constants),
        "lengths": (case.params, case.inputs, None, None, case.lengths + 1),
    }
    for says, arguments in wrong.items():
        with pytest.raises(ValueError, match=says.replace("[", r"\[")):
            kernel.predict(*arguments)


def test_a_target_without_predict_says_so() -> None:
    kernel = compile_network(NETWORKS["one layer"], "fused", "c")
    with pytest.raises(ValueError, match=r"target c: .* no predict"):
        kernel.predict({}, {})


def test_the_module_shows_its_use() -> None:
    source = compile_network(NETWORKS["both ways, embedded, dropout"]).source
    assert "    outputs = predict(params, inputs)\n" in source
    masked = compile_network(NETWORKS["an output alone"]).source
    own = 'constants={"clock": constants["clock"], "blocks": constants["blocks"]}'
    assert f"    outputs = predict(params, inputs, {own})\n" in masked
