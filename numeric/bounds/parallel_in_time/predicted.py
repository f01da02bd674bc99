"""How many of Newton's steps a trajectory needs, before the first is taken; where that is known.

In: what a rate below 1 says over a box of states, and bounds of how far the first guess errs. Out:
a number of steps after which every iterate is within the tolerance of the exact trajectory but for
what sweeps round, and a bound of both together; or None with the reason.

Let B be an invariant box of the states, and B⁺ the same with δ more at each end. On B⁺ let
κ_l ≥ sup ‖J ⋯ J (l factors)‖₂ over any factors, and L_t the step Jacobian's Lipschitz constants.
The guess s⁰, in B⁺ and exact at the start, errs at each step by at most

    E_t^0 = Σ_{k ≤ t} κ_{t−k} ‖r_k‖,   r_t = F_t(s_{t−1}^0) − s_t^0,

since its error obeys e_t = J̄_t e_{t−1} + r_t with J̄ a mean of step Jacobians between it and the
trajectory. A step leaves, as in `distance.py`, with β(e, e) = L ‖e‖² where all states meet,

    E_t^{j+1} = Σ_{k ≤ t} κ_{t−k} (β_k(E_{k−1}^j, E_{k−1}^j) / 2 + o_k^j)

where o_k^j ≤ a_k + b_k ‖d^j‖, ‖d^j‖ ≤ max E^j + max E^{j+1}, is what the sweep rounds. Where
max E^0 ≤ δ and the right side with 2 max E^j for ‖d^j‖ is at most max E^j at each step, the errors
fall, so the iterates stay in B⁺, and the count follows: to τ + φ, φ a little more than what a_k add
up to. They stay below it if the right side with E^j = τ + φ is at most that, and τ + φ ≤ δ: where
the guess is nearer than τ + φ, later iterates need not be. No step Jacobian is needed for any of
it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.bounds.parallel_in_time.contraction import Contraction
from numeric.bounds.parallel_in_time.distance import Errors, Roundings, withins
from numeric.numbers.matrices import raised

Array = Any
_LONG: Final = 10_000
_ROUNDS: Final = said("what sweeps round is not small beside the errors that are to fall")


@dataclass(frozen=True, order=True)
class Promise:
    """After so many steps every iterate is within so much of the exact trajectory."""

    steps: int
    within: float


def predicted(
    known: Contraction, first: Errors, rounded: Array, granted: Roundings, tolerance: float
) -> tuple[Promise | None, str]:
    """The count and what it leaves, and ""; or None and why there is none.

    The first sweep rounds at most `rounded`, later ones what is granted. Shapes: rounded (T,).
    """
    none = np.zeros_like(rounded)
    largest = _largest(first)
    floor = _largest(known.squared(Errors(none, none), granted.at(0.0)))

    def stays(within: float) -> bool:
        if not (math.isfinite(within) and raised(within) <= known.beyond):
            return False
        # A errs by what the sweep to that iterate rounded, of a step that may have been longer
        passed = np.maximum(rounded, granted.at(raised(2 * max(within, largest))))
        held = Errors(np.maximum(first.fed, passed), np.full(len(none), within))
        return _largest(known.squared(held, granted.at(raised(2 * within)))) <= within

    within = next((w for w in withins(tolerance, floor) if stays(w)), None)
    here, steps = first, 0
    while within is not None and _largest(here) > within and steps < _LONG:
        following = known.squared(here, rounded)
        if not _largest(following) < _largest(here):
            within = None
            break
        here, steps = following, steps + 1
        rounded = granted.at(raised(2 * _largest(here)))
    if within is None or steps == _LONG:
        product = raised(known.product * largest)
        return None, _ROUNDS if product < 1 else said(
            "K L e₀ / 2 = {0} as far as iterates may lie, 1 or more", f"{product:.3g}"
        )  # fmt: skip
    return Promise(steps, within), ""


def _largest(errors: Errors) -> float:
    return float(errors.whole.max(initial=0.0))
