#!/usr/bin/env bash
# Matrices drawn by hypothesis 6.170.0: arrays(float, (3, 3), elements=floats(-1, 1)).
# Good guess: nearly every one tells W from its transpose. About one in seven is symmetric, since most
# entries are one drawn filling value, and many more differ in one entry alone: a transposed matrix in a
# backward pass is often not to be seen. With fill=nothing() it is one in a hundred. Seen: 0.147, 0.009.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet hypothesis==6.170.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def share(**more):
    found = []

    @settings(max_examples=1000, derandomize=True, database=None, deadline=None)
    @given(arrays(float, (3, 3), elements=st.floats(-1, 1), **more))
    def look(matrix):
        found.append(np.array_equal(matrix, matrix.T))

    look()
    return sum(found) / len(found)


usual, filled = share(), share(fill=st.nothing())
print("symmetric:", usual, "with fill=nothing():", filled)
assert usual > 0.08 and filled < 0.03
PYTHON
