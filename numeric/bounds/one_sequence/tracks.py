"""Along a trajectory: certified bounds of ‖J_T ⋯ J_{T−l+1}‖₂ at every lag l, beside its measure.

In: a `Run`. Out: `Track`, decimal logarithms by method. What is certified is the product of the
exact Jacobians at the stored float states. Products are kept with a power of two and a bound of
their error, so they neither under- nor overflow.

Windows: ‖J_T ⋯ J_k‖ ≤ ∏ ‖products of w consecutive factors‖, each enclosed. Whole products are
built from longer windows, so that few factors meet and errors stay small (`products.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from numeric.bounds.domination import Domination, Parts
from numeric.bounds.growth import log_product, matrix_norm, nonnegative
from numeric.bounds.one_sequence.parameter_sums import ParameterNorm, ParameterSums
from numeric.bounds.one_sequence.products import Products
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run, enclosed_values
from numeric.meaning.enclose import enclose
from numeric.numbers.lanczos import top
from numeric.numbers.matrices import Near, bounds, frobenius, lowered, raised, up

Array = Any
WINDOWS: Final = (1, 2, 5, 10, 20)
FEWER: Final = (1, 10, 20)
"""The windows of states of more than `_MANY` entries, where none are asked for."""
SEGMENTS: Final = 32
"""A trajectory of wide states is kept as at most so many products."""
_SMALL, _MANY, _WIDE = 100, 400, 1000
_EACH, _POINTS = 32, 48
_EACH_WIDE, _POINTS_WIDE = 8, 16
_TOLD_APART: Final = 1e-8  # of the largest singular value
_BESIDE: Final = 5  # columns carried along, so that the last one asked for is told from the next
_FEW: Final = 32  # steps that a random Q goes over in each direction, at least
_SCALED: Final = 10
_STEPS: Final = 4


@dataclass(frozen=True)
class Track:
    """log10 of ‖∂s_T/∂s_{T−l}‖₂ for l = 1, 2, …: measured, and certified bounds by method.

    A lower bound of −∞ or an upper one of +∞ says nothing. `blocks` are measured block norms of
    the longest product, log10, row state by column state; `direction` is about the unit vector
    that the longest product stretches most, and `gap` how much more than any at right angles to
    it, about, as a share: at 0 another vector is stretched as much. `parameters` where they were
    summed along the way; `segments`, of states that are wide, are products that make up the whole
    one: the lag at which each ends, with what has been multiplied out.
    """

    lags: tuple[int, ...]
    log10_measured: tuple[float, ...]
    log10_upper: dict[str, tuple[float, ...]]
    log10_lower: dict[str, tuple[float, ...]]
    blocks: dict[tuple[str, str], float] = field(default_factory=dict)
    direction: Array | None = field(default=None, repr=False, compare=False)
    parameters: Mapping[str, ParameterNorm | None] | None = field(default=None, compare=False)
    segments: tuple[tuple[int, Near], ...] = field(default=(), repr=False, compare=False)
    gap: float = field(default=0.0, compare=False)


def follow(
    run: Run,
    *,
    lags: int | None = None,
    windows: Sequence[int] | None = None,
    dominate: bool = True,
    parameters: bool = False,
) -> Track:
    """Every bound at every lag up to `lags`, T being the last step.

    Without `windows` those of `WINDOWS`, or of `FEWER` where states are wide. `parameters`: sums
    over all steps by parameter as well, from the same products.

    Raises:
        ValueError: for a lag or a window below 1, or a lag beyond the sequence.
    """
    count = run.steps if lags is None else lags
    if not 1 <= count <= run.steps:
        raise ValueError(f"lag: expected 1 to {run.steps}, the steps there are, came {count}")
    jacobians = Jacobians(run)
    size = sum(jacobians.widths)
    if windows is None:
        windows = WINDOWS if size <= _MANY else FEWER
    if any(window < 1 for window in windows):
        raise ValueError(f"window: expected lengths from 1, came {min(windows)}")
    small = size <= _SMALL and count <= 2000
    chosen = [window for window in windows if window <= count]
    keep = SEGMENTS if size > _SMALL and count == run.steps else 0
    products = Products(count, chosen, [w for w in chosen if small or w >= _SCALED], keep)
    measured: list[float] = []
    upper: list[float] = []
    lower: list[float] = []
    each, points = (_EACH, _POINTS) if size <= _WIDE else (_EACH_WIDE, _POINTS_WIDE)
    grid = {*range(1, each + 1), *np.linspace(1, count, points).astype(int).tolist()}
    product = direction = None
    sums = ParameterSums(run) if parameters and count == run.steps else None
    for lag, factor in enumerate(jacobians.backwards(count), 1):
        if sums is not None:
            sums.add(product)
        products.add(factor)
        product = products.product
        if direction is not None:  # P_l v = σ u has P_{l+1}ᵀ u = σ Jᵀ v, and u hardly changes
            direction = factor.after(direction[None])[0]
        if small or lag in grid:
            low, high, direction = bounds(product, direction)
            value = float(np.linalg.norm(product.matrix @ direction))
        else:
            value, direction = top(product.matrix, direction, _STEPS)
            image = float(np.linalg.norm(product.matrix @ direction))
            rounding = 1e-12 * size * frobenius(product.matrix)
            low = lowered(lowered(image, size) - raised(product.error + rounding))
            high = raised(frobenius(product.matrix) + product.error)
        measured.append(product.log10(value, 0))
        above_all = product.log10(high, 1)
        if upper:  # a product is no longer than its factors allow
            one_more = products.log10_factor
            above_all = min(above_all, up(upper[-1] + one_more, upper[-1], one_more))
        upper.append(above_all)
        lower.append(product.log10(low, -1))
    above = products.windows.log10_upper()
    above["product"] = tuple(upper)
    if dominate:
        above = {"trajectory": tuple(_dominated(jacobians, count)), **above}
    return Track(
        tuple(range(1, count + 1)), tuple(measured), above, {"direction": tuple(lower)},
        _blocks(jacobians, product), direction, None if sums is None else sums.norms(),
        products.segments() if products.kept else (), _gap(product, direction),
    )  # fmt: skip


def _gap(product: Near | None, direction: Array | None) -> float:
    """1 − σ₂/σ₁ of the product, σ₂ measured on what is at right angles to the direction."""
    if product is None or direction is None:
        return 0.0
    image = product.matrix @ direction
    size = float(np.linalg.norm(image))
    if not size:
        return 0.0
    other, _ = top(product.matrix - np.outer(image, direction))
    return max(0.0, 1 - other / size)


class AtLag(NamedTuple):
    """log10 of ‖∂s_T/∂s_{T−l}‖₂: certified bounds, what was measured, ∏ of the steps' norms."""

    upper: float
    lower: float
    measured: float
    stepwise: float


def enclosed(run: Run, lag: int) -> AtLag:
    """At one lag alone, at half of the cost of `follow`, and less for long ones."""
    products, stepwise = Products(lag), 0.0
    for factor in Jacobians(run).backwards(lag):
        products.add(factor)
        stepwise = up(stepwise + products.log10_factor, products.log10_factor)
    product = products.product
    low, high, direction = bounds(product)
    value = float(np.linalg.norm(product.matrix @ direction))
    upper = min(product.log10(high, 1), stepwise)
    return AtLag(upper, product.log10(low, -1), product.log10(value, 0), stepwise)


def _blocks(jacobians: Jacobians, product: Near | None) -> dict[tuple[str, str], float]:
    """log10 of the measured norm of each block."""
    found = {}
    starts = np.cumsum([0, *jacobians.widths])
    for a, of in enumerate(jacobians.names if product else []):
        for b, by in enumerate(jacobians.names):
            assert product is not None
            block = product.matrix[starts[a] : starts[a + 1], starts[b] : starts[b + 1]]
            found[of, by] = product.log10(top(block)[0], 0)
    return found


def dominating(jacobians: Jacobians, steps: int, parts: Parts) -> Iterator[Array]:
    """N_T, N_{T−1}, …: the suprema are those of one step."""
    run = jacobians.run
    last = run.steps
    left = steps
    domination: Domination | None = None
    while left > 0:
        first = max(0, last - min(1 if jacobians.alone else 256, left))
        values = enclosed_values(run, first, last)
        domination = domination or Domination(run.derivation, values, parts)
        sup = {}
        for column in jacobians.columns:
            bound = enclose(column, values, run.sizes).magnitude
            sup[column] = np.broadcast_to(bound, (len(bound), last - first))
        for t in range(last - first - 1, -1, -1):
            now = {
                name: value
                if jacobians.alone or value.shape[1] == 1 or name in jacobians.timeless
                else value[:, t : t + 1]
                for name, value in values.items()
            }  # fmt: skip
            yield domination.matrix({c: bound[:, t] for c, bound in sup.items()}, now)
        left -= last - first
        last = first


def _dominated(jacobians: Jacobians, steps: int) -> Iterator[float]:
    """log10 of ‖N_T ⋯ N_{T−l+1}‖ for l = 1, 2, and so on."""
    product: Near | None = None
    for N in dominating(jacobians, steps, Parts(jacobians.run.sizes)):
        product = nonnegative(N) if product is None else log_product(product, nonnegative(N))
        size = matrix_norm(product.matrix)
        yield product.log10(size, 1)


def lyapunov_exponents(run: Run, count: int | None = None, every: int = 1) -> tuple[float, ...]:
    """The largest exponents, in natural logarithms a step: measured by QR along the sequence.

    Q_t R_t = J_tᵀ Q_{t+1} from the last step to the first: the singular values of a product and
    of its transpose are equal. The Q that this begins with is what the steps make of a random one,
    of few steps forwards and backwards in turn: a random one would tell of itself. The product of
    the R has these singular values too, as long as floats hold them all. Re-orthonormalised every
    `every` steps.

    Source: Engelken, Wolf and Abbott 2020, Lyapunov spectra of chaotic recurrent networks.
    """
    jacobians = Jacobians(run)
    size = sum(jacobians.widths)
    count = size if count is None else min(count, size)
    wide = min(count + _BESIDE, size)
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(size, wide)))
    for again in range(math.ceil(_FEW / max(run.steps, 1))):
        back = (factor.matrix.T for factor in jacobians.backwards()) if again else ()
        for step, matrix in enumerate(chain(back, (one.matrix for one in jacobians.forwards())), 1):
            Q = matrix @ Q
            if step % every == 0 or step % run.steps == 0:
                Q, _ = np.linalg.qr(Q)
    sums, total, scale = np.zeros(wide), np.eye(wide), 0.0
    for step, factor in enumerate(jacobians.backwards(), 1):
        Q = factor.matrix.T @ Q
        if step % every == 0 or step == run.steps:
            Q, R = np.linalg.qr(Q)
            with np.errstate(divide="ignore"):
                sums += np.log(np.abs(np.diag(R)))
            total = R @ total
            if largest := float(np.max(np.abs(total), initial=0)):
                total, scale = total / largest, scale + math.log(largest)
    values = np.linalg.svd(total, compute_uv=False)
    if count and values[count - 1] > _TOLD_APART * values[0]:  # else the diagonals are as good
        with np.errstate(divide="ignore"):
            sums = np.log(values) + scale
    return tuple(float(value) for value in np.sort(sums / max(run.steps, 1))[::-1][:count])
