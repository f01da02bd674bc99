#!/usr/bin/env bash
# What the threads of a matrix product do when it is done: numpy 2.4.6 (OpenBLAS 0.3.31 of its Linux
# wheel), torch 2.13.0 (CPU) and jax 0.10.2, on two cores or more.
# Good guess: they sleep until the next product, so that sleeping costs nothing. Each thread of numpy's
# goes on at full speed for a tenth of a second, each of torch's for some milliseconds, jax's sleep. Code
# of one's own on several threads, called after a product in numpy, finds the cores taken: an LSTM in C
# on two threads took 10.1 ms then, 5.3 ms under OPENBLAS_NUM_THREADS=1, 8.8 ms on one thread. And two
# libraries timed in turn in one process are slower than apart.
# Seen (two cores; processor time spent while the caller sleeps for 0.2 s, median of 7): numpy 106 ms,
# 0.1 ms under OPENBLAS_NUM_THREADS=1; torch 8.5 ms, 0.1 ms under OMP_WAIT_POLICY=passive; jax 0.1 ms.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 jax==0.10.2 numpy==2.4.6
cat > "$place/burnt.py" <<'PYTHON'
import statistics
import sys
import time

import numpy as np

name = sys.argv[1]
a = np.random.default_rng(0).normal(size=(600, 600)).astype("f4")
if name == "numpy":
    product = lambda: a @ a
elif name == "torch":
    import torch

    t = torch.from_numpy(a)
    product = lambda: t @ t
else:
    import jax

    j = jax.numpy.asarray(a)
    times = jax.jit(lambda j: j @ j)
    product = lambda: times(j).block_until_ready()
burnt = []
for _ in range(8):
    product()
    began = time.process_time()
    time.sleep(0.2)
    burnt.append(1e3 * (time.process_time() - began))
print(f"{statistics.median(burnt[1:]):.2f}")
PYTHON
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT
burnt() { "$place/venv/bin/python" "$place/burnt.py" "$1"; }
numpy=$(burnt numpy); alone=$(OPENBLAS_NUM_THREADS=1 burnt numpy)
torch=$(burnt torch); passive=$(OMP_WAIT_POLICY=passive burnt torch); jax=$(burnt jax)
echo "numpy $numpy ms, on one thread $alone; torch $torch, passive $passive; jax $jax"
python3 - "$numpy" "$alone" "$torch" "$passive" "$jax" <<'PYTHON'
import os
import sys

numpy, alone, torch, passive, jax = map(float, sys.argv[1:])
assert len(os.sched_getaffinity(0)) > 1, "needs two cores"
assert 20 < numpy
assert 1 < torch < numpy
assert max(alone, passive, jax) < 1
PYTHON
