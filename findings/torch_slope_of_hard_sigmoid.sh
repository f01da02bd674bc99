#!/usr/bin/env bash
# The slope of torch.nn.functional.hardsigmoid in float64, torch 2.13.0, CPU.
# Good guess: 1/6 to sixteen digits, as the values a/6 + 1/2 are. It is 1/6 rounded to float32,
# 0.1666666716337204, backward and forward: every gradient through such a gate is off by 3e-8, once more
# for each step. gradcheck accepts it; a check to 1e-12 blames the code beside it. hardswish is right.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import torch
from torch.nn.functional import hardsigmoid, hardswish

a = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)


def slope(function):
    (found,) = torch.autograd.grad(function(a), a)
    return found.item()


def ten_steps(h):
    for _ in range(10):
        h = hardsigmoid(h)
    return h


one = torch.ones((), dtype=torch.float64)
forward = torch.func.jvp(hardsigmoid, (a.detach(),), (one,))[1].item()
single = torch.tensor(1 / 6, dtype=torch.float32).item()
after = slope(ten_steps) * 6**10 - 1
accepted = torch.autograd.gradcheck(hardsigmoid, (a,))
print("backward", slope(hardsigmoid), "forward", forward, "over ten steps off by", f"{after:.1e}")
print("value", hardsigmoid(a).item(), "hardswish", slope(hardswish), "gradcheck", accepted)
assert slope(hardsigmoid) == forward == single
assert abs(hardsigmoid(a).item() - 2 / 3) < 1e-15
assert abs(slope(hardswish) - 5 / 6) < 1e-15
assert 2e-7 < after < 4e-7
assert accepted
PYTHON
