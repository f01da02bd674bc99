#!/usr/bin/env bash
# clip_grad_norm_ of torch 2.13.0 on a finite float32 gradient of entries 1e20.
# Good guess: it is scaled to norm 1. Its squares overflow, the norm is inf, 1/inf is 0: the gradient
# becomes exactly 0, with error_if_nonfinite off (the default) without a word, and an exploding gradient
# looks like one that has vanished. Seen: norm inf, gradient [0, 0, 0, 0].
# At the other end entries of 1e-30 have norm 0.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import torch

weight = torch.nn.Parameter(torch.zeros(4))
weight.grad = torch.full((4,), 1e20)
norm = torch.nn.utils.clip_grad_norm_([weight], 1.0)
print("norm", norm.item(), "gradient", weight.grad.tolist())
assert norm.item() == float("inf") and weight.grad.tolist() == [0.0] * 4
weight.grad = torch.full((4,), 1e-30)
small = torch.nn.utils.clip_grad_norm_([weight], 1.0)
print("norm of entries 1e-30:", small.item())
assert small.item() == 0.0
PYTHON
