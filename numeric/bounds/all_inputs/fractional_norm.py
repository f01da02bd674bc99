"""One norm below 1 for all inputs: the fractional form, scaled, as a certificate of decay.

In: a `Fractional`, G = [A B; C D] closed by a diagonal Δ. Out: `ScaledNorm`: r, an invertible P of
the state and an S that commutes with every Δ, with

    ‖ diag(P, S) · G · diag(r P, S)⁻¹ ‖₂ ≤ 1.

Then r is a rate. Let y = A x + B p, q = C x + D p, p = Δ q with |Δ| ≤ 1. The norm says that
‖P y‖² + ‖S q‖² ≤ r² ‖P x‖² + ‖S p‖², and ‖S p‖ = ‖Δ S q‖ ≤ ‖S q‖, so ‖P J x‖ ≤ r ‖P x‖ for every
step Jacobian J that the form holds. A product of l of them is at most ‖P‖ ‖P⁻¹‖ r^l.

The scaling is searched for in floats and proved afterwards: L = diag(P, S) is exactly the given
floats, Y ≈ L⁻¹ with ‖L Y − I‖ ≤ ε < 1, so that ‖L G D L⁻¹‖ ≤ ‖L G D Y‖ / (1 − ε), and the last
norm is that of an interval matrix.

Source: Packard and Doyle 1993, The complex structured singular value, Automatica 29, has the
scaled norm; Boyd, El Ghaoui, Feron and Balakrishnan 1994, Linear matrix inequalities in system
and control theory, section 5.1, the same as an inequality of PᵀP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.bounds.all_inputs.fractional_form import Fractional
from numeric.bounds.all_inputs.scaling_search import Blocks, Descent
from numeric.bounds.growth import Method
from numeric.numbers.intervals import Interval, interval
from numeric.numbers.matrices import frobenius, norm_bound, raised, singular_values

Array = Any
NAME: Final = "fractional form, scaled"
_LARGEST: Final = 600
_USUAL: Final = 300
_CORNERS: Final = 8
_STAGES: Final = ((8.0, 30), (32.0, 60), (128.0, 80), (512.0, 100))
_NEAR: Final = 2  # the first stage from a start that is near
_HOPELESS: Final = 0.003  # above it the least norm, as the smooth one tells, is not below 1
_SHARPER: Final = 4
_SLACK: Final = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4)
_LEAST: Final = 1e-9
_BELOW: Final = 1 - 2e-9  # the norm with a rate hardly above the least one
_ABOVE: Final = (1e-9, 1e-7, 1e-5, 1e-3, 1e-2, 0.1)
_DOUBLINGS: Final = 40


@dataclass(frozen=True)
class ScaledNorm:
    """The certificate: `rate` r, `scaling` L = diag(P, S) as floats, and what it is of.

    `norm` is a certified bound, at most 1, of the scaled matrix; `condition` one of ‖P‖ ‖P⁻¹‖.
    """

    rate: float
    scaling: Array
    form: Fractional
    norm: float
    condition: float

    def to_dict(self) -> dict[str, Any]:
        """What the JSON holds; P as T, S as the rows of its blocks, `rows` of q that share a Δ."""
        k, text, layout = self.form.width, Text(), Layout()
        return {
            "r": self.rate, "norm": self.norm, "condition": self.condition,
            "T": self.scaling[:k, :k].tolist(),
            "delta": [
                {"d": text(layout.of(u.column)), "unit": u.unit, "centre": u.centre,
                 "radius": u.radius, "rows": own,
                 "S": self.scaling[k:, k:][np.ix_(own, own)].tolist()}
                for u, own in zip(self.form.unknowns, self.form.rows, strict=True)
            ],
        }  # fmt: skip

    def method(self, lags: int) -> Method:
        """The bounds condition · r^lag, rounded up."""
        return powers(NAME, self.condition, self.rate, lags)


def powers(name: str, condition: float, rate: float, lags: int) -> Method:
    """The bounds condition · r^lag, rounded up."""
    constant, log = math.log10(condition), math.log10(rate)
    found = (constant + lag * log for lag in range(1, lags + 1))
    return Method(name, rate, tuple(f + 1e-12 * (1 + abs(f) + constant) for f in found))


@np.errstate(all="ignore")
def scaled_norm(
    form: Fractional, *, sharp: bool = True, start: Array | None = None
) -> ScaledNorm | None:
    """The certificate of the smallest rate that a search finds; None where none is found.

    With `sharp` the search goes on below a rate of 1. It starts at the scaling `start` of a form
    like this one, where that is given.
    """
    if form.order > _LARGEST or not np.all(np.isfinite(form.middle)):
        return None
    try:
        if not form.owners:
            return _of_one_matrix(form)
        found = _searched(form, start, sharp=sharp)
        return None if found is None else proved(form, *found)
    except np.linalg.LinAlgError:  # nothing was found; nothing is claimed
        return None


def _of_one_matrix(form: Fractional) -> ScaledNorm | None:
    """Where nothing is unknown, J = A: a rate as close above ρ(A) as floats prove."""
    for more in _ABOVE:
        scaling = lyapunov(form.middle, 1 + more)
        found = None if scaling is None else proved(form, scaling)
        if found is not None:
            return found
    return proved(form, np.eye(form.order))


def lyapunov(A: Array, above: float) -> Array | None:
    """About a P with ‖P A P⁻¹‖₂ ≤ above · ρ(A): PᵀP = Σ_k (Aᵏ)ᵀ Aᵏ / (above · ρ)^{2k}, by doubling.

    None where A is nilpotent, or too far from normal for floats.
    """
    radius = float(np.abs(np.linalg.eigvals(A)).max(initial=0.0)) * above
    if not 1e-100 < radius < 1e100:
        return None
    total, power = np.eye(len(A)), A / radius
    for _ in range(_DOUBLINGS):
        total = total + power.T @ total @ power
        power = power @ power
        if not np.all(np.isfinite(total)):
            return None
        if np.abs(power).max() < 1e-20:
            break
    try:
        return np.asarray(np.linalg.cholesky((total + total.T) / 2 / np.abs(total).max()).T)
    except np.linalg.LinAlgError:
        return None


def proved(form: Fractional, scaling: Array, least: float | None = None) -> ScaledNorm | None:
    """The certificate with that scaling; `least` is about the smallest rate it is right with."""
    if least is None:
        least = _least_rate(scaling @ form.middle @ np.linalg.inv(scaling), form.width)
    if not math.isfinite(least):
        return None
    scaled = _scaled_matrix(form, scaling)
    if scaled is None:
        return None
    for more in _SLACK:
        rate = max(least * (1 + more), _LEAST)
        norm = scaled.norm(rate, _BELOW)
        if norm <= 1:
            low, high = singular_values(scaling[: form.width, : form.width])
            if not low > 0:
                return None
            return ScaledNorm(rate, scaling, form, norm, max(1.0, raised(high / low)))
    return None


def norm_with(form: Fractional, scaling: Array, rate: float) -> float:
    """At least ‖L G diag(1/r, 1) L⁻¹‖₂; infinite where L is no scaling of this form."""
    scaled = _scaled_matrix(form, scaling)
    return math.inf if scaled is None else scaled.norm(rate)


@dataclass(frozen=True)
class _Scaled:
    """L G Y with Y ≈ L⁻¹ of the same blocks, and a bound below 1 of ‖L Y − I‖."""

    matrix: Interval
    off: float
    width: int

    @np.errstate(all="ignore")
    def norm(self, rate: float, about: float | None = None) -> float:
        """At least ‖L G diag(1/r, 1) L⁻¹‖₂: Y has blocks of the state alone, and commutes."""
        divided = np.ones(self.matrix.lo.shape[1])
        divided[: self.width] = rate
        return raised(norm_bound(self.matrix / interval(divided), about) / (1 - self.off), 16)


@np.errstate(all="ignore")
def _scaled_matrix(form: Fractional, scaling: Array) -> _Scaled | None:
    """L G L⁻¹; None where L is no scaling of this form.

    L may mix places of the state, and places that share a Δ, and nothing else: only then does it
    commute with Δ.
    """
    if not np.all(np.isfinite(scaling)) or np.any(scaling[~commuting(form)]):
        return None
    try:
        inverse = np.where(commuting(form), np.linalg.inv(scaling), 0.0)
    except np.linalg.LinAlgError:
        return None
    if not np.all(np.isfinite(inverse)):
        return None
    L, Y = interval(scaling), interval(inverse)
    off = frobenius((L @ Y - interval(np.eye(len(scaling)))).magnitude)
    return _Scaled(L @ form.matrix @ Y, off, form.width) if off < 0.5 else None


def commuting(form: Fractional) -> Array:
    """Which entries of L may be other than 0."""
    owners = np.array([-1] * form.width + list(form.owners))
    return owners[:, None] == owners[None, :]


def _scales(form: Fractional, scaling: Array) -> bool:
    """Whether L is a scaling of this form, as one of another form may be."""
    return scaling.shape == form.middle.shape and not np.any(scaling[~commuting(form)])


# ---- the search --------------------------------------------------------------------------------


def some_corner_grows(form: Fractional) -> bool:
    """Whether some J of the form has a spectral radius of 1 or more: then no rate is below 1."""
    rng = np.random.default_rng(form.order)
    count = max(form.owners, default=-1) + 1
    corners = rng.choice([-1.0, 1.0], size=(_CORNERS, count))
    for delta in [np.zeros(count), np.ones(count), -np.ones(count), *corners]:
        J = form.closed(delta)
        if not np.all(np.isfinite(J)) or np.abs(np.linalg.eigvals(J)).max() >= 1:
            return True
    return False


def _searched(
    form: Fractional, start: Array | None, *, sharp: bool
) -> tuple[Array, float | None] | None:
    """L with ‖L G L⁻¹‖ below 1, and then with a small rate; None where the norm stays above 1.

    The rate where L is the start: where it moved, rounding has moved M too.
    """
    width = form.width
    near = start is not None and _scales(form, start)
    descent = Descent(form.middle.copy(), Blocks.of(width, form.owners), start if near else None)
    small = near and descent.norm < 1  # then no corner grows
    if not small and some_corner_grows(form):
        return None
    share = min(1.0, (_USUAL / form.order) ** 2)  # a step costs about order³
    for p, steps in () if small else _STAGES[_NEAR if near else 0 :]:
        reached = descent.run(p, math.ceil(share * steps), lambda norm: norm < 1)
        if descent.norm < 1:
            break
        if reached - math.log(form.order) / (2 * p) > _HOPELESS:
            return None
    best, rate = descent.L, _least_rate(descent.M, width)
    if not math.isfinite(rate):
        return None
    now = 1.0
    for _ in range(_SHARPER if sharp else 0):
        if rate < _LEAST:
            break
        descent.M[:, :width] *= now / rate
        now = rate
        descent.run(128.0, math.ceil(share * 30))
        unscaled = descent.M.copy()
        unscaled[:, :width] *= now
        found = _least_rate(unscaled, width)
        if not found < rate:
            break
        best, settled, rate = descent.L, found > 0.999 * rate, found
        if settled:
            break
    return best, rate if best is start else None


def _least_rate(M: Array, width: int) -> float:
    """About the smallest r for which ‖M diag(1/r, 1)‖ ≤ 1; infinite where there is none."""
    x, p = M[:, :width], M[:, width:]
    rest = np.eye(p.shape[1]) - p.T @ p
    if p.shape[1] and not np.linalg.eigvalsh(rest)[0] > 1e-13:
        return math.inf
    inner = p.T @ x
    square = x.T @ x + inner.T @ np.linalg.solve(rest, inner)
    return math.sqrt(max(float(np.linalg.eigvalsh(square)[-1]), 0.0))
