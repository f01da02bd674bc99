#!/usr/bin/env bash
# np.log1p of complex numbers in NumPy 2.4.6, beside scipy.special.log1p of SciPy 1.17.1.
# Good guess: it keeps small numbers, as log1p of real ones and expm1 of complex ones do. The real part is
# log|1 + z|: 8e-8 of itself off at 1e-9, exactly 0 at 1e-17; SciPy's is right. A complex step subtracts
# nothing, yet the derivative of log(log1p(exp(a))) by it is wrong where a gate is nearly shut, since the
# quotient is taken at the wrong value. Seen: 0.947 for 1 at −35, 1.001 at −30.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet numpy==2.4.6 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import scipy.special

for x in (1e-5, 1e-9, 1e-17):
    off = {
        "numpy": np.log1p(complex(x, 1e-200)).real / np.log1p(x) - 1,
        "scipy": scipy.special.log1p(complex(x, 1e-200)).real / np.log1p(x) - 1,
        "expm1": np.expm1(complex(x, 1e-200)).real / np.expm1(x) - 1,
    }
    print(f"at {x:g}:", {name: f"{value:.1e}" for name, value in off.items()})
    assert abs(off["scipy"]) < 1e-15 and abs(off["expm1"]) < 1e-15
    assert abs(off["numpy"]) > 1e-13
assert np.log1p(complex(1e-17, 1e-200)).real == 0
for a in (-1.0, -20.0, -30.0, -35.0):
    slopes = [np.log(log1p(np.exp(complex(a, 1e-200)))).imag / 1e-200
              for log1p in (np.log1p, scipy.special.log1p)]
    true = np.exp(a) / (1 + np.exp(a)) / np.log1p(np.exp(a))
    print(f"slope of log(log1p(exp(a))) at {a:g}: numpy {slopes[0]:.6g}, scipy {slopes[1]:.6g}, "
          f"true {true:.6g}")
    assert abs(slopes[1] / true - 1) < 1e-12
    assert (abs(slopes[0] / true - 1) < 1e-12) == (a == -1.0)
PYTHON
