"""Certified growth a priori: for all inputs in a box and all initial states in another.

In: a `Setting`. Out: `Certificate`: a rate r and, at every lag, an upper bound of
‖∂s_t/∂s_{t−l}‖₂ that no admissible sequence exceeds, by each method and the smallest; and, where
the zero state rests, a lower rate. Theorem A: N ≥ 0 with ‖J_ab‖ ≤ N_ab, v > 0, Nv ≤ rv give
‖J_t ⋯ J_{k+1}‖ ≤ r^{t−k} in the norm max_a ‖s_a‖ / v_a.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numeric.boxes import Box, Ranges, Setting, boxes_over_time, invariant_box
from numeric.carousel import carousel
from numeric.domination import ROWS, SPECTRAL, Domination, Partition, Parts
from numeric.enclose import enclose
from numeric.intervals import Interval, gamma
from numeric.jacobians import diagonal_columns
from numeric.methods import Method, certified_rate, chain, log_product, powers
from numeric.split import split_rate
from numeric.verified import Near, frobenius, raised

Array = Any
_FINEST: Final = 1024
_PERIOD: Final = 64
_LONGEST: Final = 5000


@dataclass(frozen=True)
class Certificate:
    """What holds for every sequence in the boxes; `box` is None where no invariant set was found.

    Without a box the bounds hold for sequences of at most `steps` steps, and there is no rate.
    """

    box: Box | None
    methods: tuple[Method, ...]
    steps: int
    rest_rate: float | None = None
    carousel_rate: float | None = None

    @property
    def rate(self) -> float:
        """The smallest certified rate; ∞ if there is none."""
        return min((method.rate for method in self.methods), default=math.inf)

    @property
    def best(self) -> Method:
        """The method with the smallest rate."""
        return min(self.methods, key=lambda method: method.rate)

    def upper(self, lag: int) -> tuple[float, str]:
        """The smallest log10 bound at a lag, and the method that gave it."""
        return min((method.log10_upper[lag - 1], method.name) for method in self.methods)

    @property
    def log10_upper(self) -> tuple[float, ...]:
        """The smallest bound at each lag."""
        return tuple(map(min, zip(*(m.log10_upper for m in self.methods), strict=True)))


def certify(
    setting: Setting,
    lags: int = 60,
    partition: Partition | None = None,
    steps: int | None = None,
) -> Certificate:
    """Every a-priori bound that the setting admits, for sequences of so many steps.

    `steps` matters only where the bounds change with time; the lags go back from the last step.
    With a partition (size name → lengths of its parts) one more method uses it.

    Raises:
        ValueError: for fewer steps than lags, or more than there are constants for.
    """
    given = [len(setting.constants[name]) for name in setting.derivation.cell.sequences]
    steps = steps or min(given, default=lags)
    if steps < lags or steps > min(given, default=steps):
        raise ValueError(f"steps: expected {lags}, the lags, to {min(given, default=steps)}, the "
                         f"steps whose constants are given, came {steps}")  # fmt: skip
    ranges = Ranges(setting)
    box = invariant_box(ranges)
    rest = resting_rate(ranges)
    if box is None or setting.derivation.cell.sequences:
        made = tuple(_over_time(ranges, box, lags, partition, steps)) if steps <= _LONGEST else ()
        return Certificate(box, made, steps, rest)
    values = ranges.values(box)
    methods = [
        *_by_parts(setting, values, lags, partition),
        *split_rate(ranges, values, lags),
    ]
    return Certificate(box, tuple(methods), steps, rest, carousel(setting, values))


def suprema(setting: Setting, values: Mapping[str, Interval]) -> dict[Any, Array]:
    """Sup |d_i| of each column d of a diag(d)."""
    found = {}
    for column in diagonal_columns(setting.derivation.step_jacobian):
        found[column] = enclose(column, values, setting.sizes).magnitude[:, 0]
    return found


def dominations(setting: Setting, partition: Partition | None) -> Iterator[tuple[str, Parts, str]]:
    """The partitions and norms that are tried."""
    sizes = setting.sizes
    yield "states, 2-norm", Parts(sizes), SPECTRAL
    yield "states, ∞-norm", Parts(sizes), ROWS
    if partition:
        yield "modules, 2-norm", Parts(sizes, partition), SPECTRAL
    if setting.width <= _FINEST:
        yield "units", Parts(sizes, finest=True), SPECTRAL


def _by_parts(
    setting: Setting, values: Box, lags: int, partition: Partition | None
) -> Iterator[Method]:
    sup = suprema(setting, values)
    for name, parts, norm in dominations(setting, partition):
        N = Domination(setting.derivation, values, parts, norm).matrix(sup, values)
        yield powers(name, N, lags, norm, setting.width)


# ---- bounds that change with time --------------------------------------------------------------


def _over_time(
    ranges: Ranges, box: Box | None, lags: int, partition: Partition | None, steps: int
) -> Iterator[Method]:
    """N(T) ⋯ N(T−l+1), each of its own step; a rate where the constants repeat."""
    setting = ranges.setting
    kinds = [kind for kind in dominations(setting, partition) if kind[0] != "units" or box]
    matrices: dict[str, list[Array]] = {name: [] for name, _, _ in kinds}
    made: dict[tuple[str, bytes], Array] = {}
    dominators: dict[str, Domination] = {}
    for values, now in _moments(ranges, box, steps):
        key = b"".join(part.lo.tobytes() for part in now.values())
        for name, parts, norm in kinds:
            if box is not None and (name, key) in made:
                matrices[name].append(made[name, key])
                continue
            own = dominators.setdefault(name, Domination(setting.derivation, values, parts, norm))
            N = own.matrix(suprema(setting, values), values)
            made[name, key] = N
            matrices[name].append(N)
    for name, _, norm in kinds:
        yield _varying(name, matrices[name], lags, norm, setting.width, periodic=box is not None)


def _moments(ranges: Ranges, box: Box | None, steps: int) -> Iterator[tuple[Box, Box]]:
    if box is None:
        yield from boxes_over_time(ranges, steps)
        return
    for t in range(steps):
        now = ranges.moments(t)
        yield ranges.values(box, now), now


def _varying(
    name: str, matrices: Sequence[Array], lags: int, norm: str, width: int, periodic: bool
) -> Method:
    found = chain(list(reversed(matrices[-lags:])), norm, width)
    found += [math.inf] * (lags - len(found))
    period = _period(matrices) if periodic else 0
    rate = math.inf
    if period:
        whole = Near(matrices[-1])
        for N in reversed(matrices[-period:-1]):
            whole = log_product(whole, N)
        if np.all(np.isfinite(whole.matrix)):
            rate = certified_rate(whole.matrix)[0] ** (1 / period) * (1 + 1e-14)
    return Method(name, rate, tuple(found))


def _period(matrices: Sequence[Array]) -> int:
    """The shortest period that the matrices repeat with, seen at least twice; 0 if none."""
    for period in range(1, min(_PERIOD, len(matrices) // 2) + 1):
        if all(np.array_equal(a, b) for a, b in zip(matrices[period:], matrices, strict=False)):
            return period
    return 0


# ---- the state that rests at zero ----------------------------------------------------------------


def resting_rate(ranges: Ranges) -> float | None:
    """A lower bound of ρ(∂F/∂s) at s = 0, x = 0, where that state rests and is admissible.

    Then ‖J^m‖ ≥ ρ^m along that sequence: if it exceeds 1, gradients explode there.
    """
    setting = ranges.setting
    cell = setting.derivation.cell
    if cell.sequences or not (_holds_zero(setting.inputs()) and _holds_zero(setting.initial())):
        return None
    states = setting.box(cell.states, (0.0, 0.0))
    values = {**ranges.given, **setting.box(cell.inputs, (0.0, 0.0))}
    values |= {f"{name}_prev": value for name, value in states.items()}
    for equation in setting.derivation.forward:
        values[equation.target.name] = enclose(equation.value, values, setting.sizes)
    if any(values[state.name].magnitude.any() for state in cell.states):
        return None
    return radius_below(rest_jacobian(setting, values))


def _holds_zero(box: Box) -> bool:
    return all(np.all((value.lo <= 0) & (value.hi >= 0)) for value in box.values())


def rest_jacobian(setting: Setting, values: Mapping[str, Interval]) -> Near:
    """J where every symbol has one column."""
    states = setting.derivation.cell.states
    jacobian = setting.derivation.step_jacobian
    rows = []
    for of in states:
        blocks = [enclose(jacobian.expanded(of.name, by.name), values, setting.sizes)
                  for by in states]  # fmt: skip
        rows.append(Interval(np.hstack([b.lo for b in blocks]), np.hstack([b.hi for b in blocks])))
    whole = Interval(np.vstack([r.lo for r in rows]), np.vstack([r.hi for r in rows]))
    return Near(whole.middle, frobenius(whole.radius))


def radius_below(near: Near) -> float:
    """A lower bound of ρ(J) for every J within the error.

    Let V, Λ, Y be any floats (eigenvectors, eigenvalues, inverse), YV = I + E with ‖E‖ < 1 and
    YJV = Λ + R. Then V⁻¹JV = Λ + (I + E)⁻¹(R − EΛ). Λ is diagonal, so the eigenvalues of J lie
    in discs around Λ's of radius ε = (‖R‖ + ‖E‖‖Λ‖) / (1 − ‖E‖), and a component of m discs
    holds m of them (Bauer and Fike; Geršgorin). The component of the largest reaches at most
    2dε away from its centre.
    """
    J = near.matrix
    d = len(J)
    if not np.all(np.isfinite(J)) or not math.isfinite(near.error):
        return 0.0
    values, V = np.linalg.eig(J)
    try:
        Y = np.linalg.inv(V)
    except np.linalg.LinAlgError:
        return 0.0
    vf, yf, jf = (frobenius(np.abs(matrix)) for matrix in (V, Y, J))
    error = 4 * gamma(4 * d + 16)
    E = frobenius(np.abs(Y @ V - np.eye(d))) + error * (yf * vf + d)
    JV = J @ V
    R = frobenius(np.abs(Y @ JV - np.diag(values)))
    R += error * yf * (frobenius(np.abs(JV)) + jf * vf) + yf * vf * near.error
    R += error * d * float(np.abs(values).max())
    if not E < 1:
        return 0.0
    largest = float(np.abs(values).max())
    spread = raised((R + E * largest * (1 + error)) / (1 - E), 4 * d)
    return max(0.0, largest * (1 - error) - 2 * d * spread * (1 + error))
