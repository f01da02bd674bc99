"""Measured Jacobian products along a trajectory, beside the bounds that hold on it.

In: a `Derivation`, parameters and one sequence. Out: log10 of ‖∂s_t/∂s_k‖₂ for t the last step
and every lag t − k, and of the upper bounds. Products are kept as a unit matrix and a logarithm,
so that they neither underflow nor overflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import Expr, Mul

from derive.calculus.through_time import Derivation
from derive.language.norms import Largest
from derive.theorems.claims import Theorem
from derive.theorems.theorems import theorem
from numeric.bounds.domination import Parts
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Jacobians, run
from numeric.bounds.one_sequence.tracks import dominating
from numeric.meaning.interpret import evaluate
from numeric.meaning.sizes import as_columns, usual_sizes

Array = Any
GAINS: Final = (0.2, 1.0, 2.5)


@dataclass(frozen=True)
class Curve:
    """One trajectory: log10 norms at the lags 1, 2, …, and the bound's constants."""

    gain: float
    log10_measured: tuple[float, ...]
    log10_upper: tuple[float, ...]
    constants: tuple[tuple[Expr, float], ...] = ()

    @property
    def lags(self) -> range:
        """1, 2, …: how many steps lie between k and t."""
        return range(1, len(self.log10_measured) + 1)


@dataclass(frozen=True)
class Measurement:
    """Curves for several gains, and what was drawn to get them."""

    curves: tuple[Curve, ...]
    sizes: tuple[tuple[str, int], ...]
    steps: int
    seed: int
    input_scale: float


def log10_products(factors: Iterable[Array]) -> list[float]:
    """log10 ‖A_T A_{T−1} … A_{T−m+1}‖₂ for m = 1, …, T, of A_T, A_{T−1}, …; −inf for a zero."""
    product, scale = np.eye(1), 0.0
    found: list[float] = []
    for factor in factors:
        product = factor if not found else product @ factor
        norm = float(np.linalg.norm(product, 2))
        if norm > 0.0:
            product, scale = product / norm, scale + math.log10(norm)
        found.append(scale if norm > 0.0 else -math.inf)
    return found


def measure(
    derivation: Derivation,
    gains: Sequence[float] = GAINS,
    *,
    state_size: int = 32,
    input_size: int = 8,
    steps: int = 60,
    seed: int = 0,
    input_scale: float = 0.3,
) -> Measurement:
    """‖∂s_t/∂s_k‖₂ and its upper bound for random weights of several gains.

    One curve alone where the gain plays no part: no weight of the cell multiplies a state.
    """
    cell = derivation.cell
    sizes = usual_sizes(cell, state_size, input_size)
    claim = theorem(derivation)
    curves = []
    for gain in gains:
        drawn = draw(cell, sizes, gain, steps, seed, input_scale)
        jacobians = Jacobians(run(derivation, **drawn))
        measured = log10_products(near.matrix for near in jacobians.backwards())
        still = {**drawn["constants"], **drawn["parameters"]}
        constants = tuple(_constants(claim, still, sizes))
        if constants:
            rate = math.log10(math.prod(value for _, value in constants))
            upper = [rate * lag for lag in range(1, steps + 1)]
        else:
            upper = log10_products(dominating(jacobians, steps, Parts(jacobians.sizes)))
        curves.append(Curve(gain, tuple(measured), tuple(upper), constants))
    if len({(curve.log10_measured, curve.log10_upper) for curve in curves}) == 1:
        curves = curves[:1]
    return Measurement(tuple(curves), tuple(sizes.items()), steps, seed, input_scale)


def _constants(
    claim: Theorem, still: Mapping[str, Array], sizes: Mapping[str, int]
) -> Iterator[tuple[Expr, float]]:
    """The factors of the rate r in a bound r^{t−k}, with their values."""
    columns = {name: as_columns(value) for name, value in still.items()}
    rate = claim.rate
    for factor in rate.args if isinstance(rate, Mul) else ():
        if isinstance(factor, Largest):
            yield factor, float(claim.supremum or 0)
        else:
            yield factor, float(np.linalg.norm(evaluate(factor.args[0], columns, sizes), 2))
