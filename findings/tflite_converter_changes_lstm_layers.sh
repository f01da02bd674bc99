#!/usr/bin/env bash
# tf.lite.TFLiteConverter of TensorFlow 2.21.0 on tf_keras.layers.LSTM with its default arguments.
# Good guess: the model computes the layer. It computes another function in two ways: the operator's
# cell state is clipped at 10, which no Keras layer does, and though the layer is not stateful, each
# call starts from the states in which the last one ended, until `reset_all_variables` is called. A GRU
# becomes a loop instead, which starts from zeros each time.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 tf_keras==2.21.0 tflite==2.18.0
TF_CPP_MIN_LOG_LEVEL=3 "$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import tensorflow
import tf_keras
import tflite

STEPS = 28


def converted(layer, weights, x):
    """Keras's outputs, those of two calls of the converted model, and the model."""
    model = tf_keras.Sequential([tf_keras.Input(x.shape[1:], batch_size=1), layer])
    model.set_weights(weights)
    held = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
    run = tensorflow.lite.Interpreter(model_content=held)
    run.allocate_tensors()
    found = []
    for _ in range(2):
        run.set_tensor(run.get_input_details()[0]["index"], x)
        run.invoke()
        found.append(run.get_tensor(run.get_output_details()[0]["index"]).copy())
    return model(x).numpy(), *found, held


def apart(a, b):
    return float(np.abs(a - b).max())


def drawn(*shapes):
    return [random.normal(size=shape) * 0.5 for shape in shapes]


random = np.random.default_rng(0)
x = random.normal(size=(1, STEPS, 3)).astype(np.float32)
print("TensorFlow", tensorflow.__version__)
lstm = tf_keras.layers.LSTM(2, return_sequences=True)
keras, first, second, held = converted(lstm, drawn((3, 8), (2, 8), (8,)), x)
print("LSTM: apart from Keras by", apart(first, keras), "; in a second call", apart(second, keras))
assert apart(first, keras) < 1e-6
assert apart(second, keras) > 0.01

file = tflite.Model.GetRootAs(held, 0)
table = file.Subgraphs(0).Operators(0).BuiltinOptions()
options = tflite.UnidirectionalSequenceLSTMOptions()
options.Init(table.Bytes, table.Pos)
print("cell_clip", options.CellClip())
assert options.CellClip() == 10

# gates open, 14 steps up and 14 down: c rises to 14 and comes back to 0, or falls from 10 to -4
steps = np.repeat(np.float32([1, -1]), STEPS // 2).reshape(1, STEPS, 1)
lstm = tf_keras.layers.LSTM(1, return_sequences=True)
weights = [np.array([[0, 0, 3, 0]]), np.zeros((1, 4)), np.array([6, 6, 0, 6])]
keras, first, _, _ = converted(lstm, weights, steps)
print("gates open: last output of Keras", keras[0, -1], ", converted", first[0, -1])
assert abs(keras[0, -1, 0]) < 0.5
assert first[0, -1, 0] < -0.9

gru = tf_keras.layers.GRU(2, return_sequences=True)
keras, first, second, _ = converted(gru, drawn((3, 6), (2, 6), (2, 6)), x)
print("GRU: apart from Keras by", apart(first, keras), "; in a second call", apart(second, keras))
assert max(apart(first, keras), apart(second, keras)) < 1e-6
PYTHON
