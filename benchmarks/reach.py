"""Of how many drawn nets is it decided that gradients vanish, for all inputs in a box?

Nets of three cells: recurrent weights N(0, g²/n), half of the nets with a part of rank one of the
same variance, weights of inputs N(0, 0.3²/m), biases N(0, 0.3²), forget biases 1 higher in a third
of the nets; g uniform in a range of its cell, inputs in [−1, 1]. Every method on its own, those
that were there before the fractional form together, all, and conditions that were published. A net
of which some step Jacobian within the ranges has a spectral radius of 1 or more is beyond what any
of these methods but that in pieces can decide; it is counted too. `--solver` asks a semidefinite
solver about each net that is not decided: the number for which its inequality, proved without it,
does decide.
Run as `python benchmarks/reach.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from semidefinite import solved

from derive import catalogue, differentiate
from numeric.bounds.all_inputs.box_pieces import NAME as PIECES
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.closed_condition import admissible
from numeric.bounds.all_inputs.fractional_form import fractional_form
from numeric.bounds.all_inputs.fractional_norm import NAME, some_corner_grows
from numeric.bounds.all_inputs.ranges import Setting

Array = Any
GAINS = {"rnn": (0.3, 1.1), "gru": (0.1, 0.7), "lstm": (0.05, 0.6)}
BEFORE = "all methods before"
ALL = "all methods"


def net(name: str, n: int, m: int, seed: int) -> Setting:
    """One net, by its number."""
    cell = catalogue[name]
    rng = np.random.default_rng([seed, n, list(GAINS).index(name)])
    gain, low_rank = rng.uniform(*GAINS[name]), rng.integers(2) == 1

    def parameter(columns: str) -> Array:
        if columns == "1":
            return rng.normal(size=n) * 0.3
        if columns == "m":
            return rng.normal(size=(n, m)) * 0.3 / math.sqrt(m)
        W = rng.normal(size=(n, n)) * gain / math.sqrt(n)
        part = np.outer(rng.normal(size=n), rng.normal(size=n)) * gain / n
        return (W + part) / math.sqrt(2) if low_rank else W

    weights = {s.name: parameter(str(s.shape[1])) for s in cell.parameters}
    if "b_f" in weights and rng.integers(3) == 0:
        weights["b_f"] = weights["b_f"] + 1.0
    return Setting(differentiate(cell), weights, {"n": n, "m": m})


def published(name: str, setting: Setting, found: Certificate) -> bool:
    """Whether a published condition decides: Pascanu's, Bonassi's or Terzi's.

    The last two are the closed condition of N by states with the gates' largest values in place
    of the diagonals' own.
    """
    weights = setting.parameters
    values = admissible(setting, found)
    if name == "rnn":
        return bool(np.linalg.norm(weights["W"], 2) < 1)
    if name == "gru":
        r, z = (float(values[gate].hi.max()) for gate in "rz")
        phi = float(values["h_tilde"].magnitude.max())
        W = {g: float(np.abs(weights[f"W_{g}h"]).sum(axis=1).max()) for g in "zrh"}
        left = W["h"] * (0.25 * W["r"] + r)
        return bool(left < 1 - 0.25 * (1 + phi) / (1 - max(z, 1 - float(values["z"].lo.min())))
                    * W["z"])  # fmt: skip
    f, i, o = (float(values[gate].hi.max()) for gate in "fio")
    g, x = float(values["c_tilde"].magnitude.max()), float(np.tanh(values["c"].magnitude.max()))
    U = {k: float(np.linalg.norm(weights[f"W_{k}h"], 2)) for k in "fioc"}
    a = 0.25 * U["f"] * i * g / (1 - f) + i * U["c"] + 0.25 * U["i"] * g
    A = np.array([[f, a], [o * f, a * o + 0.25 * x * U["o"]]])
    return bool(np.abs(np.linalg.eigvals(A)).max() < 1)


def counts(
    name: str, n: int, m: int, nets: int, solver: bool = False
) -> tuple[Counter[str], float]:
    """Decided nets by method, and the longest time of a certificate in seconds."""
    found: Counter[str] = Counter()
    longest = 0.0
    for seed in range(nets):
        setting = net(name, n, m, seed)
        begin = time.process_time()
        certificate = certify(setting, 1)
        longest = max(longest, time.process_time() - begin)
        old = [m for m in certificate.methods if m.name not in (NAME, PIECES)]
        for method in certificate.methods:
            found[method.name] += method.rate < 1
        found[BEFORE] += min((method.rate for method in old), default=math.inf) < 1
        found[ALL] += certificate.rate < 1
        if certificate.box is None:
            found["no invariant set"] += 1
            continue
        found["published"] += published(name, setting, certificate)
        form = fractional_form(setting.derivation, admissible(setting, certificate), setting.sizes)
        found["some corner grows"] += form is not None and some_corner_grows(form)
        if solver and form is not None and certificate.rate >= 1:
            least, proof = solved(form)
            found["asked of the solver"] += 1
            found["feasible, says the solver"] += least > 0
            found["decided by the solver alone"] += proof is not None and proof.rate < 1
    return found, longest


def main() -> None:
    """Print a line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nets", type=int, default=200, help="nets of each cell (200)")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--inputs", type=int, default=2)
    parser.add_argument("--cells", nargs="*", default=list(GAINS))
    parser.add_argument("--solver", action="store_true", help="with the extra `solver`")
    arguments = parser.parse_args()
    for name in arguments.cells:
        found, longest = counts(
            name, arguments.size, arguments.inputs, arguments.nets, arguments.solver
        )
        first = ("published", BEFORE, NAME, PIECES, ALL)
        rest = sorted(found.keys() - set(first))
        print(f"{name}, n = {arguments.size}, of {arguments.nets} nets: "
              + ", ".join(f"{kind} {found[kind]}" for kind in (*first, *rest))
              + f"; at most {longest:.2f} s a net", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
