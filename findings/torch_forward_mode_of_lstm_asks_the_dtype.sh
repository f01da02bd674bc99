#!/usr/bin/env bash
# torch.func.jvp of nn.LSTM, nn.GRU and nn.RNN in torch 2.13.0, CPU.
# Good guess: whether a layer has forward-mode derivatives is a matter of the layer. All three have them in
# float64, GRU and RNN in float32 as well; of an LSTM in float32, the default, jvp raises
# NotImplementedError, since there alone the layer is one operator of oneDNN, which has a backward pass
# only. Under torch.backends.mkldnn.flags(enabled=False) it is written out and works. A check by forward
# mode that is developed in float64 fails on the model as it is used.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import torch


def works(kind, dtype):
    layer = getattr(torch.nn, kind)(3, 4).to(dtype)
    x = torch.randn(5, 2, 3, dtype=dtype)
    try:
        _, moved = torch.func.jvp(lambda x: layer(x)[0], (x,), (torch.ones_like(x),))
    except NotImplementedError:
        return False
    return bool(moved.abs().max() > 0)


seen = {(kind, dtype): works(kind, dtype) for kind in ("LSTM", "GRU", "RNN")
        for dtype in (torch.float64, torch.float32)}
for (kind, dtype), good in seen.items():
    print(f"{kind} {dtype}: {'jvp works' if good else 'NotImplementedError'}")
    assert good == ((kind, dtype) != ("LSTM", torch.float32))
with torch.backends.mkldnn.flags(enabled=False):
    print("LSTM torch.float32 without oneDNN: jvp works:", works("LSTM", torch.float32))
    assert works("LSTM", torch.float32)
PYTHON
