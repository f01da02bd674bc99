"""How much a state can depend on each parameter, for all inputs: ‖∂s_T/∂θ‖₂ at every T.

In: a `Setting` and its `Certificate`. Out: a number for each parameter, or None. From

    ∂s_T/∂θ = Σ_l (J_T ⋯ J_{T−l+1}) ∂F_{T−l}/∂θ,   l = 0, 1, …,

the norm is at most sup ‖∂F/∂θ‖₂ · Σ_l u_l with ‖J_T ⋯ J_{T−l+1}‖₂ ≤ u_l for every T, u_0 = 1.
Norms of products are submultiplicative: where u_L < 1 for some L, the sum over all l is at most
(u_0 + … + u_{L−1}) / (1 − u_L).
"""

from __future__ import annotations

import math

import numpy as np

from numeric.bounds.all_inputs.certify import Certificate
from numeric.bounds.all_inputs.ranges import Ranges, Setting
from numeric.bounds.step_shares import Share, step_shares
from numeric.numbers.matrices import frobenius, raised


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def parameter_bounds(setting: Setting, found: Certificate) -> dict[str, float | None]:
    """log10 of a bound by parameter; None where there is no decay, no invariant set, or no form."""
    parameters = setting.derivation.cell.parameters
    total = memory(found.log10_upper) if found.methods and found.unlimited else math.inf
    if setting.derivation.has_matrices or found.box is None or not math.isfinite(total):
        return dict.fromkeys(symbol.name for symbol in parameters)
    values = Ranges(setting).values(found.box)
    by_way = {e.of for e in setting.derivation.parameters
              if any(not term.each_step for term in e.terms)}  # fmt: skip
    wanted = {*parameters} - by_way
    shares = next(step_shares(setting.derivation, values, setting.sizes, wanted))
    made: dict[str, float | None] = {}
    for symbol in parameters:
        held = shares.get(symbol)
        if held is not None and all(share.columns.zero for share in held):
            made[symbol.name] = -math.inf  # every share is 0 in the whole box
            continue
        size = math.inf if held is None else raised(sum(map(largest, held)), len(held) + 4)
        bound = raised(size * total)
        found_log = math.log10(bound) if 0 < bound < math.inf else None
        made[symbol.name] = None if found_log is None else found_log + 1e-13 * (1 + abs(found_log))
    return made


def memory(log10_upper: tuple[float, ...]) -> float:
    """At least Σ_l u_l over all lags l from 0; infinite where no u_l is below 1."""
    best, total = math.inf, 1.0
    for log in log10_upper:
        u = raised(10.0**log, 64) if log < 300 else math.inf
        if u < 1:
            best = min(best, raised(total / (1 - u), 8))
        total = raised(total + u)
    return best


def largest(share: Share) -> float:
    """At least ‖b uᵀ‖ over the ranges."""
    return raised(share.columns.norm * frobenius(share.row.ranges.magnitude))
