"""Where Newton's method begins: after so many evaluations of the step that its count is known.

In: a setting, and the guess s_t = F_t(0), one evaluation of the step at all times at once. Out:
`Start`: the guess after p evaluations, s ← F_t(s_{t−1}) for all t, and what is known before
the first of Newton's steps: how far it errs at most, by its residual alone (`predicted.py`).

An evaluation costs one round of a parallel machine; an iteration of Newton's one, and the ⌈log₂ T⌉
of its scan, with products of matrices in each. So p + (1 + ⌈log₂ T⌉) N rounds are the least that p
evaluations and the N iterations known then to be enough can cost, and p is chosen where that is
least, and below the T rounds of one step after the other. Where products cost more than
evaluations, still more of these would pay. Where no p has a count that pays, products of the step
Jacobians at the guess itself (`distance.py`) may tell one: of p = 256, 128, … as long as fewer cost
less. Where no rate below 1 is certified, or that fails too, Newton's method begins at F_t(0).

Source: Picard's iteration, 1890; k evaluations make the first k steps exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.saying import said
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting, invariant_box
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.bounds.parallel_in_time.contraction import (
    Contraction,
    NoContractionError,
    contraction,
)
from numeric.bounds.parallel_in_time.distance import Errors, Roundings
from numeric.bounds.parallel_in_time.evaluated import evaluated
from numeric.bounds.parallel_in_time.iterates import fed_places, iterated
from numeric.bounds.parallel_in_time.predicted import predicted
from numeric.numbers.lengths import lengths
from numeric.numbers.matrices import raised

Array = Any
MOST: Final = 256
_TRIES: Final = 5
_PACE: Final = 16
_SPARE: Final = 1.05
_ROOM: Final = 10


@dataclass(frozen=True)
class Start:
    """The first guess, and of how many evaluations; how far it errs, where that is known.

    `alone` is a count and what it leaves, where step Jacobians at the guess tell it instead.
    """

    run: Run
    evaluations: int = 1
    known: Contraction | None = None
    errors: Errors | None = None
    reason: str = ""
    alone: tuple[int, float] | None = None

    @property
    def within(self) -> float | None:
        """At least max_t ‖s_t − exact s_t‖₂."""
        return None if self.errors is None else float(self.errors.whole.max(initial=0.0))


def begun(setting: Setting, curvature: StepCurvature, guess: Run, tolerance: float) -> Start:
    """The start, from a guess of one evaluation."""
    ranges = Ranges(setting)
    apart = fed_places(guess, curvature)
    try:
        box = invariant_box(ranges)
        known = contraction(ranges, box, 0.0, curvature, guess.steps)
    except NoContractionError as problem:
        return Start(guess, reason=problem.args[0])
    try:
        evaluations, warm = _warmed(known, guess, apart, tolerance)
        known, errors = _settled(ranges, box, curvature, warm, known, apart, tolerance)
    except NoContractionError as problem:
        return _by_products(curvature, Start(guess, reason=problem.args[0]), tolerance)
    return Start(warm, evaluations, known, errors)


def _warmed(known: Contraction, guess: Run, apart: Array, tolerance: float) -> tuple[int, Run]:
    """The number of evaluations that costs least, and the guess after it.

    Nothing has to be proved of the choice: what holds of the guess is certified afterwards. Until
    then what is known is taken to hold everywhere.

    Raises:
        NoContractionError: where there is a count after no number of them, or none that pays.
    """
    none, known = np.zeros(guess.steps), replace(known, beyond=math.inf)
    iteration = 1 + math.ceil(math.log2(guess.steps))
    least, dear, found, run, before = math.inf, 0, (1, guess), guess, math.inf
    most = max(1, min(guess.steps - 1, MOST))
    for evaluations in range(1, most + 1):
        now = evaluated(run)
        errors = known.carried(now.missed(apart))
        promise, why = predicted(known, errors, none, Roundings(none, none), tolerance)
        if promise is not None:
            cost = evaluations + iteration * promise.steps
            if evaluations > 1 and cost >= guess.steps:
                dear = dear or evaluations
            elif cost < least:
                least, found = cost, (evaluations, run)
        if evaluations + 1 >= least:
            return found
        largest = float(errors.whole.max())
        if evaluations % _PACE == 0 and promise is None:
            if not evaluations + _left(known.product * largest, largest / before) <= most:
                break
            before = largest
        run = replace(run, states=now.image)
    if math.isfinite(least):
        return found
    if dear:
        raise NoContractionError(said(
            "known after {0} evaluations of the step, one after the other the steps take no longer",
            dear,
        ))  # fmt: skip
    raise NoContractionError(said("{0}, after {1} evaluations of the step", why, evaluations))


def _by_products(curvature: StepCurvature, start: Start, tolerance: float) -> Start:
    """The start whose own step Jacobians tell a count that costs least, if some do.

    Of so many evaluations, half as many and so on, as long as fewer cost less.
    """
    runs, steps = [start.run], start.run.steps
    iteration = 1 + math.ceil(math.log2(steps))
    while 2 ** len(runs) <= min(MOST, steps - 1 - iteration):
        run = runs[-1]
        for _ in range(2 ** (len(runs) - 1)):
            run = replace(run, states=evaluated(run).image)
        runs.append(run)
    least, found = float(steps), start
    for place in reversed(range(len(runs))):
        alone = iterated(runs[place], curvature, tolerance, beyond=False)[0].alone
        if alone is None:
            break
        cost = 2**place + iteration * alone[0]
        if cost < least:
            least, found = cost, replace(start, run=runs[place], evaluations=2**place, alone=alone)
        elif found is not start:
            break
    return found


def _left(product: float, pace: float) -> float:
    """How many evaluations bring K L e₀ / 2 to 1, at twice the pace of the last ones."""
    if not pace < 1:
        return math.inf
    return _PACE / 2 * math.log(product) / -math.log(pace) if pace > 0 else 0.0


def _settled(
    ranges: Ranges, box: Box | None, curvature: StepCurvature, run: Run, known: Contraction,
    apart: Array, tolerance: float,
) -> tuple[Contraction, Errors]:  # fmt: skip
    """What holds as far as Newton's iterates may lie, and how far the guess errs by it.

    They may lie as far as the guess, and as the tolerance and about what sweeps round add up to.

    Raises:
        NoContractionError: where the guess lies outside, or nothing holds so far.
    """
    now = evaluated(run)
    missed, blurs = now.missed(apart), lengths(now.blurred)
    for _ in range(_TRIES):
        if not known.holds_at(run.states):
            raise NoContractionError(said("the first guess lies outside the box of the states"))
        errors = known.carried(missed)
        error = float(errors.whole.max(initial=0.0))
        if error <= known.beyond:
            return known, errors
        room = _ROOM * (tolerance + known.sums.rows(blurs))
        known = contraction(ranges, box, raised(_SPARE * error + room), curvature, run.steps,
                            known.certificate)  # fmt: skip
    raise NoContractionError(said("the box of the states and the error of the guess do not settle"))
