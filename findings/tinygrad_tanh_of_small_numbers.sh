#!/usr/bin/env bash
# tanh of tinygrad 0.14.0 in float32, on its device PYTHON.
# Good guess: right to some units of the last place, so that tanh of a small number is that number. It is
# computed as 2σ(2a) − 1, where the small number is rounded as beside 1: 7 % off at 1e-6, exactly 0 at 1e-8,
# in float64 right to 1e-8 alone there. A state that has decayed so far is gone, while its slope, 1, says
# that it goes on: finite differences disagree with the gradient by no fault of it. softplus is exactly 0
# at −20, and has a slope.
# Seen: 1.0728836e-06 for 1e-06, 0.0 for 1e-08, slope 1.0.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet tinygrad==0.14.0 numpy==2.4.6
DEV=PYTHON "$place/venv/bin/python" - <<'PYTHON'
import math

from tinygrad import Tensor, dtypes


def of(name, at, dtype=dtypes.float32):
    a = Tensor([at], dtype=dtype)
    value = getattr(a, name)()
    value.sum().backward()
    return value.item(), a.grad.item()


for at in (0.5, 1e-3, 1e-6, 1e-8):
    value, slope = of("tanh", at)
    off = abs(value / math.tanh(at) - 1)
    print(f"float32: tanh({at:g}) = {value:.8g}, off by {off:.1g} of itself; slope {slope:.7g}")
    assert (off < 1e-6) == (at == 0.5)
assert of("tanh", 1e-8) == (0.0, 1.0)
assert 0.05 < of("tanh", 1e-6)[0] / 1e-6 - 1 < 0.1
off = abs(of("tanh", 1e-8, dtypes.float64)[0] / 1e-8 - 1)
print(f"float64: tanh(1e-08) off by {off:.1g} of itself")
assert 1e-9 < off < 1e-7
value, slope = of("softplus", -20.0)
print(f"float32: softplus(-20) = {value:g}, slope {slope:.4g}")
assert value == 0 and math.isclose(slope, math.exp(-20), rel_tol=1e-4)
PYTHON
