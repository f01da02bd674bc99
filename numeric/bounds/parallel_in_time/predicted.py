"""How many of Newton's steps a trajectory needs, before the first is taken; where that is known.

In: a setting, and the residual of the first guess. Out: a number of steps after which every
iterate is within the tolerance of the exact trajectory but for what sweeps round, and a bound of
both together; or None with the reason.

Let B be an invariant box of the states, and B⁺ the same with δ more at each end. On B⁺ let
K ≥ 1 + Σ_l sup ‖J ⋯ J (l factors)‖ over any factors, and L the step Jacobian's Lipschitz constant.
The guess errs by e₀ ≤ K max ‖r_t‖, since its error obeys e_t = J̄ e_{t−1} + r_t with J̄ a mean of
step Jacobians between it and the trajectory. A step leaves e_{i+1} ≤ (K L / 2) e_i² + K o_i, where
o_i ≤ a + b ‖d_i‖ ≤ a + b (e_i + e_{i+1}) is what the sweep rounds. Where e₀ ≤ δ and the right side
with 2 e_i for e_i + e_{i+1} is at most e_i, the errors fall, so the iterates stay in B⁺, and the
count follows: to τ + φ, φ a little more than K a. They stay below it if the right side with
e_i = τ + φ is at most that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.calculus.fold import NoValueError
from derive.saying import said
from numeric.bounds.all_inputs.certify import over_a_box
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting, invariant_box
from numeric.bounds.parallel_in_time.distance import Roundings, withins
from numeric.bounds.parallel_in_time.lipschitz import lipschitz
from numeric.numbers.intervals import around
from numeric.numbers.matrices import raised

Arrays = Mapping[str, Any]
_LAGS: Final = 60
_TRIES: Final = 5
_SPARE: Final = 1.05
_LONG: Final = 10_000
_ROUNDS: Final = said("what sweeps round is not small beside the errors that are to fall")


@dataclass(frozen=True)
class Promise:
    """After so many steps every iterate is within so much of the exact trajectory."""

    steps: int
    within: float


@dataclass(frozen=True)
class Guess:
    """The first iterate: its states, at least max‖r_t‖₂, what its sweep rounds, what later may.

    Shapes: states (T + 1, n), the initial state first; rounded (T,).
    """

    states: Arrays
    residual: float
    rounded: Any
    granted: Roundings | None


def predicted(
    setting: Setting, curvature: StepCurvature, guess: Guess, tolerance: float
) -> tuple[Promise | None, str]:
    """The count and what it leaves, and ""; or None and why there is none."""
    if curvature.declared:
        return None, curvature.declared
    if curvature.kinks:
        return None, said("the step Jacobian jumps at the kink of {0}", ", ".join(curvature.kinks))
    ranges = Ranges(setting)
    if guess.granted is None:
        return None, said("the first step is not finite")
    box = invariant_box(ranges)
    if box is None:
        return None, said("no invariant box of the states was found")
    delta = 0.0
    for _ in range(_TRIES):
        wide = {name: around(v.middle, v.radius * (1 + 1e-12) + delta) for name, v in box.items()}
        if not _within(guess.states, wide):
            return None, said("the first guess lies outside the box of the states")
        values = ranges.values(wide)
        K = _sums(setting, values)
        if not np.isfinite(K):
            return None, said("no certified rate below 1 over the box of the states")
        error = raised(K * guess.residual)
        if error <= delta:
            return _count(setting, curvature, values, K, error, guess, tolerance)
        delta = _SPARE * error
    return None, said("the box of the states and the error of the guess do not settle")


def _within(guess: Arrays, box: Box) -> bool:
    return all(np.all(box[name].lo <= value.T) and np.all(box[name].hi >= value.T)
               for name, value in guess.items())  # fmt: skip


def _sums(setting: Setting, values: Box) -> float:
    """1 + Σ_l sup ‖products of l factors‖, the smallest that some lag with a norm below 1 gives."""
    methods = [*over_a_box(setting, values, _LAGS, None)]
    if not methods:
        return np.inf
    least = np.min([method.log10_upper for method in methods], axis=0)
    with np.errstate(over="ignore"):
        norms = np.power(10.0, least + 1e-12 * (1 + np.abs(least))) * (1 + 1e-12)
    before = np.concatenate([[0.0], np.cumsum(norms)[:-1]])
    below = norms < 1
    if not below.any():
        return np.inf
    return raised(float(np.min((1 + before[below]) / (1 - norms[below]))), 2 * _LAGS)


def _count(
    setting: Setting, curvature: StepCurvature, values: Box, K: float, error: float,
    guess: Guess, tolerance: float,
) -> tuple[Promise | None, str]:  # fmt: skip
    try:
        L = float(lipschitz(setting.derivation, curvature, values, setting.sizes, 1)[0])
    except (NoValueError, TypeError) as problem:
        return None, problem.args[0]
    half = raised(K * L / 2)
    if not raised(half * error) < 1:
        product = f"{half * error:.3g}"
        return None, said("K L e₀ / 2 = {0} over the box of the states, 1 or more", product)
    granted = guess.granted
    assert granted is not None

    def after(here: float, rounded: Any) -> float:
        return raised(raised(half * here * here) + raised(K * float(rounded.max(initial=0.0))))

    floor = after(0.0, granted.at(0.0))
    within = next((w for w in withins(tolerance, floor) if after(w, granted.at(2 * w)) <= w), None)
    if within is None:
        return None, _ROUNDS
    steps, rounded = 0, guess.rounded
    while error > within and steps < _LONG:
        following = after(error, rounded)
        if not following < error:
            return None, _ROUNDS
        error, steps, rounded = following, steps + 1, granted.at(2 * following)
    return Promise(steps, within), ""
