"""Newton over a whole trajectory: how early an iterate is certified, how close, and how surely.

For every cell without kinks and vector states, nets drawn at each gain: n = 32, m = 8, T = 400,
weights N(0, gain²/n), inputs N(0, 1). Each iterate's bound at each step is compared with its
distance from the trajectory in extended precision. Of the nets on which Newton's step falls to
1e-13: how many have a certified iterate two before that one or earlier, how far its bound lies
above the distance, and how well the number of iterates was foreseen, after how many evaluations of
the step. With `--contracting` alone those nets count for which `certify` gives a rate below 1, for
all inputs in the box of the given ones. A cell meets the goal where nine of ten of its nets that
got there have a certified iterate two before that or earlier, at most 1.5 times its distance, and
no bound is violated; where one step is enough, the first guess. Run as
`python benchmarks/parallel.py`; `--nets`, `--gains`, `--cells`, `--steps`, `--size`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.bounds.parallel_in_time import newton
from numeric.bounds.parallel_in_time.newton import Sweeps, sweeps
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import usual_sizes

Array = Any
GAINS = (0.5, 1.0, 1.5)
INPUTS = 8


@dataclass
class Count:
    """What was seen of the nets so far."""

    nets: int = 0
    reached: int = 0
    early: int = 0
    near: int = 0  # of these, with a bound of at most 1.5 times the distance there
    compared: int = 0
    violations: int = 0
    ratios: list[float] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)  # foreseen at the first certified one, too many
    predicted: list[int] = field(default_factory=list)  # before the first, too many
    evaluations: list[int] = field(default_factory=list)  # of the step, before the first


def smooth() -> list[str]:
    """The cells that have second derivatives of a step, everywhere."""
    found = []
    for name, cell in catalogue.items():
        derivation = derivation_of(cell)
        if not derivation.has_matrices and not step_curvature(derivation).kinks:
            found.append(name)
    return found


def exact(cell: Cell, made: dict[str, dict[str, Array]]) -> dict[str, Array]:
    """The trajectory from zero states, in extended precision; (T, n) for each state."""
    groups = [{k: np.asarray(v, dtype=np.longdouble) for k, v in made[group].items()}
              for group in ("parameters", "inputs", "initial", "constants")]  # fmt: skip
    weights, inputs, start, constants = groups
    batched = {k: v[:, None] for k, v in inputs.items()}
    zeros = {k: np.zeros_like(v)[None] for k, v in start.items()}
    states = run_cell(cell, weights, batched, zeros, constants)
    return {s.name: np.stack(states[s.name])[:, 0] for s in cell.states}


class Watched:
    """Newton's iterates with the distance of each from the exact trajectory, by step."""

    def __init__(self, true: dict[str, Array]) -> None:
        self.true = true
        self.gaps: list[Array] = []
        self.inner = newton.iterated

    def __call__(self, run: Any, *rest: Any) -> Any:
        """The iterate, as it is."""
        squares = [((run.states[n][1:] - self.true[n]) ** 2).sum(axis=1) for n in self.true]
        self.gaps.append(np.sqrt(sum(squares)))
        return self.inner(run, *rest)


def swept(name: str, made: dict[str, dict[str, Array]]) -> tuple[Sweeps, list[Array]]:
    """The iterates and their distances."""
    cell = catalogue[name]
    watched = Watched(exact(cell, made))
    newton.iterated = watched
    try:
        found = sweeps(derivation_of(cell), made["parameters"], made["inputs"], {},
                       made["constants"])  # fmt: skip
    finally:
        newton.iterated = watched.inner
    return found, watched.gaps


def contracts(name: str, made: dict[str, dict[str, Array]], sizes: dict[str, int]) -> bool:
    """Whether a rate below 1 is certified for all inputs in the box of these."""
    ends = [float(end) for v in made["inputs"].values() for end in (v.min(), v.max(), 0.0)]
    setting = Setting(derivation_of(catalogue[name]), made["parameters"], sizes,
                      (min(ends), max(ends)), (0.0, 0.0), made["constants"])  # fmt: skip
    return certify(setting, 1).rate < 1


def see(total: Count, name: str, gain: float, seed: int, given: argparse.Namespace) -> str:
    """Adds one net; what was seen of it."""
    sizes = usual_sizes(catalogue[name], given.size, INPUTS)
    made = draw(catalogue[name], sizes, gain, given.steps, seed, 1.0)
    if given.contracting and not contracts(name, made, sizes):
        return f"{name} gain {gain:g} net {seed}: not contracting"
    found, gaps = swept(name, made)
    total.nets += 1
    wrong = 0
    for one, gap in zip(found.iterates, gaps, strict=True):
        if one.certified is not None:
            total.compared += len(gap) + 1
            wrong += int((gap > one.profile).sum()) + int(gap.max() > one.certified)
    for known, gap in foretold(found, gaps):
        total.compared += gap.size
        wrong += int((gap > known).sum())
    total.evaluations.append(found.evaluations)
    total.violations += wrong
    said = f"{name} gain {gain:g} net {seed}: {len(found.iterates) - 1} steps"
    said += f" after {found.evaluations} evaluations" * (found.evaluations > 1)
    if not found.converged:
        return f"{said}, not to 1e-13; {wrong} violations"
    last, at = len(found.iterates) - 1, found.certified_at
    total.reached += 1
    total.early += at is not None and at <= max(last - 2, 0)
    if at is None:
        return f"{said}, none certified"
    bound = found.iterates[at].certified
    total.ratios.append(float(bound / gaps[at].max()) if bound else 1.0)
    soon = range(at, max(last - 2, 0) + 1)
    total.near += any((bound := found.iterates[k].certified) is not None
                      and bound <= 1.5 * gaps[k].max() for k in soon)  # fmt: skip
    if found.foreseen is not None:
        total.ahead.append(found.foreseen[1] - last)
    if found.predicted is not None:
        total.predicted.append(found.predicted - last)
    return (f"{said}, certified at {at} ({total.ratios[-1]:.3f} times the distance), foreseen "
            f"{found.foreseen}, predicted {found.predicted}; {wrong} violations")  # fmt: skip


def foretold(found: Sweeps, gaps: list[Array]) -> Iterator[tuple[Array, Array]]:
    """What was known before the first step, of the guess and of what so many steps leave."""
    if found.start is not None and found.start.errors is not None:
        yield found.start.errors.whole, gaps[0]
    if found.predicted is not None:
        yield from ((np.array(found.within), gap) for gap in gaps[found.predicted :])


def summary(total: Count) -> Iterator[str]:
    """The figures of all nets."""
    yield f"{total.nets} nets; on {total.reached} Newton's step falls to 1e-13"
    yield (f"certified two iterates before that or earlier, or at the first guess: "
           f"{total.early} of {total.reached}")  # fmt: skip
    if total.ratios:
        held = sorted(total.ratios)
        yield (f"bound over distance at the first certified iterate: median "
               f"{held[len(held) // 2]:.3f}, largest {held[-1]:.3f}, at most 1.5 in "
               f"{sum(r <= 1.5 for r in held)} of {len(held)}")  # fmt: skip
    yield f"{total.violations} violations in {total.compared} comparisons"
    yield (f"foreseen, at the latest when certified: {len(total.ahead)}; within 2 of the number "
           f"taken: {sum(abs(a) <= 2 for a in total.ahead)}")  # fmt: skip
    yield (f"predicted before the first step: {len(total.predicted)}, within 2: "
           f"{sum(abs(a) <= 2 for a in total.predicted)}")  # fmt: skip
    more = sorted(count for count in total.evaluations if count > 1)
    if more:
        yield (f"after more than one evaluation of the step: {len(more)}; median "
               f"{more[len(more) // 2]}, most {more[-1]}")  # fmt: skip


def whole(counts: Iterable[Count]) -> Count:
    """All of them together."""
    total = Count()
    for one in counts:
        for part in fields(Count):
            setattr(total, part.name, getattr(total, part.name) + getattr(one, part.name))
    return total


def by_cell(counts: dict[str, Count]) -> str:
    """How many cells meet the goal, and which do not."""
    known = {name: one for name, one in counts.items() if one.reached}
    missed = [name for name, one in known.items()
              if one.near < 0.9 * one.reached or one.violations]  # fmt: skip
    return (f"cells that meet the goal: {len(known) - len(missed)} of {len(known)} of which a net "
            f"got there" + "".join(f"; not {name}" for name in missed))  # fmt: skip


def main() -> None:
    """Print a line for each net, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nets", type=int, default=3, help="of each cell at each gain (3)")
    parser.add_argument("--gains", type=float, nargs="*", default=list(GAINS))
    parser.add_argument("--cells", nargs="*", default=None, help="all that have no kinks")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--contracting", action="store_true")
    given = parser.parse_args()
    counts = {name: Count() for name in given.cells or smooth()}
    for name, own in counts.items():
        for gain in given.gains:
            for seed in range(given.nets):
                print(see(own, name, gain, seed, given), flush=True)
    total = whole(counts.values())
    print(*summary(total), by_cell(counts), sep="\n")
    sys.exit(1 if total.violations else 0)


if __name__ == "__main__":
    main()
