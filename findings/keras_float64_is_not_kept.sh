#!/usr/bin/env bash
# Layers of keras 3.15.1 made with dtype="float64", torch and jax backends.
# Good guess: they compute in float64. With torch every product of matrices is one of float32, whatever
# floatx is: a SimpleRNN's outputs are an array of float64 that is right to 1e-7. With jax, x64 enabled,
# tanh is one of float32, while sigmoid is not, and the layer raises TypeError, its states changing type.
# Neither is an oracle for a check to 1e-12.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet keras==3.15.1 torch==2.13.0 jax==0.10.2 numpy==2.4.6
cat > "$place/layer.py" <<'PYTHON'
import os

if os.environ["KERAS_BACKEND"] == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)
import keras
import numpy as np

keras.config.set_floatx("float64")
random = np.random.default_rng(0)
x = random.normal(size=(2, 5, 3))
given = keras.ops.convert_to_tensor(x, dtype="float64")
functions = {
    "matmul": lambda a: keras.ops.matmul(a, keras.ops.transpose(a)),
    "tanh": keras.ops.tanh, "sigmoid": keras.ops.sigmoid,
}
kinds = {
    name: keras.backend.standardize_dtype(function(given[0]).dtype)
    for name, function in functions.items()
}
layer = keras.layers.SimpleRNN(2, dtype="float64", return_sequences=True)
layer.build(x.shape)
layer.set_weights([random.normal(size=held.shape) for held in layer.get_weights()])
try:
    y = keras.ops.convert_to_numpy(layer(given))
except TypeError:
    said = "TypeError"
else:
    kernel, recurrent, bias = layer.get_weights()
    h, worst = np.zeros((2, 2)), 0.0
    for t in range(5):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent + bias)
        worst = max(worst, np.abs(h - y[:, t]).max())
    print(f"off by {worst:.0e}")
    said = f"{y.dtype}, off by more than 1e-9" if 1e-9 < worst < 1e-5 else "as it should be"
print(kinds, "layer:", said)
assert (kinds, said) == {
    "torch": (
        {"matmul": "float32", "tanh": "float64", "sigmoid": "float64"},
        "float64, off by more than 1e-9",
    ),
    "jax": ({"matmul": "float64", "tanh": "float32", "sigmoid": "float64"}, "TypeError"),
}[keras.backend.backend()]
PYTHON
for backend in torch jax; do
  echo "$backend:"
  KERAS_BACKEND=$backend "$place/venv/bin/python" "$place/layer.py"
done
