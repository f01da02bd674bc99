"""A model with a recurrent node: what it takes and gives, and how it makes the node's matrices."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue
from numeric.compiler.to_onnx.graph import onnx
from numeric.compiler.to_onnx.model import model_of
from numeric.compiler.to_onnx.node import node_model
from numeric.dialects.as_node import as_node

pytestmark = pytest.mark.skipif(onnx is None, reason="onnx is not installed")


def dims(value: object) -> list[object]:
    shape = value.type.tensor_type.shape.dim  # type: ignore[attr-defined]
    return [one.dim_param or one.dim_value for one in shape]


def test_inputs_are_those_of_the_scan_and_units_are_fixed() -> None:
    cell = catalogue["lstm"]
    model, scan = node_model(cell, as_node(cell, 7).node), model_of(cell)
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.input] == [one.name for one in scan.graph.input]
    given = {one.name: dims(one) for one in model.graph.input}
    assert given["x"] == ["T", "B", "m"]
    assert given["W_ix"] == [7, "m"]
    assert given["h_initial"] == ["B", 7]
    assert {one.name: dims(one) for one in model.graph.output} == {
        "h": ["T", "B", 7], "c_last": ["B", 7],
    }  # fmt: skip
    (node,) = (node for node in model.graph.node if node.op_type == "LSTM")
    assert [(one.name, one.i) for one in node.attribute] == [("hidden_size", 7)]
    assert not any(node.op_type == "Scan" for node in model.graph.node)


def test_other_operators_have_every_output_of_the_scan() -> None:
    for name in ("rnn", "gru"):
        model = node_model(catalogue[name], as_node(catalogue[name], 2).node)
        assert [one.name for one in model.graph.output] == ["h"]
        assert [one.name for one in model_of(catalogue[name]).graph.output] == ["h"]


def test_matrices_are_cut_turned_and_added() -> None:
    """The graph's W, R and B beside NumPy's, from one matrix that multiplies both."""
    cell = Cell.parse(name="toy", source="a test", inputs=("x",),
                      equations="h = tanh(1 - A @ [x, h_prev] + a + b)")  # fmt: skip
    model = node_model(cell, as_node(cell, 2).node, np.float64)
    (node,) = (node for node in model.graph.node if node.op_type == "RNN")
    del model.graph.output[:]
    for name in node.input[1:4]:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    rng = np.random.default_rng(0)
    A, a, b = rng.normal(size=(2, 5)), rng.normal(size=2), rng.normal(size=2)
    given = {"A": A, "a": a, "b": b, "x": np.ones((4, 1, 3)), "h_initial": np.zeros((1, 2))}
    reference = pytest.importorskip("onnx.reference")
    W, R, B = reference.ReferenceEvaluator(model).run(None, given)
    assert np.array_equal(W[0], -A[:, :3])
    assert np.array_equal(R[0], -A[:, 3:])
    assert np.allclose(B[0].reshape(2, 2).sum(axis=0), 1 + a + b, rtol=1e-15)
