#!/usr/bin/env bash
# torch 2.13.0 exports logsigmoid and logaddexp to ONNX (dynamo=True, the default), onnxruntime 1.32.0
# runs the models. Good guess: what torch computes with care, −log(1 + e^−a) without overflow, is exported
# so, as softplus is. The nodes are Log(Sigmoid(a)) and Log(Exp(a) + Exp(b)): the logarithm of a gate, −30,
# becomes −inf, and two scores of 100, 100.69, become inf. Gates kept as logarithms (xLSTM, minGRU in
# parallel) are not those of the trained network.
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


def exported(function, *given):
    """The operators of the exported model, what it says and what torch says."""

    class Model(torch.nn.Module):
        def forward(self, *tensors):
            return function(*tensors)

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(Model(), given, path, verbose=False)
        graph = onnx.load(path).graph
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [held.name for held in graph.input]
        (y,) = session.run(None, {n: t.numpy() for n, t in zip(names, given, strict=True)})
    return sorted({node.op_type for node in graph.node}), y.tolist(), function(*given).tolist()


scores = torch.tensor([1.0, 100.0])
seen = {
    "logsigmoid": exported(torch.nn.functional.logsigmoid, torch.tensor([-3.0, -30.0])),
    "logaddexp": exported(torch.logaddexp, scores, scores.clone()),
    "-softplus": exported(lambda a: -torch.nn.functional.softplus(-a), torch.tensor([-3.0, -30.0])),
}
for name, (nodes, y, true) in seen.items():
    print(name, nodes, "model", y, "torch", true)
assert seen["logsigmoid"][0] == ["Log", "Sigmoid"]
assert seen["logsigmoid"][1][1] == float("-inf")
assert seen["logsigmoid"][2][1] == -30
assert seen["logaddexp"][0] == ["Add", "Exp", "Log"]
assert seen["logaddexp"][1][1] == float("inf")
assert abs(seen["logaddexp"][2][1] - 100.6931) < 1e-3
assert seen["-softplus"][1][1] == -30
PYTHON
