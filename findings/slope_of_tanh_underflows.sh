#!/usr/bin/env bash
# The slope of tanh and of the logistic function, asked of a framework in float64.
# Good guess: 1/cosh(25)² = 7.7e-22 and σ(40)σ(−40) = 4.2e-18 come out to many digits, being far from
# the smallest float. torch 2.13.0 and jax 0.10.2 give exactly 0: they read the slope off the output,
# 1 − y² and y(1 − y), where y has been rounded to 1. autograd 1.9.1 reads tanh's off the input.
# Seen: torch 0.0, 0.0; jax 0.0, 0.0; autograd 7.71499939185567e-22; torch at −40: 4.248354255291589e-18.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 jax==0.10.2 autograd==1.9.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import jax
import torch
import autograd
import autograd.numpy as anp

jax.config.update("jax_enable_x64", True)


def of_torch(function, at):
    a = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    function(a).backward()
    return a.grad.item()


seen = {
    "torch tanh 25": of_torch(torch.tanh, 25.0),
    "torch sigmoid 40": of_torch(torch.sigmoid, 40.0),
    "torch sigmoid -40": of_torch(torch.sigmoid, -40.0),
    "jax tanh 25": float(jax.grad(jax.numpy.tanh)(25.0)),
    "jax sigmoid 40": float(jax.grad(jax.nn.sigmoid)(40.0)),
    "autograd tanh 25": float(autograd.grad(anp.tanh)(25.0)),
}
for name, value in seen.items():
    print(name, value)
assert seen["torch tanh 25"] == seen["torch sigmoid 40"] == 0.0
assert seen["jax tanh 25"] == seen["jax sigmoid 40"] == 0.0
assert abs(seen["torch sigmoid -40"] / 4.248354255291589e-18 - 1) < 1e-12
assert abs(seen["autograd tanh 25"] / 7.71499939185567e-22 - 1) < 1e-12
PYTHON
