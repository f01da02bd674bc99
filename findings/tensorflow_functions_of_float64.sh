#!/usr/bin/env bash
# tf.nn.gelu and tf.nn.leaky_relu of float64 in TensorFlow 2.21.0, CPU.
# Good guess: float64 in, float64 computed, float64 out. The constants √2 and 0.2 have gone through
# float32: the array is of float64 and right to 1e-8 alone, and so is its gradient. Finite differences
# agree with it, and both disagree with the formula. tanh and softplus are right to 1e-15.
# Seen: 0.20000000298023224 for 0.2; gelu at 1 off by 4.9e-09, its slope by 3.8e-09.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$place/venv/bin/python" - <<'PYTHON'
import math

import tensorflow


def of(function, at):
    """Value and slope at a point of float64."""
    a = tensorflow.constant(at, tensorflow.float64)
    with tensorflow.GradientTape() as tape:
        tape.watch(a)
        y = function(a)
    assert y.dtype == tensorflow.float64
    return float(y), float(tape.gradient(y, a))


phi, density = math.erfc(-1 / math.sqrt(2)) / 2, math.exp(-0.5) / math.sqrt(2 * math.pi)
true = {
    "gelu": (phi, phi + density),
    "softplus": (math.log1p(math.e), 1 / (1 + math.exp(-1))),
    "tanh": (math.tanh(1), 1 / math.cosh(1) ** 2),
}
off = {}
for name, wanted in true.items():
    found = of(getattr(tensorflow.nn, name), 1.0)
    off[name] = [abs(y / right - 1) for y, right in zip(found, wanted, strict=True)]
leaky = of(tensorflow.nn.leaky_relu, -1.0)
print("leaky_relu at -1:", leaky, "off at 1:", {n: [f"{e:.1e}" for e in v] for n, v in off.items()})
assert leaky == (-0.20000000298023224, 0.20000000298023224)
assert min(off["gelu"]) > 1e-9
assert max(off["softplus"] + off["tanh"]) < 1e-14
PYTHON
