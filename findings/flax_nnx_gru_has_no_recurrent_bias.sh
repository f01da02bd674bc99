#!/usr/bin/env bash
# The GRU cell of flax.nnx, flax 0.12.8, against the formula that its documentation prints.
# Good guess: n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), as the docstring says, so that a GRU of
# PyTorch or of flax.linen converts. There is no b_hn: the recurrent product `dense_h` has no bias, and
# nothing in the constructor gives it one. Only weights with b_hn = 0 convert.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet flax==0.12.8 jax==0.10.2 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
from flax import linen, nnx
import jax
import numpy as np

cell = nnx.GRUCell(3, 4, rngs=nnx.Rngs(0))
names = sorted(".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(cell, nnx.Param)))
other = linen.GRUCell(4)
zeros = np.zeros((2, 4), np.float32)
params = other.init(jax.random.key(0), zeros, np.zeros((2, 3), np.float32))["params"]
print("nnx:", names, "linen:", {gate: sorted(held) for gate, held in params.items()})
assert "b_{hn}" in nnx.GRUCell.__doc__
assert names == ["dense_h.kernel", "dense_i.bias", "dense_i.kernel"]
assert "bias" in params["hn"]
PYTHON
