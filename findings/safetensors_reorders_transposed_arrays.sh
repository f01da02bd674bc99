#!/usr/bin/env bash
# A transposed NumPy array, written and read by safetensors.numpy 0.8.0.
# Good guess: what is read is what was written, or the array is refused, as safetensors.torch refuses a
# tensor that is not contiguous. It has the right shape and the entries of another order, without a
# word: the memory is written as it lies, and of a transpose W.T it lies by columns. Converters of Keras's
# kernels, the transposes of PyTorch's, need np.ascontiguousarray. 0.7.0 writes them right.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet numpy==2.4.6
cat > "$place/there_and_back.py" <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

W = np.arange(6.0, dtype=np.float32).reshape(2, 3)
print(*(load(save({"W": array}))["W"].tolist() for array in (W, W.T, np.ascontiguousarray(W.T))), sep="\n")
PYTHON
for version in 0.7.0 0.8.0; do
  "$place/venv/bin/python" -m pip install --quiet "safetensors==$version"
  "$place/venv/bin/python" "$place/there_and_back.py" > "$place/$version"
  echo "$version:"
  cat "$place/$version"
done
right="[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]"
wrong="[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]"
test "$(sed -n 2p "$place/0.7.0")" = "$right"
test "$(sed -n 2p "$place/0.8.0")" = "$wrong"
test "$(sed -n 3p "$place/0.8.0")" = "$right"
