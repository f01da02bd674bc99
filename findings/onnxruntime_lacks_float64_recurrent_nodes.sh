#!/usr/bin/env bash
# RNN, GRU and LSTM on float64 in onnxruntime 1.32.0, CPU.
# Good guess: what the operators' type constraints allow and the checker of onnx 1.23.2 passes runs, or
# opening the session says that it does not, as of the elementwise functions. Of an RNN of doubles the
# session is not opened (NotImplemented). A GRU or LSTM of doubles opens, and the first call raises
# RuntimeException: "does not support double yet". So a check that opens a session has shown nothing, and
# a model of these nodes is one of float32; the reference evaluator of onnx computes them in float64.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def model(kind, numbers):
    g = GATES[kind]
    shapes = {"X": [4, 2, 3], "W": [1, 2 * g, 3], "R": [1, 2 * g, 2], "B": [1, 4 * g]}
    node = helper.make_node(kind, [*shapes], ["Y"], hidden_size=2)
    graph = helper.make_graph(
        [node], "one_node", [helper.make_tensor_value_info(n, numbers, s) for n, s in shapes.items()],
        [helper.make_tensor_value_info("Y", numbers, [4, 1, 2, 2])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made, shapes


def verdict(kind, numbers, dtype):
    made, shapes = model(kind, numbers)
    given = {name: np.ones(shape, dtype) for name, shape in shapes.items()}
    try:
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as problem:
        return f"opening: {type(problem).__name__}"
    try:
        return str(session.run(None, given)[0].dtype)
    except Exception as problem:
        return f"running: {type(problem).__name__}"


single = {kind: verdict(kind, TensorProto.FLOAT, np.float32) for kind in GATES}
double = {kind: verdict(kind, TensorProto.DOUBLE, np.float64) for kind in GATES}
reference = {}
for kind in GATES:
    made, shapes = model(kind, TensorProto.DOUBLE)
    (Y,) = ReferenceEvaluator(made).run(None, {n: np.ones(s) for n, s in shapes.items()})
    reference[kind] = str(Y.dtype)
print("float32:", single)
print("float64:", double)
print("float64, reference:", reference)
assert single == dict.fromkeys(GATES, "float32")
assert double == {"RNN": "opening: NotImplemented", "GRU": "running: RuntimeException",
                  "LSTM": "running: RuntimeException"}
assert reference == dict.fromkeys(GATES, "float64")
PYTHON
