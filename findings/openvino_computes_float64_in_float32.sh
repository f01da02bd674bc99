#!/usr/bin/env bash
# A model of doubles in OpenVINO 2026.4.1, CPU.
# Good guess: float64 in, float64 computed, or the model is refused, as onnxruntime refuses recurrent nodes
# of doubles. It is read without a word, inputs and outputs are arrays of float64, and every number of
# them is one of float32: 1 + 1e-9 comes back as 1, an LSTM node of doubles is right to 1e-7. Only the
# property INFERENCE_PRECISION_HINT says no to "f64" ("f32" is set here, as some processors would take
# bfloat16). It is no second opinion on a model that was checked to 1e-12.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import openvino
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

random = np.random.default_rng(0)


def both(op, inputs, shape, **attributes):
    names = list(inputs)
    graph = helper.make_graph(
        [helper.make_node(op, names, ["Y"], **attributes)], "one_node",
        [helper.make_tensor_value_info(names[0], TensorProto.DOUBLE, inputs[names[0]].shape)],
        [helper.make_tensor_value_info("Y", TensorProto.DOUBLE, shape)],
        [numpy_helper.from_array(inputs[name], name) for name in names[1:]],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    checker.check_model(model, full_check=True)
    given = {names[0]: inputs[names[0]]}
    core = openvino.Core()
    read = core.read_model(model.SerializeToString(), b"")
    assert read.output(0).element_type == openvino.Type.f64
    try:
        core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f64"})
        raise SystemExit("f64 is offered")
    except RuntimeError:
        compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(given)[0], ReferenceEvaluator(model).run(None, given)[0]


x = random.normal(size=(5, 3, 4))
shapes = {"W": (1, 8, 4), "R": (1, 8, 2), "B": (1, 16)}
lstm = {"X": x} | {name: random.normal(size=shape) for name, shape in shapes.items()}
near_one = np.array([1 + 1e-9])
for label, (got, want) in {
    "Tanh": both("Tanh", {"X": x}, x.shape),
    "LSTM": both("LSTM", lstm, (5, 1, 3, 2), hidden_size=2),
    "Abs of 1 + 1e-9": both("Abs", {"X": near_one}, (1,)),
}.items():
    apart = np.abs(got - want).max()
    single = np.array_equal(got, got.astype(np.float32))
    print(f"{label}: {got.dtype}, {apart:.1e} from the reference; numbers of float32: {single}")
    assert got.dtype == want.dtype == np.float64
    assert single and 1e-10 < apart < 1e-5
PYTHON
