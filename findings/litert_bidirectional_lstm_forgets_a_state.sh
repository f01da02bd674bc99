#!/usr/bin/env bash
# BIDIRECTIONAL_SEQUENCE_LSTM of LiteRT 2.3.0 (TensorFlow Lite), samples first, two samples, merged
# outputs. Good guess: `time_major` says how the data lie and changes no number. Samples first, the
# outputs of the second sample are never written into its row of the state that the model declares,
# which stays 0: it starts from what lies elsewhere in memory, `reset_all_variables` or not, and the same
# inputs give other numbers, now and then nan. Time first, all calls return the same.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19
"$place/venv/bin/python" - <<'PYTHON'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

STEPS, SAMPLES, INPUTS, UNITS = 5, 2, 3, 2
BIDIRECTIONAL_SEQUENCE_LSTM, TANH = 52, 4


def model(time_major):
    random = np.random.default_rng(0)
    graph, file = schema.SubGraphT(), schema.ModelT()
    graph.tensors, file.buffers = [], [schema.BufferT()]

    def tensor(shape, data=None, variable=False):
        made = schema.TensorT()
        made.shape, made.isVariable, made.name = list(shape), variable, f"t{len(graph.tensors)}"
        made.buffer = 0
        if data is not None:
            made.buffer = len(file.buffers)
            file.buffers.append(schema.BufferT())
            file.buffers[-1].data = np.frombuffer(data.tobytes(), np.uint8)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def drawn(*shape):
        return tensor(shape, random.normal(size=shape).astype(np.float32) * np.float32(0.6))

    first = (STEPS, SAMPLES) if time_major else (SAMPLES, STEPS)
    inputs = [tensor((*first, INPUTS))]
    for _ in range(2):
        inputs += [drawn(UNITS, INPUTS) for _ in range(4)]
        inputs += [drawn(UNITS, UNITS) for _ in range(4)] + [-1] * 3
        inputs += [drawn(UNITS) for _ in range(4)] + [-1] * 2
    states = [tensor((SAMPLES, UNITS), variable=True) for _ in range(4)]
    node, options = schema.OperatorT(), schema.BidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction, options.mergeOutputs = TANH, True
    options.timeMajor = time_major
    node.opcodeIndex, node.inputs = 0, [*inputs, *states, *[-1] * 9]
    node.outputs = [tensor((*first, 2 * UNITS))]
    node.builtinOptionsType = schema.BuiltinOptions.BidirectionalSequenceLSTMOptions
    node.builtinOptions = options
    graph.operators, graph.inputs, graph.outputs = [node], inputs[:1], node.outputs
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = BIDIRECTIONAL_SEQUENCE_LSTM
    file.version, file.operatorCodes, file.subgraphs = 3, [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output()), states


def calls(time_major):
    """The outputs (T, B, 2n) of two calls, all states being reset before each, and the states."""
    x = np.random.default_rng(6).normal(size=(STEPS, SAMPLES, INPUTS)).astype(np.float32)
    held, states = model(time_major)
    run, found = Interpreter(model_content=held), []
    run.allocate_tensors()
    for _ in range(2):
        run.reset_all_variables()
        run.set_tensor(0, x if time_major else x.swapaxes(0, 1))
        run.invoke()
        y = run.get_tensor(run.get_output_details()[0]["index"]).copy()
        found.append(y if time_major else y.swapaxes(0, 1))
    return found, [run.get_tensor(name).copy() for name in states]


(one, two), states = calls(time_major=True)
(first, second), kept = calls(time_major=False)
apart = np.abs(first - second).max(axis=(0, 2))
print("ai-edge-litert 2.3.0")
print("time first: calls apart by", np.abs(one - two).max(), "; states of outputs", states[0].tolist())
print("samples first: calls apart by", apart.tolist(), "of each sample; states of outputs",
      kept[0].tolist())
assert np.array_equal(one, two)
assert all(np.all(state != 0) for state in states)
assert np.allclose(first[:, 0], one[:, 0], atol=1e-6)
assert apart[0] == 0
assert not apart[1] < 1e-3  # or nan
assert np.all(kept[0][1] == 0)
assert np.all(kept[2][1] == 0)
assert np.all(kept[1][1] != 0)
PYTHON
