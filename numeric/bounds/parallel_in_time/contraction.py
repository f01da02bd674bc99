"""What a rate below 1 over a box of states says of a whole trajectory, wherever an iterate lies.

In: a setting and a box. Out: `Contraction`: κ_l ≥ ‖J_t ⋯ J_{t−l+1}‖₂ for step Jacobians taken
anywhere in the box, each by itself, and how fast they change there. So a solution of
e_t = J_t e_{t−1} + w_t, e_0 = 0, is at most Σ_{k ≤ t} κ_{t−k} ‖w_k‖ at each step, and the same with
means of step Jacobians over segments in the box: a product of means is a mean of products.

κ comes from the methods that hold for all inputs, at lags of so many steps; beyond them by
κ_{a+b} ≤ κ_a κ_b, or c r^l where a scaled norm says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.calculus.fold import NoValueError
from derive.saying import said
from numeric.bounds.all_inputs.certify import Certificate, anything, everywhere
from numeric.bounds.all_inputs.ranges import Box, Ranges
from numeric.bounds.parallel_in_time.distance import Errors, Speeds, speeds_over
from numeric.bounds.parallel_in_time.inverse import Inverse, constant_norms
from numeric.numbers.intervals import around, gamma

Array = Any
_LAGS: Final = 60
_LONGEST: Final = 512  # lags, where a norm is slow to fall
_SMALL: Final = 0.5


class NoContractionError(ValueError):
    """No rate below 1, or no second derivatives; the words say which."""


@dataclass(frozen=True)
class Contraction:
    """κ as sums over earlier times, and L; `box` is None where both hold for all states.

    They hold as far as `beyond` from the box that was asked for.
    """

    box: Box | None
    beyond: float
    sums: Inverse
    speeds: Speeds
    certificate: Certificate

    def holds_at(self, states: Any) -> bool:
        """Whether all these states lie in the box. Shapes: (T + 1, n)."""
        return self.box is None or self.certificate.holds_at(states)

    def carried(self, errors: Errors) -> Errors:
        """What errors of each step add up to; those of states that inputs alone make stay there."""
        return errors._replace(whole=self.sums.along(errors.whole))

    def squared(self, errors: Errors, rounded: Array) -> Errors:
        """What a step of Newton's leaves of errors, where it rounds so much."""
        left = (self.speeds.bent(errors, errors) / 2 + rounded) * (1 + gamma(4))
        return Errors(rounded, self.sums.along(left))

    @property
    def product(self) -> float:
        """K L / 2."""
        return self.sums.rows() * self.speeds.largest / 2


def contraction(
    ranges: Ranges, box: Box | None, beyond: float, curvature: StepCurvature, steps: int,
    near: Certificate | None = None,
) -> Contraction:  # fmt: skip
    """What holds so far beyond the box for a trajectory of so many steps.

    Raises:
        NoContractionError: where no rate below 1 is certified there, or no Lipschitz constant.
    """
    if curvature.declared:
        raise NoContractionError(curvature.declared)
    if curvature.kinks:
        jumps = said("the step Jacobian jumps at the kink of {0}", ", ".join(curvature.kinks))
        raise NoContractionError(jumps)
    if box is not None:
        box = {name: around(held.middle, held.radius * (1 + 1e-12) + beyond)
               for name, held in box.items()}  # fmt: skip
    found = everywhere(ranges, box, min(_LAGS, steps), near=near)
    if not found.rate < 1:
        raise NoContractionError(
            said("no invariant box of the states was found") if box is None
            else said("no certified rate below 1 over the box of the states")
        )  # fmt: skip
    setting = ranges.setting
    values = ranges.values(box or anything(setting))
    try:
        speeds = speeds_over(setting.derivation, curvature, values, setting.sizes, steps)
    except (NoValueError, TypeError) as problem:
        raise NoContractionError(problem.args[0]) from None
    if not math.isfinite(speeds.largest):
        raise NoContractionError(said("no Lipschitz constant was found as far as iterates may lie"))
    beyond = beyond if box is not None else math.inf
    return Contraction(box, beyond, constant_norms(_norms(found, steps), steps), speeds, found)


def _norms(found: Certificate, steps: int) -> Array:
    """κ_0, κ_1, …; the last one starts again by κ_{a+b} ≤ κ_a κ_b."""
    logs = list(found.log10_upper)
    first, last = len(logs), logs[-1]
    if steps > first and not last <= math.log10(_SMALL):
        scaled = [one.method(_LONGEST).log10_upper for one in (found.scaled, found.pieces) if one]
        for lag in range(first + 1, min(steps, _LONGEST) + 1):
            direct = min((upper[lag - 1] for upper in scaled), default=math.inf)
            logs.append(min(direct, logs[lag - first - 1] + last))
    least = np.array(logs)
    with np.errstate(over="ignore"):
        norms = np.power(10.0, least + 1e-12 * (1 + np.abs(least))) * (1 + 1e-12)
    return np.concatenate([[1.0], norms])
