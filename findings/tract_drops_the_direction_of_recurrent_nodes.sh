#!/usr/bin/env bash
# tract 0.23.9 on RNN, GRU and LSTM nodes of ONNX with attributes of the operators.
# Good guess: a runtime computes an attribute or refuses the model. direction="reverse" is read without a
# word, and the sequence is run forwards; with "bidirectional" the second direction does run backwards.
# `clip`, `activations` and `input_forget` have no effect either: a rectified RNN is one of tanh. Each
# result is bit for bit that of the node without the attribute. A layer written as a node of its own for
# the way back is another function there.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet tract==0.23.9 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
PLACE="$place" "$place/venv/bin/python" - <<'PYTHON'
import os

import numpy as np
import onnxruntime
import tract
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
RELU = {"RNN": ["Relu"], "GRU": ["Sigmoid", "Relu"], "LSTM": ["Sigmoid", "Relu", "Tanh"]}
T, B, M, N = 5, 2, 4, 2


def both(kind, **attributes):
    random, rows = np.random.default_rng(0), GATES[kind] * N
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"X": (T, B, M), "W": (2, rows, M), "R": (2, rows, N), "B": (2, 2 * rows),
              "initial_h": (2, B, N), "initial_c": (2, B, N)}
    drawn = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    arrays = {name: array if name == "X" else array[:ways] for name, array in drawn.items()}
    names = ["X", "W", "R", "B", "", "initial_h", *(["initial_c"] if kind == "LSTM" else [])]
    graph = helper.make_graph(
        [helper.make_node(kind, names, ["Y"], hidden_size=N, **attributes)], "one_node",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, (T, B, M))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (T, ways, B, N))],
        [numpy_helper.from_array(arrays[n], n) for n in names if n not in {"", "X"}],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    path = os.path.join(os.environ["PLACE"], "node.onnx")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    (found,) = tract.onnx().load(path).into_model().into_runnable().run([arrays["X"]])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return found.to_numpy(), session.run(None, {"X": arrays["X"]})[0]


for kind in GATES:
    plain, specified = both(kind)
    assert np.allclose(plain, specified, atol=1e-5)
    cases = {"direction": "reverse", "clip": 0.3, "activations": RELU[kind]}
    for name, value in (cases | ({"input_forget": 1} if kind == "LSTM" else {})).items():
        got, want = both(kind, **{name: value})
        print(f"{kind} {name}: dropped: {np.array_equal(got, plain)}; "
              f"{np.abs(got - want).max():.2g} from onnxruntime")
        assert np.array_equal(got, plain) and np.abs(got - want).max() > 0.1
    got, want = both(kind, direction="bidirectional")
    assert np.allclose(got, want, atol=1e-5)
print("bidirectional: as onnxruntime computes it")
PYTHON
