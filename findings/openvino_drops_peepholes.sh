#!/usr/bin/env bash
# OpenVINO 2026.4.1 on ONNX's LSTM node with peepholes P, and with input_forget 1.
# Good guess: a runtime computes an attribute or an input of the operator, or refuses the model. Both
# are read without a word, and the result is bit for bit that of the node without them; `clip` and other
# activations are computed. A network with peepholes gives other numbers there than in onnxruntime.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(0)
shapes = {"X": (5, 3, 4), "W": (1, 8, 4), "R": (1, 8, 2), "B": (1, 16), "P": (1, 6)}
arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def both(peepholes=False, **attributes):
    names = ["X", "W", "R", "B", "", "", "", "P"] if peepholes else ["X", "W", "R", "B"]
    node = helper.make_node("LSTM", names, ["Y"], hidden_size=2, **attributes)
    graph = helper.make_graph(
        [node], "one_node",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, (5, 3, 4))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (5, 1, 3, 2))],
        [numpy_helper.from_array(arrays[n], n) for n in names if n not in {"", "X"}],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    core = openvino.Core()
    ours = core.compile_model(
        core.read_model(model.SerializeToString(), b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )({"X": arrays["X"]})[0]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return ours, session.run(None, {"X": arrays["X"]})[0]


plain, theirs = both()
assert np.allclose(plain, theirs, rtol=1e-4)
for label, (openvino_says, onnxruntime_says) in {
    "P": both(peepholes=True), "input_forget": both(input_forget=1), "clip": both(clip=0.5),
}.items():
    dropped = np.array_equal(openvino_says, plain)
    apart = np.abs(openvino_says - onnxruntime_says).max()
    print(f"{label}: dropped by OpenVINO: {dropped}; {apart:.2g} from onnxruntime")
    assert dropped == (label != "clip")
    assert (apart > 0.01) == dropped
PYTHON
