"""Theorem E in numbers: what the kept state of an LSTM carries back cannot decay faster than λ.

In: ranges of the symbols over an invariant box. Out: λ with ‖∂p_t/∂p_k δ‖₂ ≥ λ^{t−k} ‖δ‖₂.

Let a_lo = inf a_i > 0, ω ≥ sup|ψ_i|, β ≥ ‖J_pq‖₂, α ≥ ‖R‖₂. If η > 0 and λ > 0 satisfy
a_lo − βη ≥ λ and (η − ω) λ ≥ α η, then ‖δq‖ ≤ η ‖δp‖ at one step gives ‖δp‖ ≥ λ ‖δp before‖ and
again ‖δq‖ ≤ η ‖δp‖ at the next: δp_t = a ⊙ δp + J_pq δq has the length at least
(a_lo − βη) ‖δp‖, and δq_t = ψ ⊙ δp_t + R δq at most (ω + αη/λ) ‖δp_t‖ ≤ η ‖δp_t‖. A start with
δq = 0 lies in that cone. The two inequalities are checked in rational numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np

from derive.bptt import Derivation
from derive.carousel import find_carousel
from numeric.boxes import Setting
from numeric.domination import Domination, Parts
from numeric.enclose import enclose
from numeric.intervals import Interval
from numeric.jacobians import columns_in, diagonal_columns

Array = Any
_SHRINK: Final = (1e-12, 1e-9, 1e-6, 1e-3)


def carousel(setting: Setting, values: Mapping[str, Interval]) -> float | None:
    """The certified λ, or None where the cell or its ranges do not meet the theorem."""
    numbers = carousel_numbers(setting.derivation, values, setting.sizes)
    return None if numbers is None else cone_rate(*numbers)


def carousel_numbers(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> tuple[float, float, float, float] | None:
    """(a_lo, α, β, ω) over the ranges."""
    found = find_carousel(derivation)
    if found is None:
        return None
    own = diagonal_columns(derivation.step_jacobian)
    sup = {
        column: enclose(column, values, sizes).magnitude[:, 0]
        for column in (*own, *columns_in(found.rest, found.coupling))
    }
    domination = Domination(derivation, values, Parts(sizes))
    partials: dict[Any, Array] = {}
    for name, value in domination.named:
        partials[name] = domination.of(value, sup, values, partials)
    alpha, beta = (
        float(np.max(domination.of(block, sup, values, partials)))
        for block in (found.rest, found.coupling)
    )
    kept = enclose(found.kept, values, sizes)
    omega = float(enclose(found.readout, values, sizes).magnitude.max())
    return float(kept.lo.min()), alpha, beta, omega


def cone_rate(low: float, alpha: float, beta: float, omega: float) -> float | None:
    """The largest λ, about, for which an η exists; proved in rational numbers."""
    if not all(map(math.isfinite, (low, alpha, beta, omega))) or low <= 0:
        return None
    s = low + alpha - omega * beta
    square = s * s - 4 * alpha * low
    if square < 0 or s <= 0:
        return None
    root = 0.5 * (s + math.sqrt(square))
    for less in _SHRINK:
        rate = root * (1 - less)
        if cone_holds(rate, low, alpha, beta, omega):
            return rate
    return None


def cone_holds(rate: float, low: float, alpha: float, beta: float, omega: float) -> bool:
    """Whether λ and η = (a_lo − λ) / β satisfy both inequalities, exactly."""
    lam, a, al, be, om = map(Fraction, (rate, low, alpha, beta, omega))
    if lam <= 0 or lam > a:
        return False
    if be == 0:
        return al < lam or al == 0
    eta = (a - lam) / be
    return eta > 0 and (eta - om) * lam >= al * eta
