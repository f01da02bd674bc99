"""How tight the certified bounds are: decades above the exact norm at lag 60, ten seeds.

Weights N(0, gain²/n) and N(0, 1/m), inputs N(0, 1), n = 32, m = 8; biases 0 but for the forget
gate's. Run as `python benchmarks/tightness.py`; prints the table of the README.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from derive import catalogue, differentiate
from numeric.bounds.one_sequence.step_jacobians import Run, run
from numeric.bounds.one_sequence.tracks import follow

CASES = (("lstm", 0.0, 1.0), ("lstm", 1.0, 1.0), ("lstm", 3.0, 1.0), ("rnn", 0.0, 0.9),
         ("gru", 0.0, 1.0))  # fmt: skip
SEEDS, N, M, STEPS = range(10), 32, 8, 60
LONGEST = (1, 2, 5, 10, 20)


def drawn(name: str, bias: float, gain: float, seed: int) -> Run:
    """One net and one sequence."""
    derivation = differentiate(catalogue[name])
    rng = np.random.default_rng(seed)
    params = {}
    for symbol in derivation.cell.parameters:
        if symbol.shape[1] == 1:
            params[symbol.name] = np.full(N, bias if symbol.name == "b_f" else 0.0)
            continue
        recurrent = str(symbol.shape[1]) == "n"
        columns = N if recurrent else M
        width = (gain if recurrent else 1.0) / math.sqrt(columns)
        params[symbol.name] = rng.normal(size=(N, columns)) * width
    return run(derivation, params, {"x": rng.normal(size=(STEPS, M))})


def best(upper: dict[str, tuple[float, ...]], longest: int) -> tuple[float, str]:
    """The smallest bound of windows up to a length at the last lag, and its method."""
    held = [(values[-1], name) for name, values in upper.items()
            if name.startswith("window_") and int(name.split("_")[1]) <= longest]  # fmt: skip
    return min(held)


def table() -> Iterable[str]:
    """A line for each case: the exact norm, then the largest gap over the seeds by window."""
    heads = " | ".join(f"k ≤ {k}" for k in LONGEST)
    yield f"| cell | exact log10 | {heads} | won, k ≤ 10 | won, k ≤ 20 |"
    yield "|---" * (len(LONGEST) + 4) + "|"
    for name, bias, gain in CASES:
        gaps: dict[int, list[float]] = {k: [] for k in LONGEST}
        exact: list[float] = []
        winners: dict[int, list[str]] = {10: [], 20: []}
        for seed in SEEDS:
            track = follow(drawn(name, bias, gain, seed), windows=LONGEST, dominate=False)
            exact.append(track.log10_measured[-1])
            for k in LONGEST:
                gaps[k].append(best(track.log10_upper, k)[0] - exact[-1])
            for k, won in winners.items():
                won.append(best(track.log10_upper, k)[1])
        label = f"{name}, forget bias {bias:g}" if name == "lstm" else f"{name}, gain {gain:g}"
        cells = (f"{np.mean(gaps[k]):.2f} ({max(gaps[k]):.2f})" for k in LONGEST)
        most = (max(set(won), key=won.count) for won in winners.values())
        yield f"| {label} | {np.mean(exact):.1f} | " + " | ".join((*cells, *most)) + " |"


if __name__ == "__main__":
    print("Decades above the exact norm at lag 60: mean of ten seeds (largest).\n")
    for line in table():
        print(line)
