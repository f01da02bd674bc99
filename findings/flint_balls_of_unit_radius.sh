#!/usr/bin/env bash
# Ball arithmetic of python-flint 0.9.0 on the ball 0 ± 1.
# Good guess: its square is within [0, 1], or at least finite, and tanh of any ball within [−1, 1].
# The power 2 of the ball is nan, while the ball times itself is 0 ± 1.01; tanh of 0 ± 10 is
# 0 ± 6.47e8. Bounds of gates over boxes of inputs need ranges cut by hand.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet python-flint==0.9.0
"$place/venv/bin/python" - <<'PYTHON'
from flint import arb

ball = arb(0, 1)
print("power", ball**2, "product", ball * ball, "tanh", arb(0, 10).tanh())
assert not (ball**2).is_finite()
assert (ball * ball).is_finite()
assert float(arb(0, 10).tanh().rad()) > 1e8
PYTHON
