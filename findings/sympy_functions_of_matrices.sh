#!/usr/bin/env bash
# tanh at every entry of a matrix expression in SymPy 1.14.0.
# Good guess: the same expression built twice is equal; the derivative of a number by a 3×3 matrix is
# 3×3; the expression can be made a NumPy function. Each `applyfunc` has a fresh dummy, so equality,
# hashing and common subexpressions fail; the derivative of a trace has shape (3,); the code that
# lambdify writes is a syntax error.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet sympy==1.14.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import sympy as sp

A, b = sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("b", 3, 1)
equal = b.applyfunc(sp.tanh) == b.applyfunc(sp.tanh)
shape = sp.diff(sp.Trace(A.applyfunc(sp.tanh)), A).shape
try:
    sp.lambdify([A, b], (A * b).applyfunc(sp.tanh))
    written = "a function"
except SyntaxError as error:
    written = type(error).__name__
print("equal:", equal, "shape:", shape, "lambdify:", written)
assert (equal, shape, written) == (False, (3,), "SyntaxError")
PYTHON
