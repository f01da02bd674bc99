#!/usr/bin/env bash
# The gradient of tf.raw_ops.BlockLSTMV2 and of BlockLSTM in TensorFlow 2.21.0, CPU.
# Good guess: the gradient registered for an operator is that of its outputs. V2 orders its gates i, f, c, o
# where V1 has i, c, f, o; the gradient of V1 is registered for both, so that V2's takes forget gates for
# candidates: the values are right and every gradient is of another function. V1's is right until
# `cell_clip` cuts the state, backward as if nothing were cut. Finite differences side with the equations.
# Seen, off by x, w, b: V1 3e-7 at most; V2 0.74, 0.78, 0.84; V1 with cell_clip 0.5: 0.42, 0.55, 1.1.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0
CUDA_VISIBLE_DEVICES="" TF_CPP_MIN_LOG_LEVEL=3 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import tensorflow as tf

T, B, M, N = 4, 2, 3, 2
random = np.random.default_rng(0)
shapes = {"x": (T, B, M), "w": (M + N, 4 * N), "b": (4 * N,), "c": (B, N), "h": (B, N)}
given = {n: tf.constant(random.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
weights = np.cos(np.arange(T * B * N, dtype=np.float32)).reshape(T, B, N)
none = tf.zeros(N)


def operator(version, clip):
    call = getattr(tf.raw_ops, version)
    more = {"forget_bias": 0.0} if version == "BlockLSTM" else {}
    return lambda x, w, b, c, h: call(
        seq_len_max=T, x=x, cs_prev=c, h_prev=h, w=w, wci=none, wcf=none, wco=none, b=b,
        cell_clip=clip, **more,
    )[6]


def equations(order, clip):
    def states(x, w, b, c, h):
        found = []
        for t in range(T):
            a = dict(zip(order, tf.split(tf.concat([x[t], h], 1) @ w + b, 4, 1)))
            c = tf.sigmoid(a["f"]) * c + tf.sigmoid(a["i"]) * tf.tanh(a["c"])
            c = tf.clip_by_value(c, -clip, clip) if clip > 0 else c
            h = tf.sigmoid(a["o"]) * tf.tanh(c)
            found.append(h)
        return tf.stack(found)

    return states


def gradients(function):
    with tf.GradientTape() as tape:
        tape.watch(given)
        states = function(**given)
        loss = tf.reduce_sum(states * weights)
    return states.numpy(), {n: g.numpy() for n, g in tape.gradient(loss, given).items()}


def difference(function, name, along, step=1e-3):
    moved = [function(**(given | {name: given[name] + s * along})) for s in (step, -step)]
    return float(tf.reduce_sum((moved[0] - moved[1]) * weights)) / (2 * step)


for version, order, clip, right in (
    ("BlockLSTM", "icfo", 0.0, True), ("BlockLSTMV2", "ifco", 0.0, False),
    ("BlockLSTM", "icfo", 0.5, False),
):
    got, found = gradients(operator(version, clip))
    want, true = gradients(equations(order, clip))
    assert np.abs(got - want).max() < 1e-6
    off = {n: float(np.abs(found[n] - true[n]).max() / np.abs(true[n]).max()) for n in "xwb"}
    print(f"{version}, cell_clip {clip}: values right; gradients off by",
          {n: f"{e:.1e}" for n, e in off.items()})
    assert all(e < 1e-5 if right else e > 0.1 for e in off.values())
    along = random.normal(size=shapes["w"]).astype(np.float32)
    by_differences = difference(operator(version, clip), "w", along)
    ours, theirs = (float((gradient["w"] * along).sum()) for gradient in (true, found))
    print(f"  along w: finite differences {by_differences:.3f}, equations {ours:.3f}, "
          f"operator {theirs:.3f}")
    assert abs(by_differences - ours) < 0.01
    assert (abs(by_differences - theirs) < 0.01) == right
PYTHON
