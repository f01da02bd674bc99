#!/usr/bin/env bash
# relu(a) = max(a, 0) at a = 0, spelled as people spell it.
# Good guess: one library, one slope. It is 0, ½ or 1 by spelling, and the same spelling differs
# between libraries: clipping gives 1 in torch 2.13.0 and ½ in jax 0.10.2; (a + |a|)/2 gives ½ in
# torch and 1 in jax; autograd 1.9.1 has ½ for maximum and 0 for where. A network with a state at
# exactly 0 (zero initial states, padding) has another gradient after a refactoring that changes no value.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 jax==0.10.2 autograd==1.9.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import torch


def of_torch(function):
    a = torch.tensor(0.0, requires_grad=True)
    function(a).backward()
    return a.grad.item()


seen = {
    "torch relu": of_torch(torch.relu),
    "torch clamp(min=0)": of_torch(lambda a: torch.clamp(a, min=0)),
    "torch maximum(a, 0)": of_torch(lambda a: torch.maximum(a, torch.zeros(()))),
    "torch (a + |a|)/2": of_torch(lambda a: (a + a.abs()) / 2),
    "jax relu": float(jax.grad(jax.nn.relu)(0.0)),
    "jax clip(a, 0)": float(jax.grad(lambda a: jnp.clip(a, 0, None))(0.0)),
    "jax maximum(a, 0)": float(jax.grad(lambda a: jnp.maximum(a, 0.0))(0.0)),
    "jax (a + |a|)/2": float(jax.grad(lambda a: (a + jnp.abs(a)) / 2)(0.0)),
    "autograd maximum(a, 0)": float(autograd.grad(lambda a: anp.maximum(a, 0.0))(0.0)),
    "autograd where(a > 0, a, 0)": float(autograd.grad(lambda a: anp.where(a > 0, a, 0.0))(0.0)),
}
for name, value in seen.items():
    print(f"{name:28} {value}")
assert list(seen.values()) == [0.0, 1.0, 0.5, 0.5, 0.0, 0.5, 0.5, 1.0, 0.5, 0.0]
PYTHON
