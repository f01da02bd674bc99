"""Newton's method on a whole trajectory, and how far each iterate is from it, certified.

In: a cell with weights and one sequence. Out: `Sweeps`: for each iterate the residual, and a number
that its distance from the exact trajectory does not exceed (`distance.py`), if that is close; and
the first guess (`start.py`), with the number of iterates that is known to be enough before the
first.

An iterate's residual is r_t = F_t(s_{t−1}) − s_t; its step solves d_t = J_t d_{t−1} + r_t, which
parallel machines do by a scan and which is a loop here. The residual of the next iterate is carried
on by the same J_t, which says how far that one is. Once the iterate after one is certified too, its
own distance is at most the way to that one and the distance from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import Derivation
from derive.saying import said
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.bounds.parallel_in_time.evaluated import evaluated
from numeric.bounds.parallel_in_time.iterates import Iterate, iterated
from numeric.bounds.parallel_in_time.predicted import Promise, predicted
from numeric.bounds.parallel_in_time.start import Start, begun
from numeric.meaning.sizes import extent_of
from numeric.numbers.lengths import lengths
from numeric.numbers.matrices import raised

Array = Any
Arrays = Mapping[str, Array]
TOLERANCE: Final = 1e-13
SWEEPS: Final = 60
_LARGEST: Final = 1 << 28  # entries of all step Jacobians together
_ENTRIES: Final = 1 << 15  # more than a state has, by the line above


@dataclass(frozen=True)
class Sweeps:
    """The iterates in order, from the first guess on; `states` are the last one's, s_0 first.

    `start` says how the first guess was made, and how near it is known to be.
    `predicted`: after so many steps every iterate is within the tolerance and what sweeps round,
    together `within`: known before the first but for the latter, which has been compared with what
    was granted. Where it is None, `unpredicted` says why. It is the guess's `own` where products of
    the step Jacobians there tell it, not those over a box.
    """

    iterates: tuple[Iterate, ...]
    states: Arrays
    converged: bool

    predicted: int | None = None
    unpredicted: str = ""
    within: float | None = None
    own: bool = False
    start: Start | None = field(default=None, repr=False, compare=False)

    @property
    def evaluations(self) -> int:
        """Of the step at all times at once: so many made the first guess."""
        return self.start.evaluations if self.start else 1

    @property
    def foreseen(self) -> tuple[int, int] | None:
        """The first iterate whose remaining steps are known, and how many there are in all then."""
        return next(((k, k + one.remaining) for k, one in enumerate(self.iterates)
                     if one.remaining is not None), None)  # fmt: skip

    @property
    def certified_at(self) -> int | None:
        """The number of steps after which an iterate was first certified."""
        return next((k for k, one in enumerate(self.iterates) if one.certified is not None), None)


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def sweeps(
    derivation: Derivation, parameters: Arrays, inputs: Arrays, initial: Arrays, constants: Arrays,
    *, most: int = SWEEPS, tolerance: float = TOLERANCE, exact: Arrays | None = None,
    warm: bool = True,
) -> Sweeps:  # fmt: skip
    """Newton's iterates until a step is below the tolerance.

    They begin at s_t = F_t(0), or if `warm` after as many evaluations as `start.py` says.

    Shapes: inputs (T, m), initial (n,), each state of `exact` (T + 1, n): where given, the distance
    from it is measured.

    Raises:
        ValueError: for a trajectory whose step Jacobians would not fit.
    """
    first = {s.name: initial.get(s.name) for s in derivation.cell.states}
    steps = len(next(iter(inputs.values())))
    start = Run(derivation, parameters, inputs, _zeros(derivation, first, steps, parameters, inputs,
                                                       constants), constants)  # fmt: skip
    width = sum(value.shape[1] for value in start.states.values())
    if steps * width * width > _LARGEST:
        raise ValueError(f"parallel: {steps} steps of {width} state entries: expected at most "
                         f"{_LARGEST} entries of step Jacobians together")  # fmt: skip
    curvature = step_curvature(derivation)
    setting = Setting(derivation, parameters, start.sizes, _box(inputs), _box(initial), constants)
    guess = _guess(start)
    begin = begun(setting, curvature, guess, tolerance) if warm else Start(guess)
    found: list[Iterate] = []
    run, converged = begin.run, False
    ways: list[float] = []
    for _ in range(most + 1):
        one, moved = iterated(run, curvature, tolerance)
        ways.append(_distance(run.states, moved))
        if not found and begin.alone is not None:
            one = replace(one, alone=min(begin.alone, one.alone or begin.alone))
        if exact is not None:
            one = replace(one, measured=_distance(run.states, exact))
        found.append(one)
        if not math.isfinite(one.step) or one.step <= tolerance:
            converged = one.step <= tolerance
            break
        run = replace(run, states=moved)
    promise, why = _promised(begin, found[0], tolerance)
    found = [_kept(found, place) for place in range(len(found))]
    if (promise is not None or begin.alone is not None) and not _granted(found):
        promise, why = None, "a sweep rounds more than twice what the first one does"
    alone = Promise(*found[0].alone) if found[0].alone is not None else None
    own = alone is not None and (promise is None or alone < promise)
    promise, why = (alone, "") if own else (promise, why)
    count, within = (promise.steps, promise.within) if promise else (None, None)
    return Sweeps(tuple(_nearer(found, ways)), run.states, converged, count, why, within, own,
                  begin)  # fmt: skip


def _promised(begin: Start, first: Iterate, tolerance: float) -> tuple[Promise | None, str]:
    """The count by the first guess's residual, where its sweep grants what later ones round."""
    if begin.known is None or begin.errors is None:
        return None, begin.reason
    if first.granted is None or not math.isfinite(first.step):
        return None, said("the first step is not finite")
    return predicted(begin.known, begin.errors, first.rounded, first.granted, tolerance)


def _granted(found: list[Iterate]) -> bool:
    """Whether no sweep rounded more than the first one granted."""
    granted = found[0].granted
    return granted is None or all(
        bool(np.all(one.rounded <= granted.at(one.step)))
        for one in found
        if one.rounded is not None
    )


def _kept(found: list[Iterate], place: int) -> Iterate:
    """The iterate; what remains is not known if a later sweep rounded more than it granted."""
    counted = found[place].remaining is not None or found[place].alone is not None
    known = not counted or _granted(found[place:])
    return found[place] if known else replace(found[place], remaining=None, alone=None)


def _nearer(found: list[Iterate], ways: list[float]) -> list[Iterate]:
    """Each certified distance by way of the next iterate, where that is nearer."""
    made = found[-1:]
    for one, way in zip(found[-2::-1], ways[-2::-1], strict=True):
        after = made[0].certified
        if one.certified is None or after is None:
            made.insert(0, one)
            continue
        through = raised(raised(way, 2 * _ENTRIES) + after)
        made.insert(0, replace(one, certified=min(one.certified, through)))
    return made


def _box(arrays: Arrays) -> tuple[float, float]:
    """The smallest interval that all entries, and 0, lie in."""
    ends = [(float(np.min(v, initial=0.0)), float(np.max(v, initial=0.0))) for v in arrays.values()]
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=0.0)


def _zeros(
    derivation: Derivation, first: Mapping[str, Array | None], steps: int, *groups: Arrays
) -> dict[str, Array]:
    """Zero states of the sizes that the arrays have, after the given first ones."""
    from_arrays = Run(derivation, groups[0], groups[1], {}, groups[2]).sizes
    found = {}
    for state in derivation.cell.states:
        width = extent_of(state.shape[0], from_arrays)
        held = np.zeros((steps + 1, width))
        if (given := first[state.name]) is not None:
            held[0] = given
        found[state.name] = held
    return found


def _guess(run: Run) -> Run:
    """S_t = F_t(0, x_t) for t ≥ 1."""
    still = {name: np.concatenate([held[:1], 0 * held[1:]]) for name, held in run.states.items()}
    return replace(run, states=evaluated(replace(run, states=still)).image)


def _distance(states: Arrays, others: Arrays) -> float:
    """Max_t ‖·‖₂ between two trajectories."""
    apart = np.concatenate([states[name] - others[name] for name in states], axis=1)
    return float(lengths(apart).max(initial=0.0))
