#!/usr/bin/env bash
# Formulas in jax 0.10.2 called by themselves and under jax.jit, float64, CPU.
# Good guess: jit changes roundings and time, not whether a number is finite. XLA simplifies by algebra:
# log(exp(a)), exp(a)·exp(−a) and √(a²) overflow by themselves and are right compiled, (a·1e200)·1e200 and
# (a/1e200)/1e200 are right by themselves and inf and 0 compiled, since the constants are multiplied first;
# (a + 1) − 1 compiled forgets nothing of a. `jax_disable_most_optimizations` leaves all that as it is. So
# a test under jit has not tested the function that is called without it, nor the other way round.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$place/formulas.py" <<'PYTHON'
import sys

import jax
import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", "plain" in sys.argv)
FORMULAS = {
    "log(exp(a))": (lambda a: jnp.log(jnp.exp(a)), 1000.0, "inf", "1000"),
    "its slope": (jax.grad(lambda a: jnp.log(jnp.exp(a))), 1000.0, "nan", "1"),
    "exp(a) * exp(-a)": (lambda a: jnp.exp(a) * jnp.exp(-a), 1000.0, "nan", "1"),
    "sqrt(a * a)": (lambda a: jnp.sqrt(a * a), 1e200, "inf", "1e+200"),
    "(a * 1e200) * 1e200": (lambda a: (a * 1e200) * 1e200, 1e-300, "1e+100", "inf"),
    "(a / 1e200) / 1e200": (lambda a: (a / 1e200) / 1e200, 1e300, "1e-100", "0"),
    "(a + 1) - 1": (lambda a: (a + 1.0) - 1.0, 1e-20, "0", "1e-20"),
}
for name, (formula, at, alone, compiled) in FORMULAS.items():
    a = jnp.float64(at)
    seen = f"{float(formula(a)):.6g}", f"{float(jax.jit(formula)(a)):.6g}"
    print(f"{name:20} at {at:g}: by itself {seen[0]}, under jit {seen[1]}")
    assert seen == (alone, compiled)
PYTHON
"$place/venv/bin/python" "$place/formulas.py"
"$place/venv/bin/python" "$place/formulas.py" plain > "$place/plain"
test "$(wc -l < "$place/plain")" = 7
echo "with jax_disable_most_optimizations: the same"
