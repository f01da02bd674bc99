#!/usr/bin/env bash
# Products of float64 matrices in keras 3.15.1 with the torch backend.
# Good guess: a layer made with dtype="float64" computes in float64. `keras.ops.matmul` of two
# float64 tensors gives a float32 tensor, whatever floatx is; a SimpleRNN of float64 weights and inputs
# returns an array of float64 that is right to 1e-7. So it is no oracle for a check of 1e-12.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet keras==3.15.1 torch==2.13.0 numpy==2.4.6
KERAS_BACKEND=torch "$place/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
import torch

keras.config.set_floatx("float64")
rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
product = keras.ops.matmul(torch.tensor(a), torch.tensor(b))
layer = keras.layers.SimpleRNN(2, dtype="float64", return_sequences=True)
x = rng.normal(size=(2, 5, 3))
y = layer(torch.tensor(x)).detach().numpy()
kernel, recurrent, bias = layer.get_weights()
h, worst = np.zeros((2, 2)), 0.0
for t in range(5):
    h = np.tanh(x[:, t] @ kernel + h @ recurrent + bias)
    worst = max(worst, np.abs(h - y[:, t]).max())
print("matmul:", product.dtype, "SimpleRNN:", y.dtype, f"{worst:.0e} off")
assert product.dtype == torch.float32
assert y.dtype == np.float64
assert worst > 1e-9
PYTHON
