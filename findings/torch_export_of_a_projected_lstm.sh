#!/usr/bin/env bash
# torch 2.13.0 exports nn.LSTM(3, 4, proj_size=2) to ONNX, onnxruntime 1.32.0 runs the model.
# Good guess: the projection is in the model, or the export is refused, ONNX's LSTM having none. The
# exporter (dynamo=True, the default) succeeds and writes a plain LSTM node; the tensor weight_hr of
# the projection is not used by it, and the runtime refuses the node: the initial c has 4 entries where
# the node, taking the recurrent width for the hidden one, wants 2.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import logging
import tempfile
import warnings

import onnx
import onnxruntime
import torch

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
layer, x = torch.nn.LSTM(3, 4, proj_size=2).eval(), torch.zeros(5, 1, 3)
with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/lstm.onnx"
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(layer, (x,), path, dynamo=True, verbose=False)
    graph = onnx.load(path).graph
    nodes = [node for node in graph.node if node.op_type == "LSTM"]
    print("LSTM nodes:", len(nodes), "matrix products:", sum(n.op_type == "MatMul" for n in graph.node))
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(path)
    try:
        session.run(None, {graph.input[0].name: x.numpy()})
    except Exception as refusal:
        print(str(refusal).split("Status Message: ")[-1])
        assert "initial_c must have shape {1,1,2}. Actual:{1,1,4}" in str(refusal)
    else:
        raise AssertionError("the runtime runs the model now")
assert len(nodes) == 1 and not any(node.op_type == "MatMul" for node in graph.node)
PYTHON
