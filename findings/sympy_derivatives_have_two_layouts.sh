#!/usr/bin/env bash
# The derivative of a vector by a vector in SymPy 1.14.0: of matrix symbols, and of their entries.
# Good guess: one layout in one library; the derivative of A x is A, as x's Jacobian says of the entries.
# Of the symbols it is Aᵀ, and of B A x it is AᵀBᵀ: the factors of a chain in the order of the backward
# pass. `as_explicit` of it is not the Jacobian that the explicit matrices have, and no argument chooses.
# With A symmetric or of size 1 both agree. A step factor diag(φ′) W checked by one against the other is
# transposed, and a product over time turned round.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet sympy==1.14.0
"$place/venv/bin/python" - <<'PYTHON'
from sympy import MatrixSymbol

A, B = (MatrixSymbol(name, 3, 3) for name in "AB")
x = MatrixSymbol("x", 3, 1)
of_symbols = (A * x).diff(x)
chain = (B * A * x).diff(x)
of_entries = (A * x).as_explicit().jacobian(x.as_explicit())
chain_of_entries = (B * A * x).as_explicit().jacobian(x.as_explicit())
print("symbols: d(A x)/dx =", of_symbols, "; d(B A x)/dx =", chain)
print("entries: the Jacobian is A:", of_entries == A.as_explicit())
assert of_symbols == A.T
assert chain == A.T * B.T
assert of_entries == A.as_explicit() != of_symbols.as_explicit()
assert (chain_of_entries - (B * A).as_explicit()).expand().is_zero_matrix
PYTHON
