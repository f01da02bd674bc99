#!/usr/bin/env bash
# Elementwise operators of ONNX on float64 in onnxruntime 1.32.0, CPU.
# Good guess: what the operator's type constraint allows and the checker of onnx 1.23.2 passes runs, as
# Tanh, Sigmoid, Sin, Exp and Log do. Erf, Gelu, Elu, Selu, Softplus, Softsign, HardSigmoid, LeakyRelu,
# Mish, Tan, Atan, Sinh and Cosh of doubles are not implemented: opening the session raises NotImplemented.
# The reference evaluator of onnx runs each, but Erf of doubles only to single precision. A model that is
# checked in double precision before it is exported in single needs another runtime for these.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import math

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

RUNS = ["Tanh", "Sigmoid", "Relu", "Sin", "Cos", "Exp"]
LACKS = ["Erf", "Gelu", "Elu", "Selu", "Softplus", "Softsign", "HardSigmoid", "LeakyRelu", "Mish",
         "Tan", "Atan", "Sinh", "Cosh"]
x = np.array([-2.0, -0.5, 0.25, 1.5])


def model(op, kind):
    ends = [helper.make_tensor_value_info(name, kind, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "one_node", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def verdict(op, kind, array):
    try:
        session = onnxruntime.InferenceSession(
            model(op, kind).SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as problem:
        return type(problem).__name__
    (y,) = session.run(None, {"x": array})
    return str(y.dtype)


single = {op: verdict(op, TensorProto.FLOAT, x.astype(np.float32)) for op in RUNS + LACKS}
double = {op: verdict(op, TensorProto.DOUBLE, x) for op in RUNS + LACKS}
reference = {op: ReferenceEvaluator(model(op, TensorProto.DOUBLE)).run(None, {"x": x})[0].dtype.name
             for op in LACKS}
print("float32:", single)
print("float64:", double)
(erf,) = ReferenceEvaluator(model("Erf", TensorProto.DOUBLE)).run(None, {"x": x})
off = max(abs(got - math.erf(at)) for got, at in zip(erf, x, strict=True))
print("float64, reference:", reference, "Erf off by", f"{off:.1e}")
assert 1e-9 < off < 1e-7
assert single == dict.fromkeys(RUNS + LACKS, "float32")
assert double == {**dict.fromkeys(RUNS, "float64"), **dict.fromkeys(LACKS, "NotImplemented")}
assert reference == dict.fromkeys(LACKS, "float64")
PYTHON
