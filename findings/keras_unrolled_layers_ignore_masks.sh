#!/usr/bin/env bash
# Bidirectional(GRU(2, return_sequences=True, unroll=True)) of keras 3.15.1 on a masked sequence.
# Good guess: `unroll` trades memory for speed, and masked steps have output 0, as Bidirectional says of
# itself. Unrolled, the jax backend leaves the forward direction's last output in the masked steps; the
# tensorflow backend zeroes real steps of the backward direction, the mask lying the wrong way round.
# With unroll=False both agree. Seen: steps with outputs [3, 3], unrolled jax [5, 3], tensorflow [3, 1].
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet keras==3.15.1 jax==0.10.2 tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$place/steps.py" <<'PYTHON'
import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(1, 5, 3)).astype(np.float32)
mask = keras.ops.convert_to_tensor(np.array([[True, True, True, False, False]]))


def outputs(unroll):
    layer = keras.layers.GRU(2, return_sequences=True, unroll=unroll)
    both = keras.layers.Bidirectional(layer)
    both.build(x.shape)
    random = np.random.default_rng(1)
    both.set_weights([random.normal(size=held.shape) * 0.5 for held in both.get_weights()])
    return keras.ops.convert_to_numpy(both(x, mask=mask))[0]


def steps(y):
    """How many steps have an output of the forward direction, and of the backward one."""
    return [int(np.any(part, axis=1).sum()) for part in (y[:, :2], y[:, 2:])]


loop, unrolled = outputs(False), outputs(True)
print("loop", steps(loop), "unrolled", steps(unrolled))
assert steps(loop) == [3, 3]
assert np.any(loop[:3], axis=1).all()
assert steps(unrolled) == {"jax": [5, 3], "tensorflow": [3, 1]}[keras.backend.backend()]
PYTHON
for backend in jax tensorflow; do
  echo "$backend:"
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$place/venv/bin/python" "$place/steps.py"
done
