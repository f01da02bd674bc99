#!/usr/bin/env bash
# silu of paddlepaddle 3.3.1 and its slope at numbers far below 0, CPU.
# Good guess: silu and swish are one function, a·σ(a), and its slope goes to 0 there. The value of both does
# and swish's slope; silu's is −inf at −88 and nan from −90 on in float32, nan from −710 on in float64,
# where exp(−a) overflows. One such unit makes the whole gradient nan, the loss being finite. At the same
# end softplus and mish are exactly 0 below −17 in float32 and −37 in float64 while softplus has a slope.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet paddlepaddle==3.3.1 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import math

import paddle
from paddle.nn import functional

paddle.set_device("cpu")


def of(name, at, dtype):
    a = paddle.to_tensor(at, dtype=dtype, stop_gradient=False)
    value = getattr(functional, name)(a)
    value.backward()
    return value.item(), a.grad.item()


for dtype, ends in {"float32": (-80.0, -88.0, -90.0), "float64": (-700.0, -710.0)}.items():
    for at in ends:
        silu, swish, softplus = (of(name, at, dtype) for name in ("silu", "swish", "softplus"))
        print(f"{dtype} {at:g}: silu {silu[0]:.3g}, slope {silu[1]:.3g}; slope of swish {swish[1]:.3g}")
        assert math.isclose(silu[0], swish[0], rel_tol=1e-6) and abs(swish[1]) < 1e-30
        if at in {-80.0, -700.0}:
            assert math.isclose(silu[1], swish[1], rel_tol=1e-6)
        elif at == -88.0:
            assert silu[1] == -math.inf
        else:
            assert math.isnan(silu[1])
for dtype, at in (("float32", -20.0), ("float64", -40.0)):
    value, slope = of("softplus", at, dtype)
    print(f"{dtype} {at:g}: softplus {value:.3g}, slope {slope:.3g}; mish {of('mish', at, dtype)}")
    assert value == 0 and math.isclose(slope, math.exp(at), rel_tol=1e-6)
    assert of("mish", at, dtype) == (0, 0)
PYTHON
