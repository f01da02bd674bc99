"""Do the certified bounds ever fail? Random nets and trajectories of every cell, lags to 50.

Each bound is compared with the norm of the product of plainly evaluated Jacobians, at every lag:
upper and lower bounds along the trajectory, a-priori bounds of trajectories drawn from the very
boxes they speak of, invariant sets, least rates and the carousel's. A comparison counts only
where rounding of the plain product cannot decide it. Run as `python benchmarks/violations.py`;
prints the number of comparisons and of violations, and exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from derive import catalogue, differentiate
from derive.cell import previous
from derive.theorems.carousel import find_carousel
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Run, run
from numeric.bounds.one_sequence.tracks import follow
from numeric.meaning.default_constants import default_constants
from numeric.meaning.interpret import as_columns, evaluate
from numeric.meaning.sizes import size_names

LAGS = 50
GAINS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
BOXES = (0.0, 0.1, 1.0, 3.0)
UNSURE = 1e-3


def net(name: str, seed: int) -> Setting:
    """Random sizes, weights, biases and boxes."""
    rng = np.random.default_rng(seed)
    cell = catalogue[name]
    own = {str(s) for state in cell.states for s in state.shape[0].free_symbols}
    n, m = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    sizes = {size: n if size in own else m for size in size_names(cell)}
    gain, scale = rng.choice(GAINS), rng.choice([0.1, 1.0])
    weights = draw(cell, sizes, gain, 1, seed, scale)["parameters"]
    for key, value in weights.items():
        if value.ndim < 2:
            weights[key] = value * gain + rng.normal(size=value.shape) * rng.choice([0.0, 0.5, 2.0])
    constants = default_constants(cell, {**sizes, "T": LAGS})
    box, start = rng.choice(BOXES), rng.choice([0.0, 0.5])
    return Setting(differentiate(cell), weights, sizes, (-box, box), (-start, start), constants)


def sequence(found: Setting, seed: int) -> Run:
    """Inputs and initial states from the boxes: inside, at the corners, or held at one corner."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3)

    def within(low: np.ndarray, high: np.ndarray, steps: int) -> np.ndarray:
        shape = (steps, len(low))
        s = rng.uniform(size=shape) if kind == 0 else rng.integers(0, 2, size=shape).astype(float)
        s = np.broadcast_to(s[:1], shape) if kind == 2 else s
        return np.clip(low[:, 0] + s * (high - low)[:, 0], low[:, 0], high[:, 0])

    inputs = {name: within(v.lo, v.hi, LAGS) for name, v in found.inputs().items()}
    initial = {name: within(v.lo, v.hi, 1)[0] for name, v in found.initial().items()}
    return run(found.derivation, found.parameters, inputs, initial, found.constants)


def plain_jacobians(path: Run) -> Iterator[tuple[np.ndarray, float]]:
    """J_T, J_{T−1}, … at the stored states, by plain evaluation, and their relative error.

    Evaluated in extended precision; what float64 makes of the same formulas differs by about 2¹¹
    times its error: slopes such as 1 − tanh² lose digits where a function saturates.
    """
    for wide, narrow in zip(_evaluated(path, np.longdouble), _evaluated(path, float), strict=True):
        size = float(np.linalg.norm(wide.astype(float)))
        off = float(np.linalg.norm((wide - narrow).astype(float)))
        yield wide.astype(float), off / size * 2.0**-8 if size else 0.0


def _evaluated(path: Run, kind: type) -> Iterator[np.ndarray]:
    cell, sizes = path.derivation.cell, path.sizes
    jacobian = path.derivation.step_jacobian
    blocks = [[jacobian.expanded(a.name, b.name) for b in cell.states] for a in cell.states]

    def column(value: np.ndarray) -> np.ndarray:
        return as_columns(np.asarray(value)).astype(kind)

    fixed = {name: column(value) for name, value in path.parameters.items()}
    fixed |= {k: column(v) for k, v in path.constants.items() if k not in cell.sequences}
    for t in reversed(range(path.steps)):
        values = dict(fixed)
        values |= {name: column(path.constants[name][t]) for name in cell.sequences}
        values |= {name: column(value[t]) for name, value in path.inputs.items()}
        values |= {previous(s).name: column(path.states[s.name][t]) for s in cell.states}
        for equation in path.derivation.forward:
            values[equation.target.name] = evaluate(equation.value, values, sizes)
        yield np.block([[evaluate(block, values, sizes) for block in row] for row in blocks])


def compare(found: Setting, certificate: Certificate, path: Run, count: Counter[str]) -> list[str]:
    """The bounds that fail on one trajectory; comparisons are counted by kind."""
    failed = []
    track = follow(path, windows=(1, 2, 5, 10))
    for state, box in (certificate.box or {}).items():
        values, slack = path.states[state], 1e-9 * (1 + box.magnitude[:, 0])
        count["invariant set"] += values.size
        if np.any(values < box.lo[:, 0] - slack) or np.any(values > box.hi[:, 0] + slack):
            failed.append(f"invariant set of {state}")
    a_priori = {m.name: m.log10_upper for m in (*certificate.methods, *certificate.finite)}
    kept = find_carousel(path.derivation) if certificate.carousel_rate else None
    product, scale, worst = np.eye(sum(v.shape[1] for v in path.states.values())), 0.0, 0.0
    lost, offset = 0.0, 0
    if kept is not None:
        names = [state.name for state in path.derivation.cell.states]
        widths = [path.states[name].shape[1] for name in names]
        offset = sum(widths[: names.index(kept.keeper)])
    for place, (factor, error) in enumerate(plain_jacobians(path)):
        product, lost = product @ factor, lost + error
        worst += math.log10(float(np.linalg.norm(factor, 2)) or 1e-300)
        norm = float(np.linalg.norm(product, 2))
        if norm == 0 or not math.isfinite(norm):
            break
        product, scale = product / norm, scale + math.log10(norm)
        unsure = (1e-14 * (place + 2) + lost) * 10.0 ** min(worst - scale, 300.0)
        if unsure > UNSURE:
            continue
        slack = math.log10(1 + unsure) + 1e-10
        for kind, methods, side in (("a priori", a_priori, 1), ("upper", track.log10_upper, 1),
                                    ("lower", track.log10_lower, -1)):  # fmt: skip
            for method, bounds in methods.items():
                count[kind] += 1
                if side * (bounds[place] - scale) < -slack:
                    failed.append(f"{method} at lag {place + 1}: {bounds[place]} and {scale}")
        floors = [(certificate.least_rate, product)]
        if kept is not None:
            size = path.states[kept.keeper].shape[1]
            span = slice(offset, offset + size)
            floors.append((certificate.carousel_rate, product[span, span]))
        for rate, block in floors:
            if rate:
                count["rates from below"] += 1
                smallest = float(np.linalg.svd(block, compute_uv=False)[-1]) + unsure
                if math.log10(smallest) + scale < (place + 1) * math.log10(rate) - slack:
                    failed.append(f"a rate from below at lag {place + 1}")
    return failed


def main() -> int:
    """Count comparisons and violations."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nets", type=int, default=20, help="nets of each cell (20)")
    parser.add_argument("--trajectories", type=int, default=1, help="of each net (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", nargs="*", default=list(catalogue), help="of the catalogue")
    arguments = parser.parse_args()
    begin, count, nets, skipped = time.perf_counter(), Counter(), 0, 0
    failures: list[str] = []
    for name in arguments.cells:
        for place in range(arguments.nets):
            seed = arguments.seed + 1000 * place
            found = net(name, seed)
            certificate = certify(found, LAGS, steps=LAGS)
            nets += 1
            for draw_seed in range(arguments.trajectories):
                try:
                    path = sequence(found, seed + draw_seed)
                except ValueError:  # a state that overflows is refused by name
                    skipped += 1
                    continue
                failed = compare(found, certificate, path, count)
                failures += [f"{name}, seed {seed}.{draw_seed}: {what}" for what in failed]
        print(
            f"{name}: {sum(count.values()):,} comparisons, {len(failures)} violations", flush=True
        )
    for failure in failures[:20]:
        print(failure)
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in count.items())
    paths = nets * arguments.trajectories - skipped
    print(f"{nets:,} nets, {paths:,} trajectories, {skipped} that overflow; "
          f"{sum(count.values()):,} comparisons ({kinds}), {len(failures)} violations, "
          f"{time.perf_counter() - begin:.0f} s")  # fmt: skip
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
