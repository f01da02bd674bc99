#!/usr/bin/env bash
# pytensor.scan(…, truncate_gradient=2) of PyTensor 3.0.7, a loss at each of six steps.
# Good guess: truncated back-propagation through time; each step's loss is carried back two steps, so each
# input has a gradient. The backward loop runs over the last two steps of the sequence and stops: losses
# of the first four steps give nothing, not even to their own inputs. With a loss at the last step alone
# the two readings agree, and no test of that tells them apart. Seen: ∂L/∂x [0, 0, 0, 0, 0.719978, 0.471029].
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet pytensor==3.0.7 numpy==2.4.6
PYTENSOR_FLAGS="base_compiledir=$place/compiled,cxx=" "$place/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import pytensor
import pytensor.tensor as pt

x, w = pt.dvector("x"), pt.dscalar("w")
at = np.linspace(0.1, 0.6, 6), 0.5


def gradients(truncate, every_step):
    h = pytensor.scan(
        lambda x_t, h_prev, w: pt.tanh(w * h_prev + x_t), sequences=[x],
        outputs_info=[pt.zeros((), dtype="float64")], non_sequences=[w],
        truncate_gradient=truncate, return_updates=False,
    )
    loss = h.sum() if every_step else h[-1]
    found = pytensor.function([x, w], pytensor.grad(loss, [x, w]), mode="FAST_COMPILE")(*at)
    return found[0], float(found[1])


def textbook(window):
    """Each step's loss carried back over so many steps."""
    h = [0.0]
    for x_t in at[0]:
        h.append(np.tanh(at[1] * h[-1] + x_t))
    x_bar = np.zeros(6)
    for end in range(6):
        carry = 1.0
        for t in range(end, max(end - window, -1), -1):
            carry *= 1 - h[t + 1] ** 2
            x_bar[t] += carry
            carry *= at[1]
    return x_bar


whole, cut, last = gradients(-1, True)[0], gradients(2, True)[0], gradients(2, False)[0]
print("not truncated:    ", whole.round(6))
print("truncated:        ", cut.round(6))
print("each loss, 2 back:", textbook(2).round(6))
print("loss at the end:  ", last.round(6))
assert np.allclose(whole, textbook(6))
assert np.array_equal(cut[:4], np.zeros(4)) and np.allclose(cut[4:], whole[4:])
assert (textbook(2) > 0.4).all()
assert np.array_equal(last[:4], np.zeros(4)) and (last[4:] > 0).all()
PYTHON
