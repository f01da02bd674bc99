"""How far an iterate is from the exact trajectory, certified step after step.

In: a run whose states are the iterate's, the Newton step from it, and its step Jacobians, all with
their errors. Out: `Proof`, or the reason why there is none.

Theorem. Let r_t = F_t(s_{t−1}) − s_t and d_t = J_t d_{t−1} + r_t + δ_t, ‖δ_t‖ ≤ o_t, at the iterate
s, with s_0 exact; let L_t bound how fast J_t changes within E_{t−1} of s_{t−1}, in ‖·‖₂, where

    E_t = ‖d_t‖ + Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂ (o_k + L_k E_{k−1}² / 2),   E_0 = 0.

Then the exact trajectory lies within E_t of s_t, for every t. Proof by induction on t: with e the
way from s to the exact trajectory, e_t = J_t e_{t−1} + r_t + q_t, ‖q_t‖ ≤ L_t ‖e_{t−1}‖² / 2 by
Taylor's theorem along the segment, so e_t = d_t + Σ_k J_t ⋯ J_{k+1} (q_k − δ_k). ∎

States A that a step makes of inputs alone, `last = x` of a net that also looks one input back, err
by their residual, whatever the others do: e_t^A = r_t^A. With B the others, D²F[e, e′] is at most

    β(e, e′) = L^A (‖e^A‖ ‖e′‖ + ‖e‖ ‖e′^A‖) + L^B ‖e‖ ‖e′‖

where L^A bounds how fast J_t changes with A, and L^B how fast the columns of B do with B: of the
four parts, A with A and B is at most the first term, B with A, symmetric, the second. For L_k
E_{k−1}² stands β there, and below for L D E. The rows of A in J_t being 0, products are taken of
the blocks of B alone, and o_k has ‖J_k^{BA}‖ o_{k−1} beside it, by which A's share of a rounding
gets to B; after a sweep A errs by what that rounds at most. Cotangents of A follow those of B by
one factor J^{BA}. Where all states meet, A is empty and β = L ‖e‖ ‖e′‖.

Nothing has to be small for it: E_t is a sum over earlier times. An iterate is called certified
where E_t ≤ 2 η for every t, η ≥ max_t ‖d_t‖, so that its step tells its distance; that is so
wherever the theorem of Newton and Kantorovich applies.

The next iterate s⁺ is known by then, and its residual r⁺ costs one evaluation more. With c = s⁺ − s
and w_t = J_t w_{t−1} + r_t⁺ + δ_t⁺, ‖δ_t⁺‖ ≤ o_t⁺, of the same J_t, let

    E_t⁺ = ‖w_t‖ + Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂ (o_k⁺ + L_k (‖c_{k−1}‖ E_{k−1}⁺ + (E_{k−1}⁺)² / 2)).

Then the exact trajectory lies within E_t⁺ of s_t⁺, so within ‖c_t‖ + E_t⁺ of s_t. Proof: the way e⁺
from s⁺ obeys e_t⁺ = J_t e_{t−1}⁺ + r_t⁺ + q_t⁺, where q⁺ is the mean of J(s⁺ + θ e⁺) − J(s) over θ,
times e⁺; and J changes from s to s⁺ + θ e⁺ by at most L (‖c‖ + θ ‖e⁺‖). The rest is as above. ∎
The square of the step, bounded in E_t, is computed in w; what is bounded is of third order. The
smaller of both is certified: at each time they hold because both do at earlier ones.

The j-th iterate after this one lies within E_t^j, E^0 = E: its error obeys
e_t^{j+1} = J_t^j e_{t−1}^{j+1} + q_t^j + δ_t^j with J_t^j taken at the iterate j, within E^0 + E^j
of this one, or ‖d‖ of it for j = 1, and δ_t^j all that a sweep rounds. So, with the same products,

    E_t^{j+1} = Σ_{k ≤ t} ‖J_t ⋯ J_{k+1}‖₂
                  (L_k (D_{k−1}^j E_{k−1}^{j+1} + (E_{k−1}^j)² / 2) + o_k^j)

where D^0 = 0 and D^j bounds how far the iterate j is from this one; E⁺ serves for E^1. A sweep
rounds by at most o_k = a_k + b_k max‖d‖ (`Roundings`), and max‖d^j‖ ≤ max E^j + max E^{j+1}. Where
the sum that has 2 max E^j in place of that is at most max E^j, so is max E^{j+1}: it is at most a
number plus c of itself, c < 1. That counts the steps left until max E^j ≤ τ + φ, φ a little more
than what o_k alone add up to; nothing gets farther away again if the sum for E^j = τ + φ,
D^j = E + τ + φ, is at most τ + φ, L holds so far from this iterate, and A's error is taken to be
what a sweep rounds at the longest step.

Source: the setting is Kantorovich's 1948; that the inverse of f′ is a sum over earlier times makes
the bound a recursion, which is derived here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.calculus.fold import NoValueError
from derive.calculus.through_time import Derivation
from derive.saying import said
from numeric.bounds.one_sequence.step_jacobians import Run, enclosed_values
from numeric.bounds.parallel_in_time.inverse import WINDOW, Inverse, inverse_norms
from numeric.bounds.parallel_in_time.lipschitz import lipschitz
from numeric.numbers.intervals import Interval, gamma
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


class Errors(NamedTuple):
    """Bounds at each time of the states that inputs alone make, and of all. Shapes: (T,)."""

    fed: Array
    whole: Array

    def and_then(self, other: Errors) -> Errors:
        """The sums."""
        return Errors(*((a + b) * (1 + gamma(2)) for a, b in zip(self, other, strict=True)))

    def before(self) -> Errors:
        """Those of the step before; s_0 is exact."""
        return Errors(*(np.append(0.0, bounds[:-1]) for bounds in self))


@dataclass(frozen=True)
class Chord:
    """The next iterate: at least ‖c_t‖₂, ‖w_t‖₂ and ‖r_t⁺‖₂ of A, and o_t⁺ of the theorem.

    Shapes: all (T,).
    """

    moved: Errors
    lengths: Array
    off: Array
    fed: Array


@dataclass(frozen=True)
class Step:
    """The step from an iterate, as computed: at least ‖d_t‖₂, and o_t of the theorem.

    `rounded` is what this sweep rounds, storing included; `granted`, what each later one may. `fed`
    is at least ‖r_t‖₂ of the states A that inputs alone make, `passed` at least ‖J_t^{BA}‖₂.
    Shapes: lengths, off, rounded, fed and passed (T,), matrices (T, n, n) and errors (T,) of the
    step Jacobians' blocks of the other states.
    """

    lengths: Array
    off: Array
    matrices: Array
    errors: Array
    rounded: Array
    granted: Roundings
    fed: Array
    passed: Array
    chord: Chord | None = None

    def reaching(self, rounded: Array) -> Array:
        """What is rounded, with what of it comes by A from the step before."""
        return (rounded + self.passed * np.append(0.0, rounded[:-1])) * (1 + gamma(4))

    def unrounded(self) -> Step:
        """The same were nothing rounded: less is summed up."""
        none = np.zeros_like(self.off)
        chord = self.chord and replace(self.chord, off=none)
        return replace(self, off=none, chord=chord)

    @property
    def length(self) -> float:
        """Max_t ‖d_t‖₂."""
        return float(self.lengths.max(initial=0.0))


@dataclass(frozen=True)
class Speeds:
    """L^A and L^B of the theorem, and how fast all of J_t changes with the states B.

    Shapes: (T,).
    """

    fed: Array
    own: Array
    rest: Array

    def bent(self, one: Errors, other: Errors) -> Array:
        """β of the theorem, of bounds after each step."""
        a, b = one.before(), other.before()
        met = self.fed * (a.fed * b.whole + a.whole * b.fed)
        return (met + self.own * a.whole * b.whole) * (1 + gamma(8))

    def share(self, one: Errors) -> Array:
        """What stands in β before ‖e′‖, but for the part with e′^A."""
        a = one.before()
        return (self.fed * a.fed + self.own * a.whole) * (1 + gamma(8))

    def turned(self, one: Errors) -> Array:
        """By how much J_t may differ in ‖·‖₂."""
        a = one.before()
        return (self.fed * a.fed + self.rest * a.whole) * (1 + gamma(8))

    @property
    def largest(self) -> float:
        """At least max L_t, since a ‖e^A‖ + b ‖e^B‖ ≤ √(a² + b²) ‖e‖."""
        return raised(float(np.hypot(self.fed, self.rest).max(initial=0.0)))


@dataclass(frozen=True)
class Proof:
    """E_t, and what it is made of; `remaining` steps on, all is `within` so much.

    `adjoint` bounds, as a share of the largest exact cotangent, how far those carried back through
    the iterate's Jacobians are off: with Ãᵀλ̃ = g = Aᵀλ one has Ãᵀ(λ̃ − λ) = (A − Ã)ᵀλ. `inverse`
    is K, `lipschitz` the largest L_t. `remaining` is None where they do not fall. `alone` is the
    same two without the next iterate's residual, where they fall without it.
    """

    profile: Array
    adjoint: float
    inverse: float
    lipschitz: float
    alone: tuple[int, float] | None
    remaining: int | None
    within: float


def prove(
    run: Run, curvature: StepCurvature, step: Step, tolerance: float, *, longest: bool = False
) -> Proof:
    """The certificate of the states of a run; if `longest`, by no shorter products than can be.

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
    short = [(WINDOW, 1)] if far > 1 and not longest else []
    for window, strides in ((1, 0), (_FEW, 0), *short, (WINDOW, far)):
        inverse = inverse_norms(step.matrices, step.errors, window, strides)
        few = _majorants(inverse.few(), speeds, step.unrounded(), least).smaller
        if not few.max(initial=0.0) <= least:  # longer ones add to it, but for sharper norms
            break
        found = _within(run, curvature, step, inverse, tolerance) if strides else None
        if found is not None:
            return found
    raise UnprovedError(said("the bound, summed over earlier times, exceeds twice the step"))


def _strides(step: Step) -> int:
    """How many windows long the products may be that are multiplied out."""
    steps, width = step.matrices.shape[:2]
    return int(max(1, min(steps // WINDOW, _WORK // (steps * max(1, width) ** 3))))


def _within(
    run: Run, curvature: StepCurvature, step: Step, inverse: Inverse, tolerance: float
) -> Proof | None:
    """The proof, where the bounds stay within twice the step."""
    eta = raised(step.length + inverse.rows(step.reaching(step.off)))
    most = raised(2 * eta)
    speeds = _speeds(run, curvature, most)
    found = _majorants(inverse, speeds, step, most)
    near = found.smaller
    if not near.max(initial=0.0) <= min(most, np.finfo(float).max):
        return None
    turned = speeds.turned(Errors(step.fed, near))
    behind = inverse.columns(np.append(turned[1:], 0.0))  # L_{t+1} E_t
    behind = raised(behind * (1 + float(step.passed.max(initial=0.0))))
    lost = inverse.rows(step.reaching(step.granted.at(0.0)))
    reach = raised(2 * most + tolerance + 2 * _FLOORS[-1] * lost)
    wide = _speeds(run, curvature, reach)
    alone = replace(found, smaller=found.own, after=np.full_like(near, np.inf))
    steps, within = (_remaining(inverse, step, alone, wide, tolerance, reach)
                     if found.own.max(initial=0.0) <= most else (None, np.inf))  # fmt: skip
    return Proof(near, behind, inverse.rows(), speeds.largest,
                 None if steps is None else (steps, within),
                 *_remaining(inverse, step, found, wide, tolerance, reach))  # fmt: skip


@dataclass(frozen=True)
class _Majorants:
    """E_t by the iterate's own step, E_t⁺, and the smaller distance; ∞ where there is none."""

    own: Array
    after: Array
    smaller: Array


def _majorants(inverse: Inverse, speeds: Speeds, step: Step, radius: float) -> _Majorants:
    """Both sums; the speeds hold within the radius.

    Of one error β(e, e) / 2 = L^A ‖e^A‖ ‖e‖ + L^B ‖e‖² / 2.
    """
    none = np.zeros_like(step.fed)
    linear, square = speeds.share(Errors(step.fed, none)), speeds.own / 2
    own = inverse.majorant(step.lengths, step.reaching(step.off), linear, square)
    if step.chord is None or not step.chord.moved.whole.max(initial=0.0) <= radius:
        return _Majorants(own, np.full_like(own, np.inf), own)
    moved, fed = step.chord.moved, Errors(step.chord.fed, none)
    met = speeds.bent(moved, fed) + step.reaching(step.chord.off)
    linear = (speeds.share(moved) + speeds.share(fed)) * (1 + gamma(2))
    after = inverse.majorant(step.chord.lengths, met * (1 + gamma(2)), linear, square)
    return _Majorants(own, after, np.fmin(own, (moved.whole + after) * (1 + gamma(2))))


def _remaining(
    inverse: Inverse,
    step: Step,
    known: _Majorants,
    speeds: Speeds,
    tolerance: float,
    reach: float,
) -> tuple[int | None, float]:
    """After how many steps E^j is at most τ and what roundings add, for good; and that sum.

    L is taken as far as `reach`, at least twice as far as the exact trajectory may be.
    """
    near = known.smaller
    none = np.zeros(len(near))
    nothing, start = Errors(none, none), Errors(step.fed, near)

    def after(here: Errors, away: Errors, rounded: Array) -> Array:
        bent = speeds.bent(here, here) / 2 + speeds.bent(away, Errors(rounded, none))
        fixed = bent + step.reaching(rounded)
        return inverse.majorant(none, fixed * (1 + gamma(8)), speeds.share(away), none)

    largest = float(near.max(initial=0.0))

    def stays(within: float) -> bool:
        if not raised(largest + within) <= reach:  # where that iterate may lie, and any later one
            return False
        granted = step.granted.at(raised(2 * within))
        # A errs by what the sweep to that iterate rounded, of a step that may have been longer
        passed = np.maximum(step.rounded, step.granted.at(raised(2 * max(within, largest))))
        held = Errors(np.maximum(step.fed, passed), np.full(len(near), within))
        return bool(after(held, start.and_then(held), granted).max() <= within)

    floor = float(after(nothing, start, step.granted.at(0.0)).max(initial=0.0))
    within = next((w for w in withins(tolerance, floor) if stays(w)), np.inf)
    if not np.isfinite(within):
        return None, within
    here, away, rounded = start, nothing, step.rounded
    for steps in range(_LONG):
        if here.whole.max(initial=0.0) <= within:
            return steps, within
        following = Errors(rounded, after(here, away, rounded))
        if steps == 0:
            following = following._replace(whole=np.fmin(following.whole, known.after))
        if not following.whole.max() < here.whole.max():  # so all stays within E + E^j ≤ 2 max E
            break
        away = start.and_then(following)
        if steps == 0:
            moved = (step.lengths + rounded) * (1 + gamma(2))
            away = away._replace(whole=np.minimum(away.whole, moved))
        here = following
        rounded = step.granted.at(raised(2 * float(following.whole.max())))
    return None, within


def withins(tolerance: float, floor: float) -> Iterator[float]:
    """Distances to try, for sweeps that round by so much alone, all added up."""
    yield from (raised(tolerance + more * floor) for more in _FLOORS)


def _speeds(run: Run, curvature: StepCurvature, radius: float) -> Speeds:
    """L_t on balls of the radius about the states; s_0 does not move."""
    radii = np.full(run.steps, radius)
    radii[0] = 0.0
    values = enclosed_values(run, 0, run.steps, radii)
    return speeds_over(run.derivation, curvature, values, run.sizes, run.steps)


def speeds_over(
    derivation: Derivation, curvature: StepCurvature, values: Mapping[str, Interval],
    sizes: Mapping[str, int], steps: int,
) -> Speeds:  # fmt: skip
    """L_t where enclosures hold, side by side or one for all the steps; s_0 does not move.

    Raises:
        NoValueError: for a block that has no Lipschitz constant.
    """
    others = [s.name for s in derivation.cell.states if s.name not in curvature.fed]

    def found(moving: Sequence[str], columns: Sequence[str] | None) -> Array:
        L = lipschitz(derivation, curvature, values, sizes, steps, moving, columns)
        L[:1] = 0.0
        return L

    rest = found(others, None)
    own = found(others, others) if curvature.fed else rest
    return Speeds(found(curvature.fed, None), own, rest)
