"""Models are run before anybody gets them, and wrong ones are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from profiles import by_day

from derive import Cell, catalogue
from numeric import exported
from numeric.compiler.to_onnx import operations
from numeric.exported import WrongModelError, export

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize(
    "name", ["lstm", "delta_net", *by_day([n for n in catalogue if n != "ttt_linear"], 24, 3)]
)
def test_a_model_computes_what_the_equations_do(name: str) -> None:
    found = export(catalogue[name])
    assert found.difference <= 1e-12
    assert onnx.load_from_string(found.model).graph.name == name


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
    assert export(catalogue["rnn"]).engine.startswith("the reference evaluator of onnx")


def test_functions_that_a_runtime_lacks_in_float64_are_run_by_the_reference() -> None:
    pytest.importorskip("onnxruntime")
    cell = Cell.parse(name="soft", equations="h = erf(softplus(W @ h_prev + U @ x))")
    made = export(cell)
    assert made.engine.startswith("the reference evaluator of onnx")
    assert made.difference < 1e-12
    assert export(catalogue["rnn"]).engine.startswith("onnxruntime")
