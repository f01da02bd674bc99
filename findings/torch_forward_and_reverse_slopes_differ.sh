#!/usr/bin/env bash
# torch.func.vjp and torch.func.jvp of one function at one point, torch 2.13.0, CPU.
# Good guess: reverse and forward mode are transposes of each other, whatever slope is chosen at a kink, as
# for relu, maximum, clamp and abs they are. They are two tables of rules. At 0 the slope of prelu with
# weight ¼ is ¼ backward and 1 forward, fmax(a, b) of equal numbers gives its slope to a backward and to b
# forward, atan2(0, 0) has slopes 0 backward and nan forward, xlogy(0, 0) 0 and nan in its first argument.
# A gradient held against forward mode is called wrong at a state of exactly 0, where neither is ours.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import math

import torch
from torch.func import jvp, vjp

zero, one, quarter = (torch.full((1,), v, dtype=torch.float64) for v in (0.0, 1.0, 0.25))


def slopes(function, *at):
    value, pulled = vjp(function, *at)
    backward = [slope.item() for slope in pulled(torch.ones_like(value))]
    forward = []
    for place in range(len(at)):
        along = tuple((one if k == place else zero) for k in range(len(at)))
        forward.append(jvp(function, at, along)[1].item())
    return backward, forward


def same(first, second):
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(first, second))


cases = {
    "relu": (torch.relu, (zero,), True),
    "abs": (torch.abs, (zero,), True),
    "maximum": (torch.maximum, (zero, zero), True),
    "clamp(min=0)": (lambda a: torch.clamp(a, min=0), (zero,), True),
    "prelu, 1/4": (lambda a: torch.nn.functional.prelu(a, quarter), (zero,), False),
    "fmax": (torch.fmax, (zero, zero), False),
    "atan2": (torch.atan2, (zero, zero), False),
    "xlogy": (torch.xlogy, (zero, zero), False),
}
seen = {}
for name, (function, at, agree) in cases.items():
    seen[name] = backward, forward = slopes(function, *at)
    print(f"{name:13} backward {backward}, forward {forward}")
    assert same(backward, forward) == agree
assert seen["prelu, 1/4"] == ([0.25], [1.0])
assert seen["fmax"] == ([1.0, 0.0], [0.0, 1.0])
PYTHON
