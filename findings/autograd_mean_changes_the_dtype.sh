#!/usr/bin/env bash
# The gradient of a mean in autograd 1.9.1, asked in float32.
# Good guess: it is float32, as the gradient of a sum is. With numpy 2.4.6 it is float64: the rule
# divides by a count that is a NumPy integer, and float32 over int64 is float64 there. The backward pass
# of a float32 loop under autograd then runs in float64.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet autograd==1.9.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import autograd.numpy as np
from autograd import grad

x = np.ones(3, dtype=np.float32)
of_mean, of_sum = grad(np.mean)(x).dtype, grad(np.sum)(x).dtype
print("mean:", of_mean, "sum:", of_sum)
assert (str(of_mean), str(of_sum)) == ("float64", "float32")
PYTHON
