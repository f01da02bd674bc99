"""Do the certified bounds ever fail? Nets of every cell, against sixty digits of their own making.

Each bound is compared with norms of products of step Jacobians that `sixty_digits` computes from
the text of the equations by forward differentiation: a-priori bounds at every two times of exact
sequences drawn from the very boxes they speak of, invariant sets, rates from below, and the bounds
along a trajectory at its stored states. Weights are drawn at all scales, singular, nilpotent,
orthogonal, rounded to float32; boxes wide and narrow; sequences short. Run as
`python benchmarks/violations.py [--workers N]`; prints the number of comparisons and of violations,
and exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from drawn_nets import MOST, ODD, net, sequence
from sixty_digit_norms import floats, length, norm_above, norm_below, product, size
from sixty_digits import MP, Steps, TooFarError

from derive import Cell, catalogue
from derive.theorems.carousel import find_carousel
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.parameter_bounds import parameter_bounds
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.one_sequence.parameter_sums import parameter_norms
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.one_sequence.tracks import follow
from numeric.bounds.parallel_in_time import newton
from numeric.bounds.parallel_in_time.newton import Sweeps
from numeric.engine import Engine, GivenUp
from numeric.meaning.sizes import shape_of
from reports.arguments.engine_flags import add_engine_flags

Array = Any
_CLOSE, _NEAR = 1e-11, 1e-5


# ---- what is compared -------------------------------------------------------------------------


@dataclass
class Case:
    """A product of Jacobians, and how far sixty digits may be from it: relative to its factors.

    What lies further than `_CLOSE` from the norm in floats is compared with that, all else with
    sixty digits.
    """

    matrix: Any
    worst: Any

    def times(self, factor: Any) -> Case:
        """With one more, earlier factor."""
        return Case(product(self.matrix, factor), self.worst * size(factor))

    @property
    def error(self) -> Any:
        """What rounding at sixty digits can have changed."""
        return self.worst * MP.mpf(10) ** -50

    @cached_property
    def near(self) -> tuple[Array, float]:
        """The singular values over ‖·‖_F in floats, and log10 ‖·‖_F."""
        scaled, log = floats(self.matrix)
        return np.linalg.svd(scaled, compute_uv=False), log

    @cached_property
    def log10(self) -> float:
        """About log10 of the norm; NaN, which nothing is far from, where it is all error."""
        values, log = self.near
        if math.isinf(log) or MP.mpf(10) ** log < self.error * 10**20:
            return math.nan
        return log + math.log10(values[0])

    def above(self, log10: float) -> bool:
        """Whether the norm certainly exceeds 10 to a number."""
        if log10 > self.log10 + _CLOSE * (1 + abs(self.log10)):
            return False
        return _power(log10) < norm_below(self.matrix) - self.error

    def below(self, log10: float) -> bool:
        """Whether the norm certainly falls short of 10 to a number."""
        if log10 < self.log10 - _CLOSE * (1 + abs(self.log10)):
            return False
        return _power(log10) > norm_above(self.matrix) + self.error

    def shrinks(self, rate: float, lag: int) -> bool:
        """Whether the least singular value certainly falls short of a power of the rate."""
        values, log = self.near
        if math.isfinite(log) and values[-1] > 1e-9:
            least = log + math.log10(values[-1])
            if lag * math.log10(rate) < least - _NEAR * (1 + abs(least)):
                return False
        least = MP.svd_r(MP.matrix(self.matrix), compute_uv=False)[len(self.matrix) - 1]
        return bool(least + self.error < MP.mpf(rate) ** lag)


def _power(log10: float) -> Any:
    if math.isinf(log10):
        return MP.inf if log10 > 0 else MP.mpf(0)
    return MP.mpf(10) ** MP.mpf(log10)


def products(jacobians: Sequence[Any], last: int) -> Iterator[Case]:
    """J_T, J_T J_{T−1}, … for T the last of some."""
    case: Case | None = None
    for factor in reversed(jacobians[:last]):
        case = Case(factor, size(factor)) if case is None else case.times(factor)
        yield case


def exact_sequence(
    found: Setting, certificate: Certificate, steps: int, seed: int, count: Counter[str]
) -> list[str]:
    """What fails of all inputs: along one exact sequence, at every two of its times."""
    cell = found.derivation.cell
    inputs, state = sequence(found, steps, seed)
    made = Steps.of(cell, found.sizes, found.parameters, found.constants)
    jacobians, failed = [], []
    for t in range(steps):
        state, jacobian = made.step(t, state, inputs)
        jacobians.append(jacobian)
        for name, box in (certificate.box or {}).items():
            count["invariant set"] += len(state[name])
            if not all(
                low <= value <= high
                for value, low, high in zip(
                    state[name], np.ravel(box.lo).tolist(), np.ravel(box.hi).tolist(), strict=True
                )
            ):
                failed.append(f"the invariant set of {name} at step {t + 1}")  # fmt: skip
        failed += scaled_step(certificate, jacobian, t, count)
    kept = find_carousel(found.derivation) if certificate.carousel_rate else None
    for last in range(1, steps + 1):
        for lag, case in enumerate(products(jacobians, last), 1):
            for method in (*certificate.methods, *certificate.finite):
                count["a priori"] += 1
                if case.above(method.log10_upper[lag - 1]):
                    failed.append(f"{method.name} at lag {lag} from step {last}: "
                                  f"{method.log10_upper[lag - 1]}")  # fmt: skip
            failed += [f"{said} at lag {lag} from step {last}" for said in
                       _from_below(found, certificate, kept, case, lag, count)]  # fmt: skip
    return failed


def scaled_step(
    certificate: Certificate, jacobian: Any, t: int, count: Counter[str]
) -> Iterator[str]:
    """‖T J x‖ ≤ r ‖T x‖ of one step, for each column x of T⁻¹, at sixty digits."""
    made = []
    if (held := certificate.scaled) is not None:
        k = held.form.width
        made.append((held.scaling[:k, :k], held.rate))
    if certificate.pieces is not None:
        made.append((certificate.pieces.metric, certificate.pieces.rate))
    for metric, rate in made:
        T = MP.matrix(metric.tolist())
        count["scaled steps"] += 1
        scaled = (T * MP.matrix(jacobian) * T**-1).tolist()
        lost = size(scaled) * MP.mpf(10) ** -30
        if norm_below(scaled) > MP.mpf(rate) + lost:
            yield f"the scaled norm at step {t + 1}: {rate}"


def parameters(
    found: Setting, certificate: Certificate, path: Any, made: Steps, inputs: Any,
    jacobians: Sequence[Any], count: Counter[str],
) -> Iterator[str]:  # fmt: skip
    """Norms of ∂s_T/∂θ along stored states, from both sides, and for all inputs."""
    steps = len(jacobians)
    above = parameter_bounds(found, certificate) if certificate.holds_at(path.states) else {}
    for name, norm in parameter_norms(path).items():
        if norm is None and above.get(name) is None:
            continue
        total: Any = None
        lost = MP.mpf(0)
        for t in range(steps):
            share = made.share(t, {n: v[t].tolist() for n, v in path.states.items()}, inputs, name)
            if total is None:
                total = share
            else:
                lost = (lost + size(total) * MP.mpf(10) ** -50) * size(jacobians[t])
                moved = product(jacobians[t], total)
                total = [[a + b for a, b in zip(p, q, strict=True)]
                         for p, q in zip(moved, share, strict=True)]  # fmt: skip
        case = Case(total, size(total) + lost * MP.mpf(10) ** 50)
        if above.get(name) is not None:
            count["parameters"] += 1
            if case.above(above[name]):
                yield f"{name} for all inputs: {above[name]}"
        if norm is not None:
            count["parameters"] += 2
            if case.above(norm.upper) or case.below(norm.lower):
                yield f"{name} along the states: {norm}"


def _from_below(
    found: Setting, certificate: Certificate, kept: Any, case: Case, lag: int, count: Counter[str]
) -> Iterator[str]:
    """Rates from below: of the least singular value, and of the block of the kept state."""
    blocks = {"least rate": (certificate.least_rate, case.matrix)}
    if kept is not None:
        names = [state.name for state in found.derivation.cell.states]
        width = len(case.matrix) // len(names)
        first = names.index(kept.keeper) * width
        block = [row[first : first + width] for row in case.matrix[first : first + width]]
        blocks["carousel"] = (certificate.carousel_rate, block)
    for name, (rate, matrix) in blocks.items():
        if rate:
            count["rates from below"] += 1
            own = case if matrix is case.matrix else Case(matrix, case.worst)
            if own.shrinks(rate, lag):
                yield f"{name} {rate}"


def stored_states(
    found: Setting, certificate: Certificate, steps: int, seed: int, count: Counter[str]
) -> list[str]:
    """What fails along a trajectory: the exact Jacobians at its stored states."""
    cell = found.derivation.cell
    inputs, initial = sequence(found, steps, seed)
    shapes = {state.name: shape_of(state, found.sizes) for state in cell.states}
    initial = {name: value.reshape(shapes[name]) for name, value in initial.items()}
    try:
        path = run(found.derivation, found.parameters, inputs, initial, found.constants)
    except ValueError:  # a state that overflows is refused by name
        count["skipped"] += 1
        return []
    track = follow(path, windows=(1, 2, 3))
    made = Steps.of(cell, found.sizes, found.parameters, found.constants)
    stored = {name: v.reshape(len(v), -1).tolist() for name, v in path.states.items()}
    jacobians = [made.step(t, {name: v[t] for name, v in stored.items()}, inputs)[1]
                 for t in range(steps)]  # fmt: skip
    failed = []
    if steps <= MOST:
        failed += parameters(found, certificate, path, made, inputs, jacobians, count)
    for lag, case in enumerate(products(jacobians, steps), 1):
        for name, upper in track.log10_upper.items():
            count["upper"] += 1
            if case.above(upper[lag - 1]):
                failed.append(f"{name} at lag {lag}: {upper[lag - 1]}")
        for name, lower in track.log10_lower.items():
            count["lower"] += 1
            if case.below(lower[lag - 1]):
                failed.append(f"{name} at lag {lag}: {lower[lag - 1]}")
    return failed


def _visited(given: tuple[Any, ...]) -> tuple[Sweeps, list[Mapping[str, Array]]]:
    """The sweeps, and the states of each of their iterates."""
    held: list[Mapping[str, Array]] = []
    iterate = newton.iterated
    try:
        newton.iterated = lambda run, *rest: held.append(run.states) or iterate(run, *rest)
        return newton.sweeps(*given), held
    finally:
        newton.iterated = iterate


def newton_iterates(found: Setting, steps: int, seed: int, count: Counter[str]) -> Iterator[str]:
    """Newton's iterates beside the exact trajectory: what is certified, and what was predicted."""
    derivation = found.derivation
    if derivation.has_matrices or steps > MOST:
        return
    inputs, initial = sequence(found, steps, seed)
    given = (derivation, found.parameters, inputs, initial, found.constants)
    whole, visited = _visited(given)
    exact = [initial]
    made = Steps.of(derivation.cell, found.sizes, found.parameters, found.constants)
    for t in range(steps):
        exact.append(made.step(t, exact[-1], inputs)[0])
    for place, one in enumerate(whole.iterates):
        foretold = whole.predicted is not None and place >= whole.predicted
        guessed = None if place or whole.start is None else whole.start.within
        certified = one.certified if place else None
        if certified is None and not foretold and guessed is None:
            continue
        away = max(length([MP.mpf(float(a)) - b for name, held in visited[place].items()
                           for a, b in zip(held[t], exact[t][name], strict=True)])
                   for t in range(steps + 1))  # fmt: skip
        kinds = ("certified", certified), ("guessed", guessed), ("foretold", whole.within)
        for kind, most in kinds:
            if most is not None and (kind != "foretold" or foretold):
                count["Newton's iterates"] += 1
                if away > MP.mpf(most) * (1 + MP.mpf(10) ** -40):
                    yield f"Newton's iterate {place}, {kind}: {most}, and it is {float(away)}"


def at_rest(found: Setting, certificate: Certificate, count: Counter[str]) -> list[str]:
    """Whether zero inputs at the zero state grow as they are said to: ‖J^m‖ ≥ ρ^m."""
    if not certificate.rest_rate:
        return []
    cell = found.derivation.cell
    zeros = {name: np.zeros((1, len(v.lo))) for name, v in found.inputs().items()}
    state = {name: [0.0] * v.size for name, v in found.initial().items()}
    made = Steps.of(cell, found.sizes, found.parameters, found.constants)
    after, jacobian = made.step(0, state, zeros)
    failed = [f"{name} does not rest" for name, v in after.items() if any(v)]
    for power, case in enumerate(products([jacobian] * 5, 5), 1):
        count["at rest"] += 1
        claimed = power * math.log10(certificate.rest_rate)
        if case.below(claimed - 1e-13 * (1 + abs(claimed))):
            failed.append(f"the rate at rest, to the power {power}")
    return failed


def check(cell: Cell, seed: int, count: Counter[str], sequences: int) -> list[str]:
    """Everything that is certified of one drawn net, and fails; along so many exact sequences."""
    with np.errstate(all="ignore"):
        found, steps = net(cell, seed)
        certificate = certify(found, steps, steps=steps)
        failed = at_rest(found, certificate, count)
        for more in range(1, sequences):
            with suppress(TooFarError, ZeroDivisionError):
                failed += exact_sequence(found, certificate, steps, seed + more, count)
        try:
            failed += exact_sequence(found, certificate, steps, seed, count)
            failed += stored_states(found, certificate, steps, seed, count)
            failed += newton_iterates(found, steps, seed, count)
        except (TooFarError, ZeroDivisionError):  # a number too large, or a pole, met exactly
            count["skipped"] += 1
        return failed


def cells(names: Sequence[str]) -> Mapping[str, Cell]:
    """Cells of the catalogue and odd ones by name."""
    every = {**catalogue, **ODD}
    return {name: every[name] for name in names or every}


def of_net(asked: tuple[str, int, int]) -> tuple[list[str], Counter[str]]:
    """What fails of one net of a cell, and how much was compared."""
    name, seed, sequences = asked
    count = Counter[str]()
    try:
        failed = check(cells([name])[name], seed, count, sequences)
    except Exception as problem:
        failed = [f"falls over: {type(problem).__name__}: {problem}"]
    return failed, count


def main() -> int:
    """Count comparisons and violations."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nets", type=int, default=20, help="nets of each cell (20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=4, help="exact ones along each net (4)")
    parser.add_argument("--cells", nargs="*", default=[], help="of the catalogue, or odd ones")
    add_engine_flags(parser)
    arguments = parser.parse_args()
    begin, count, nets = time.perf_counter(), Counter[str](), 0
    failures: list[str] = []
    with Engine(arguments.workers, arguments.scheduler) as engine:
        seeds = [arguments.seed + 1000 * place for place in range(arguments.nets)]
        under_way = {name: engine.results(of_net, [(name, s, arguments.sequences) for s in seeds])
                     for name in cells(arguments.cells)}  # fmt: skip
        for name, found in under_way.items():
            for seed, one in zip(seeds, found, strict=True):
                nets += 1
                failed, more = ([one.why], {}) if isinstance(one, GivenUp) else one
                count.update(more)
                failures += (said := [f"{name}, seed {seed}: {what}" for what in failed])
                for line in said:
                    print(line, flush=True)
            print(f"{name}: {_total(count):,} comparisons, {len(failures)} violations", flush=True)
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in count.items() if kind != "skipped")
    print(f"{nets:,} nets, {count['skipped']} sequences that overflow or meet a pole; "
          f"{_total(count):,} comparisons ({kinds}), {len(failures)} violations, "
          f"{time.perf_counter() - begin:.0f} s")  # fmt: skip
    return 1 if failures else 0


def _total(count: Counter[str]) -> int:
    return sum(number for kind, number in count.items() if kind != "skipped")


if __name__ == "__main__":
    sys.exit(main())
