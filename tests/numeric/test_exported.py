"""Models are run before anybody gets them, and wrong ones are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from complete_functions import RISING
from profiles import by_day

from derive import Cell, catalogue
from derive.language.functions import FUNCTIONS
from numeric import exported
from numeric.compiler.target import MissingError
from numeric.compiler.to_onnx import operations
from numeric.dialects.as_node import as_node
from numeric.exported import WrongModelError, export

onnx = pytest.importorskip("onnx")
NODES = ("lstm", "gru", "gru_reset_after", "peephole_lstm", "rnn", "irnn", "mgu")


@pytest.mark.parametrize("name", ["lstm", "delta_net", "ttt_linear", *by_day([*catalogue], 24, 3)])
def test_a_model_computes_what_the_equations_do(name: str) -> None:
    found = export(catalogue[name])
    assert found.runs[0].difference <= 1e-12
    assert onnx.load_from_string(found.model).graph.name == name


def test_formulas_of_any_row_have_nodes_that_compute_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, "rising", RISING)
    cell = Cell.parse(name="toy", equations="h = tanh(rising(W @ h_prev + U @ x))")
    assert export(cell).runs[0].difference <= 1e-12


def test_a_wrong_sign_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = operations.WRITTEN["add"]

    def wrong(g: Any, given: Sequence[str], signs: tuple[Any, ...]) -> str:
        return right(g, given, tuple(abs(sign) for sign in signs))

    monkeypatch.setitem(operations.WRITTEN, "add", wrong)
    with pytest.raises(WrongModelError, match="gru: the model's h differs from the equations'"):
        export(catalogue["gru"])


def test_a_matrix_the_other_way_round_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operations.WRITTEN, "apply", operations.WRITTEN["pull"])
    with pytest.raises(Exception, match=r"rnn|MatMul|ShapeInference|Incompatible"):
        export(catalogue["rnn"])


def test_the_reference_evaluator_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "onnxruntime", None)
    assert export(catalogue["rnn"]).runs[0].engine.startswith("the reference evaluator of onnx")


def test_functions_that_a_runtime_lacks_in_float64_are_run_by_the_reference() -> None:
    pytest.importorskip("onnxruntime")
    cell = Cell.parse(name="soft", equations="h = erf(softplus(W @ h_prev + U @ x))")
    made = export(cell)
    assert made.runs[0].engine.startswith("the reference evaluator of onnx")
    assert made.runs[0].difference < 1e-12
    assert export(catalogue["rnn"]).runs[0].engine.startswith("onnxruntime")


def test_a_right_model_is_written_though_a_runtime_is_far_off() -> None:
    pytest.importorskip("onnxruntime")
    cell = Cell.parse(name="shut", equations="h = sigmoid(W @ h_prev + U @ x - 30)")
    made = export(cell)
    (ran,), otherwise = made.runs, made.otherwise
    assert ran.engine.startswith("the reference evaluator of onnx")
    assert ran.difference < 1e-12
    assert otherwise is not None
    assert otherwise.engine.startswith("onnxruntime")
    assert otherwise.difference > 1e-6
    assert export(catalogue["gru"]).otherwise is None


def test_a_runtime_that_gives_another_shape_is_no_matter_of_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnxruntime")
    session = exported._session

    def first_step(model: Any) -> exported.Run:
        return lambda given: {name: value[:1] for name, value in session(model)(given).items()}

    monkeypatch.setattr(exported, "_session", first_step)
    with pytest.raises(WrongModelError, match="differs from the equations'"):
        export(catalogue["rnn"])


@pytest.mark.parametrize("name", ["lstm", *by_day(NODES[1:], 3)])
@pytest.mark.parametrize("units", by_day([1, 5, 300], 2))
def test_a_node_computes_what_the_equations_do(name: str, units: int) -> None:
    pytest.importorskip("onnxruntime")
    cell = catalogue[name]
    found = export(cell, node=as_node(cell, units).node)
    close = {"float64": 1e-12, "float32": 1e-6}
    assert all(ran.difference <= close[ran.numbers] for ran in found.runs)
    assert [ran.numbers for ran in found.runs] == ["float64"] * (name != "irnn") + ["float32"]
    kinds = {node.op_type for node in onnx.load_from_string(found.model).graph.node}
    assert kinds & {"RNN", "GRU", "LSTM"}


def test_a_wrong_node_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = catalogue["gru_reset_after"]
    right = as_node(cell, 3).node
    turned = (*right.W[1::-1], *right.W[2:])
    wrong = (replace(right, W=turned), replace(right, attributes={"linear_before_reset": 0}),
             replace(right, B=right.B[::-1]))  # fmt: skip
    for runtime in (exported.onnxruntime, None):
        monkeypatch.setattr(exported, "onnxruntime", runtime)
        for node in wrong:
            with pytest.raises(WrongModelError, match="gru_reset_after: the model's h differs"):
                export(cell, node=node)
    lstm = as_node(catalogue["lstm"], 3).node
    swapped = replace(lstm, output=str(lstm.carried), carried=lstm.output)
    with pytest.raises(WrongModelError, match="lstm: the model's c differs"):
        export(catalogue["lstm"], node=swapped)


def test_a_users_cell_by_a_node() -> None:
    """One matrix for input and state, transposes, an offset, a gate without a bias."""
    cell = Cell.parse(
        name="mine", source="a test", inputs=("u",),
        equations="""
        i = sigmoid(A @ [s_prev, u] + a)
        f = sigmoid(1 + F @ s_prev + G @ u + b)
        o = sigmoid(O @ [u, s_prev])
        k = f * k_prev + i * tanh(K @ u - L.T @ s_prev)
        s = o * tanh(k)
        """,
    )  # fmt: skip
    found = export(cell, node=as_node(cell, 3).node)
    assert found.runs[0].difference <= 1e-12
    outputs = onnx.load_from_string(found.model).graph.output
    assert [one.name for one in outputs] == ["s", "k_last"]


def test_a_node_that_nothing_here_runs_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "onnxruntime", None)
    assert len(export(catalogue["rnn"], node=as_node(catalogue["rnn"], 3).node).runs) == 1
    with pytest.raises(MissingError, match="nothing is written unverified"):
        export(catalogue["irnn"], node=as_node(catalogue["irnn"], 3).node)


def test_states_that_grow_without_end_make_no_right_model_wrong() -> None:
    cell = Cell.parse(name="explosive", equations="h = exp(exp(h_prev)) + U @ x")
    assert export(cell).runs[0].difference <= 1e-12


def test_where_the_equations_have_no_number_the_model_needs_none() -> None:
    """One unit less its own mean is 0, over its own norm 0/0."""
    cell = Cell.parse(name="normed", equations="h = tanh(layer_norm(W @ x + U @ h_prev))")
    assert export(cell).runs[0].difference <= 1e-12
    alone = Cell.parse(name="alone", equations="h = x - x + (h_prev - h_prev) / (x - x)")
    with pytest.raises(WrongModelError, match="no number at any call tried"):
        export(alone)
