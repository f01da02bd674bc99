"""One of Newton's iterates: the step from it, and what is known of it by that.

In: a run whose states are the iterate's. Out: `Iterate`, and the states of the next one. Without a
look at the next iterate's residual, what is known of one is known before its step is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from derive.calculus.curvature import StepCurvature
from derive.saying import said
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run
from numeric.bounds.parallel_in_time.distance import (
    Chord,
    Errors,
    Roundings,
    Step,
    UnprovedError,
    prove,
)
from numeric.bounds.parallel_in_time.evaluated import above, evaluated
from numeric.numbers.intervals import UNIT, gamma
from numeric.numbers.lengths import length, lengths
from numeric.numbers.matrices import frobenius, raised

Array = Any
_LEAST: Final = 1e-150  # more than a length whose squares underflow


@dataclass(frozen=True)
class Iterate:
    """One iterate: max_t ‖r_t‖₂, max_t ‖d_t‖₂ of the step from it, and what is certified of it.

    `certified` bounds max_t ‖s_t − exact s_t‖₂, or is None with the reason. `adjoint` bounds, as a
    share of the largest exact one, how far cotangents of the states carried back through this
    iterate's Jacobians lie from those of the exact trajectory, the cotangents of the loss being the
    same. After `remaining` more steps all is within the tolerance and what sweeps round, together
    `within`, where that is known: none of them rounds more than `granted`. `alone` is the same two
    as they are known before the next iterate's residual. `inverse` is K,
    `lipschitz` L; `profile` has a bound of ‖s_t − exact s_t‖₂ for each t, `rounded` of what the
    sweep rounds.
    """

    residual: float
    step: float
    certified: float | None = None
    reason: str = ""
    adjoint: float | None = None
    remaining: int | None = None
    within: float = math.inf
    alone: tuple[int, float] | None = field(default=None, repr=False, compare=False)
    inverse: float | None = None
    lipschitz: float | None = None
    measured: float | None = None
    profile: Array = field(default=None, repr=False, compare=False)
    rounded: Array = field(default=None, repr=False, compare=False)
    granted: Roundings | None = field(default=None, repr=False, compare=False)


def fed_places(run: Run, curvature: StepCurvature) -> Array:
    """Which places of the whole state inputs alone make."""
    names = [state.name for state in run.derivation.cell.states]
    widths = [run.states[name].shape[1] for name in names]
    return np.repeat([name in curvature.fed for name in names], widths)


def iterated(
    run: Run, curvature: StepCurvature, tolerance: float, *, beyond: bool = True
) -> tuple[Iterate, dict[str, Array]]:
    """What is known of the iterate, and the next one; whose residual is taken if `beyond`."""
    names = [state.name for state in run.derivation.cell.states]
    starts = np.cumsum([0, *(run.states[name].shape[1] for name in names)])
    now = evaluated(run)
    stored, residual, blurred = now.stored, now.residual, now.blurred
    near = [*Jacobians(run).backwards()][::-1]
    matrices = np.stack([np.ldexp(one.matrix, one.exponent) for one in near])
    errors = np.array([float(np.ldexp(one.error, one.exponent)) for one in near])
    step, off = _solved(matrices, errors, residual, blurred)
    wholes = np.array([frobenius(matrix) for matrix in matrices])
    share = errors + gamma(int(starts[-1]) + 6) * (3 * wholes + 3)
    moves = lengths(step)
    longest = float(moves.max(initial=0.0))
    largest = float(lengths(residual).max(initial=0.0))
    following = {name: np.concatenate([run.states[name][:1], run.states[name][1:]
                                       + step[:, starts[k] : starts[k + 1]]])
                 for k, name in enumerate(names)}  # fmt: skip
    sizes, blurs = lengths(stored), lengths(blurred)
    stays = sizes * (UNIT * (1 + gamma(4 * int(starts[-1]))))
    after = lengths(stored + step)  # states that a later sweep rounds, larger ones by more
    share_of_size = float(np.median(blurs / np.maximum(sizes, _LEAST))) + UNIT
    fixed = np.maximum(blurs + stays + gamma(8) * after, share_of_size * after)
    granted = Roundings(fixed * (1 + gamma(8)) + _LEAST, share).allowed()
    rounded = (off + stays + UNIT * moves) * (1 + gamma(4 * int(starts[-1]))) + _LEAST
    one = Iterate(largest, longest, rounded=rounded, granted=granted)
    if not math.isfinite(longest):
        return replace(one, reason=said("the step is not finite")), following
    most = moves * (1 + gamma(2 * int(starts[-1]) + 64)) + _LEAST
    apart = fed_places(run, curvature)
    inner, handed = matrices[:, ~apart][:, :, ~apart], matrices[:, ~apart][:, :, apart]
    proved = Step(
        most, off, inner, errors, rounded, granted,
        now.missed(apart).fed,
        above(lengths(handed.reshape(run.steps, -1)) + errors, apart),
        None if curvature.kinks or curvature.declared or not beyond
        else _chord(run, following, matrices, errors, apart),
    )  # fmt: skip
    try:
        proof = prove(run, curvature, proved, tolerance, longest=not beyond)
    except UnprovedError as problem:
        return replace(one, reason=problem.args[0]), following
    return replace(
        one, certified=float(proof.profile.max()), profile=proof.profile, adjoint=proof.adjoint,
        alone=proof.alone, remaining=proof.remaining, within=proof.within, inverse=proof.inverse,
        lipschitz=proof.lipschitz,
    ), following  # fmt: skip


def _solved(matrices: Array, errors: Array, residual: Array, blurred: Array) -> tuple[Array, Array]:
    """D_t = J_t d_{t−1} + r_t as computed, and what each of these is off by at most."""
    step, off = np.zeros_like(residual), np.zeros(len(residual))
    before = np.zeros(residual.shape[1])
    for t, matrix in enumerate(matrices):
        step[t] = matrix @ before + residual[t]
        size = length(before)
        rounding = gamma(len(before) + 6) * (frobenius(matrix) * size + length(residual[t]))
        own = length(blurred[t]) + errors[t] * size + rounding
        off[t] = raised(own, 2 * len(before))
        before = step[t]
    return step, off


def _chord(
    run: Run, following: dict[str, Array], matrices: Array, errors: Array, apart: Array
) -> Chord | None:
    """The step from the next iterate by the step Jacobians of this one, where all is finite."""
    if not all(np.all(np.isfinite(state)) for state in following.values()):
        return None
    moved = np.concatenate([following[name] - run.states[name] for name in following], axis=1)[1:]
    now = evaluated(replace(run, states=following))
    step, off = _solved(matrices, errors, now.residual, now.blurred)
    every = np.ones_like(apart)
    return Chord(
        Errors(above(lengths(moved[:, apart]), apart), above(lengths(moved), every)),
        above(lengths(step), every), off, now.missed(apart).fed,
    )  # fmt: skip
