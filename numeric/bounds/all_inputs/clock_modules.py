"""Modules with clocks of their own: the growth of each, and of the whole over a hyper-period.

In: a `Setting` whose constants repeat in time, and an invariant box. Out: `ModuleRates`. Units
that are told the same at every step form a module. With N(t) by modules and a period p, the
diagonal of N(p) ⋯ N(1) holds for each module what its own block does in that time; where the
product is triangular these are its eigenvalues, and the largest p-th root is the rate of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from numeric.bounds.all_inputs.certify import period_of, suprema
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting
from numeric.bounds.domination import Domination, Parts
from numeric.bounds.growth import log_product, nonnegative, rate_over
from numeric.numbers.spectral_radius import root_above

Array = Any
_LONGEST: Final = 1000


@dataclass(frozen=True)
class ModuleRates:
    """Rates a step, rounded up: of each module's own block, and certified for the whole state.

    `acting` counts the steps of a period at which the module's row of N is not that of the
    identity. `triangular` says whether N(p) ⋯ N(1) is, in some order of the modules.
    """

    size: str
    lengths: tuple[int, ...]
    period: int
    acting: tuple[int, ...]
    rates: tuple[float, ...]
    whole: float
    triangular: bool


def modules_of(setting: Setting) -> tuple[str, tuple[int, ...]] | None:
    """The size that is split, and the lengths of runs of units with the same constants."""
    cell = setting.derivation.cell
    for name in sorted(cell.sequences):
        (symbol,) = (s for s in cell.constants if s.name == name)
        if symbol.shape[0] not in {state.shape[0] for state in cell.states}:
            continue
        told = np.asarray(setting.constants[name])
        changed = np.any(told[:, 1:] != told[:, :-1], axis=0)
        edges = [0, *(np.flatnonzero(changed) + 1).tolist(), told.shape[1]]
        if len(edges) > 2:
            return str(symbol.shape[0]), tuple(b - a for a, b in pairwise(edges))
    return None


def module_rates(setting: Setting, box: Box | None) -> ModuleRates | None:
    """The rates; None without modules or an invariant box, or for a period too long.

    None of matrices: parts of their rows are not those of their columns, which R mixes in S R.
    """
    found = modules_of(setting)
    if found is None or box is None or setting.derivation.has_matrices:
        return None
    given = [len(setting.constants[name]) for name in setting.derivation.cell.sequences]
    period = period_of(setting, min(given))
    if period > _LONGEST:
        return None
    size, lengths = found
    ranges, parts = Ranges(setting), Parts(setting.sizes, {size: lengths})
    matrices = []
    for t in range(period):
        values = ranges.values(box, ranges.moments(t))
        matrices.append(Domination(setting.derivation, values, parts).matrix(
            suprema(setting, values), values))  # fmt: skip
    if len(matrices[0]) != len(lengths) or not all(np.all(np.isfinite(N)) for N in matrices):
        return None
    whole = nonnegative(matrices[0])
    for N in matrices[1:]:
        whole = log_product(nonnegative(N), whole)
    still = np.eye(len(lengths))
    acting = tuple(
        sum(not np.allclose(N[k], still[k], rtol=0, atol=1e-9) for N in matrices)
        for k in range(len(lengths))
    )
    roots = tuple(root_above(float(v), whole.exponent, period) for v in np.diag(whole.matrix))
    return ModuleRates(
        size, lengths, period, acting, roots, rate_over(whole, period), _triangular(whole.matrix)
    )


def _triangular(matrix: Array) -> bool:
    """Whether rows and columns can be ordered so that all below the diagonal is 0."""
    reaches = (matrix > 1e-200) & ~np.eye(len(matrix), dtype=bool)
    left = [*range(len(matrix))]
    while left:
        last = next((k for k in left if not reaches[k, left].any()), None)
        if last is None:
            return False
        left.remove(last)
    return True
