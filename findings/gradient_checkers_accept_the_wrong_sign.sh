#!/usr/bin/env bash
# A gradient of the wrong sign, shown to the gradient checkers of torch 2.13.0 and jax 0.10.2.
# Good guess: both refuse it. Both accept it where the gradient is small: the default tolerances are
# absolute, and a gradient that has vanished over a few steps of a
# recurrent network lies below them. Seen: torch True at 1e-7; jax silent at 1e-10, both refuse at 1.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 jax==0.10.2 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
import torch
from jax.test_util import check_grads


def torch_accepts(size):
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(context, a):
            return a * size

        @staticmethod
        def backward(context, cotangent):
            return -cotangent * size

    a = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(Scaled.apply, (a,), raise_exception=False)


def jax_accepts(size):
    scaled = jax.custom_vjp(lambda a: a * size)
    scaled.defvjp(lambda a: (a * size, None), lambda _, cotangent: (-cotangent * size,))
    try:
        check_grads(scaled, (jnp.linspace(-1.0, 1.0, 5),), order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


seen = [torch_accepts(1.0), torch_accepts(1e-7), jax_accepts(1.0), jax_accepts(1e-10)]
print("torch at 1, at 1e-7; jax at 1, at 1e-10:", seen)
assert seen == [False, True, False, True]
PYTHON
