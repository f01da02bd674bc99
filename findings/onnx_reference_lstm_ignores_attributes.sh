#!/usr/bin/env bash
# The reference evaluator of onnx 1.23.2 on an LSTM node with attributes of the operator.
# Good guess: what is called the reference computes the attributes or says that it does not. `clip`,
# `input_forget`, `activations` and the input `sequence_lens` are accepted and have no effect at all: Y,
# Y_h and Y_c are bit for bit those of the plain node. `direction="reverse"` does have one. So it is no
# oracle for a converter of weights or cells.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet onnx==1.23.2 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

random = np.random.default_rng(0)
arrays = {
    "X": random.normal(size=(4, 2, 3)), "W": random.normal(size=(1, 8, 3)),
    "R": random.normal(size=(1, 8, 2)), "B": random.normal(size=(1, 16)),
}
arrays = {name: value.astype(np.float32) for name, value in arrays.items()}


def lstm(more=None, **attributes):
    given = {**arrays, **(more or {})}
    names = ["X", "W", "R", "B", *(more or {})]
    node = helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=2, **attributes)
    kinds = {"lengths": TensorProto.INT32}
    made = helper.make_graph(
        [node], "one_node",
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in names],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("Y", "Y_h", "Y_c")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 22)])
    return ReferenceEvaluator(model).run(None, given)


plain = lstm()
seen = {
    "clip": lstm(clip=0.1),
    "input_forget": lstm(input_forget=1),
    "activations": lstm(activations=["Relu", "Tanh", "Tanh"]),
    "sequence_lens": lstm({"lengths": np.array([4, 1], np.int32)}),
    "direction": lstm(direction="reverse"),
}
same = {name: all(map(np.array_equal, plain, found)) for name, found in seen.items()}
print("same as without it:", same)
assert same == {
    "clip": True, "input_forget": True, "activations": True, "sequence_lens": True,
    "direction": False,
}
PYTHON
