"""Modules with clocks of their own: the growth of each, and of the whole over a hyper-period.

In: a `Setting` whose constants repeat in time, and an invariant box. Out: `ModuleRates`. Units
that are told the same at every step form a module. With N(t) by modules and a period p, the
diagonal of N(p) ⋯ N(1) holds for each module what its own block does in that time; where the
product is triangular these are its eigenvalues, and the largest p-th root is the rate of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from numeric.bounds.all_inputs.certify import suprema
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting
from numeric.bounds.domination import Domination, Parts
from numeric.bounds.growth import log_product, perron_bound
from numeric.numbers.matrices import Near

Array = Any
_LONGEST: Final = 64


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
    """The rates; None without modules, a period seen twice, or an invariant box."""
    found, period = modules_of(setting), period_of(setting)
    if found is None or box is None or not period:
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
    whole = Near(matrices[0])
    for N in matrices[1:]:
        whole = log_product(Near(N), whole.matrix)
    still = np.eye(len(lengths))
    acting = tuple(
        sum(not np.allclose(N[k], still[k], rtol=0, atol=1e-9) for N in matrices)
        for k in range(len(lengths))
    )
    roots = tuple(float(v) ** (1 / period) * (1 + 1e-14) for v in np.diag(whole.matrix))
    rate = perron_bound(whole.matrix)[0] ** (1 / period) * (1 + 1e-14)
    return ModuleRates(size, lengths, period, acting, roots, rate, _triangular(whole.matrix))


def period_of(setting: Setting) -> int:
    """After how many steps the constants repeat, seen at least twice; 0 if they do not."""
    told: Sequence[Array] = [np.asarray(setting.constants[name])
                             for name in sorted(setting.derivation.cell.sequences)]  # fmt: skip
    if not told:
        return 0
    for period in range(1, min(_LONGEST, len(told[0]) // 2) + 1):
        if all(np.array_equal(held[period:], held[:-period]) for held in told):
            return period
    return 0


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
