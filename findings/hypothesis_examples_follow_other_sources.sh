#!/usr/bin/env bash
# The examples of a test that Hypothesis 6.170.17 runs with derandomize=True.
# Good guess: they follow from the test alone. They follow from every module of the project that is
# imported too: numbers written in their sources are drawn as examples, so that a constant added in
# another file changes what a test is shown (seen: 864213579, of the other file, among 200 integers).
# Modules in site-packages are not read.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet hypothesis==6.170.17
mkdir "$place/project"
cd "$place/project"
cat > draw.py <<'PYTHON'
from hypothesis import given, settings, strategies as st

import other

drawn = []


@settings(max_examples=200, derandomize=True, database=None)
@given(st.integers())
def collect(number):
    drawn.append(number)


collect()
print(*drawn)
PYTHON
echo "WIDTH = 3" > other.py
"$place/venv/bin/python" draw.py > first
"$place/venv/bin/python" draw.py > again
echo "LENGTH = 864213579" >> other.py
"$place/venv/bin/python" draw.py > changed
cmp first again
if cmp -s first changed; then echo "the examples stayed"; exit 1; fi
echo "drawn with the constant in the other file: $(tr ' ' '\n' < changed | grep -c 864213579)"
if grep -q 864213579 first; then exit 1; fi
