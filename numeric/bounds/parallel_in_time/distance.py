"""How far an iterate is from the exact trajectory, certified step after step.

In: a run whose states are the iterate's, the Newton step from it, and its step Jacobians, all with
their errors. Out: `Proof`, or the reason why there is none.

Theorem. Let r_t = F_t(s_{t−1}) − s_t and d_t = J_t d_{t−1} + r_t + δ_t, ‖δ_t‖ ≤ o_t, at the iterate
s, with s_0 exact; let L_t bound how fast J_t changes within E_{t−1} of s_{t−1}, in ‖·‖₂, where

    E_t = ‖d_t‖ + Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂ (o_k + L_k E_{k−1}² / 2),   E_0 = 0.

Then the exact trajectory lies within E_t of s_t, for every t. Proof by induction on t: with e the
way from s to the exact trajectory, e_t = J_t e_{t−1} + r_t + q_t, ‖q_t‖ ≤ L_t ‖e_{t−1}‖² / 2 by
Taylor's theorem along the segment, so e_t = d_t + Σ_k J_t ⋯ J_{k+1} (q_k − δ_k). ∎

Nothing has to be small for it: E_t is a sum over earlier times. An iterate is called certified
where E_t ≤ 2 η for every t, η ≥ max_t ‖d_t‖, so that its step tells its distance; that is so
wherever the theorem of Newton and Kantorovich applies.

The j-th iterate after this one lies within E_t^j, E^0 = E: its error obeys
e_t^{j+1} = J_t^j e_{t−1}^{j+1} + q_t^j + δ_t^j with J_t^j taken at the iterate j, within E^0 + E^j
of this one, or ‖d‖ of it for j = 1, and δ_t^j all that a sweep rounds. So, with the same products,

    E_t^{j+1} = Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂
                  (L_k (D_{k−1}^j E_{k−1}^{j+1} + (E_{k−1}^j)² / 2) + o_k^j)

where D^0 = 0 and D^j bounds how far the iterate j is from this one. A sweep rounds by at most
o_k = a_k + b_k max‖d‖ (`Roundings`), and max‖d^j‖ ≤ max E^j + max E^{j+1}. Where the sum that has
2 max E^j in place of that is at most max E^j, so is max E^{j+1}: it is at most a number plus c of
itself, c < 1. That counts the steps left until max E^j ≤ τ + φ, φ a little more than what o_k alone
add up to; nothing gets farther away again if the sum for E^j = τ + φ, D^j = E + τ + φ, is at most
τ + φ.

Source: the setting is Kantorovich's 1948; that the inverse of f′ is a sum over earlier times makes
the bound a recursion, which is derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.calculus.fold import NoValueError
from derive.saying import said
from numeric.bounds.one_sequence.step_jacobians import Run, enclosed_values
from numeric.bounds.parallel_in_time.inverse import WINDOW, Inverse, inverse_norms
from numeric.bounds.parallel_in_time.lipschitz import lipschitz
from numeric.numbers.intervals import gamma
from numeric.numbers.matrices import raised

Array = Any
_FEW: Final = 5
_WORK: Final = 1 << 30  # multiplications for the long products
_LONG: Final = 100
_FLOORS: Final = (1.1, 2.0, 8.0)


class UnprovedError(ValueError):
    """The theorem says nothing of an iterate; the words say why."""


@dataclass(frozen=True)
class Roundings:
    """What a sweep may round at each time: a_t + b_t max‖d‖₂, for a step d and its addition.

    Shapes: fixed a and share b (T,).
    """

    fixed: Array
    share: Array

    def at(self, length: float) -> Array:
        """For steps no longer than that."""
        return (self.fixed + self.share * length) * (1 + gamma(4))

    def allowed(self) -> Roundings:
        """Twice as much: what is granted to the sweeps to come."""
        return Roundings(2 * self.fixed, 2 * self.share)


@dataclass(frozen=True)
class Step:
    """The step from an iterate, as computed: at least ‖d_t‖₂, and o_t of the theorem.

    `rounded` is what this sweep rounds, storing included; `granted`, what each later one may.
    Shapes: lengths, off and rounded (T,), matrices (T, n, n) and errors (T,) of the step Jacobians.
    """

    lengths: Array
    off: Array
    matrices: Array
    errors: Array
    rounded: Array
    granted: Roundings

    @property
    def length(self) -> float:
        """Max_t ‖d_t‖₂."""
        return float(self.lengths.max(initial=0.0))


@dataclass(frozen=True)
class Proof:
    """E_t, and what it is made of; `remaining` steps on, all is `within` so much.

    `adjoint` bounds, as a share of the largest exact cotangent, how far those carried back through
    the iterate's Jacobians are off: with Ãᵀλ̃ = g = Aᵀλ one has Ãᵀ(λ̃ − λ) = (A − Ã)ᵀλ. `inverse`
    is K, `lipschitz` the largest L_t. `remaining` is None where they do not fall.
    """

    profile: Array
    adjoint: float
    inverse: float
    lipschitz: float
    remaining: int | None
    within: float


def prove(run: Run, curvature: StepCurvature, step: Step, tolerance: float) -> Proof:
    """The certificate of the states of a run.

    Raises:
        UnprovedError: where there is none.
    """
    if curvature.declared:
        raise UnprovedError(curvature.declared)
    if curvature.kinks:
        why = said("no Lipschitz constant: {0} has a kink, where the step Jacobian jumps",
                   ", ".join(curvature.kinks))  # fmt: skip
        raise UnprovedError(why)
    least = raised(2 * step.length + 2 * float(step.off.max(initial=0.0)))
    try:
        speeds = _speeds(run, curvature, least)
    except (NoValueError, TypeError) as problem:
        raise UnprovedError(problem.args[0]) from None
    far = _strides(step)
    for window, strides in ((1, 0), (_FEW, 0), (WINDOW, 1), (WINDOW, far))[: 3 + (far > 1)]:
        inverse = inverse_norms(step.matrices, step.errors, window, strides)
        none = np.zeros(run.steps)
        few = inverse.few().majorant(step.lengths, none, none, speeds / 2)
        if not few.max(initial=0.0) <= least:  # longer products only add to it
            break
        found = _within(run, curvature, step, inverse, tolerance) if strides else None
        if found is not None:
            return found
    raise UnprovedError(said("the bound, summed over earlier times, exceeds twice the step"))


def _strides(step: Step) -> int:
    """How many windows long the products may be that are multiplied out."""
    steps, width = step.matrices.shape[:2]
    return int(max(1, min(steps // WINDOW, _WORK // (steps * width**3))))


def _within(
    run: Run, curvature: StepCurvature, step: Step, inverse: Inverse, tolerance: float
) -> Proof | None:
    """The proof, where the bounds stay within twice the step."""
    eta = raised(step.length + inverse.rows(step.off))
    speeds = _speeds(run, curvature, raised(2 * eta))
    near = inverse.majorant(step.lengths, step.off, np.zeros(run.steps), speeds / 2)
    if not near.max(initial=0.0) <= raised(2 * eta):
        return None
    behind = inverse.columns(np.append(speeds[1:] * near[:-1] * (1 + gamma(2)), 0.0))  # L_{t+1} E_t
    wide = _speeds(run, curvature, raised(4 * eta))
    return Proof(near, behind, inverse.rows(), float(speeds.max(initial=0.0)),
                 *_remaining(inverse, step, near, wide, tolerance))  # fmt: skip


def _remaining(
    inverse: Inverse, step: Step, near: Array, speeds: Array, tolerance: float
) -> tuple[int | None, float]:
    """After how many steps E^j is at most τ and what roundings add, for good; and that sum.

    L is taken on twice the ball.
    """
    none = np.zeros(len(near))

    def after(here: Array, away: Array, rounded: Array) -> Array:
        start = speeds * _before(here) ** 2 * (0.5 * (1 + gamma(4))) + rounded
        return inverse.majorant(
            none, start * (1 + gamma(4)), speeds * _before(away) * (1 + gamma(2)), none
        )

    def stays(within: float) -> bool:
        held = np.full(len(near), within)
        return bool(after(held, near + held, step.granted.at(2 * within)).max() <= within)

    floor = float(after(none, near, step.granted.at(0.0)).max(initial=0.0))
    within = next((w for w in withins(tolerance, floor) if stays(w)), np.inf)
    if not np.isfinite(within):
        return None, within
    here, away, rounded = near, none, step.rounded
    for steps in range(_LONG):
        if here.max(initial=0.0) <= within:
            return steps, within
        following = after(here, away, rounded)
        if not following.max() < here.max():  # and so all stays within E + E^j ≤ 2 max E
            break
        away = (near + following) * (1 + gamma(2))
        if steps == 0:
            away = np.minimum(away, (step.lengths + rounded) * (1 + gamma(2)))
        here, rounded = following, step.granted.at(raised(2 * float(following.max())))
    return None, within


def withins(tolerance: float, floor: float) -> Iterator[float]:
    """Distances to try, for sweeps that round by so much alone, all added up."""
    yield from (raised(tolerance + more * floor) for more in _FLOORS)


def _before(bounds: Array) -> Array:
    """Those of the step before; s_0 is exact."""
    return np.append(0.0, bounds[:-1])


def _speeds(run: Run, curvature: StepCurvature, radius: float) -> Array:
    """L_t on balls of the radius about the states; s_0 does not move."""
    radii = np.full(run.steps, radius)
    radii[0] = 0.0
    values = enclosed_values(run, 0, run.steps, radii)
    found = lipschitz(run.derivation, curvature, values, run.sizes, run.steps)
    found[0] = 0.0
    return found
