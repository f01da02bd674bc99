"""The growth that each certificate gives, against the size of the recurrent weights.

In: a `Setting`. Out: `Scan`: for factors g on everything that multiplies a state, the certified
rate of each method, and certified rates from below. Where a method's rate passes 1 is its critical
gain. Every rate is certified at its own factor; between two factors nothing is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from derive.cell import Cell
from derive.theorems.certified_rate import closed_condition
from numeric.bounds.all_inputs.certify import Certificate, certify
from numeric.bounds.all_inputs.clock_modules import modules_of
from numeric.bounds.all_inputs.closed_condition import Worked, admissible, work
from numeric.bounds.all_inputs.from_below import resting_rate
from numeric.bounds.all_inputs.ranges import Ranges, Setting
from numeric.bounds.drawn import multipliers, of_states

Array = Any
FACTORS: Final = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
CLOSED: Final = "closed form"
REST: Final = "at rest"


@dataclass(frozen=True)
class Scan:
    """Rates at each factor; ∞ where an upper bound, 0 where a lower one has nothing to say.

    A method is followed up to the first factor at which its rate is not below 1. `worked` holds N
    in numbers at each factor up to which upper bounds were sought.
    """

    factors: tuple[float, ...]
    upper: Mapping[str, tuple[float, ...]]
    lower: Mapping[str, tuple[float, ...]]
    worked: tuple[Worked, ...]

    def certified(self, name: str) -> float | None:
        """The largest factor up to which the method proves decay at every one tried."""
        found = None
        for factor, rate in zip(self.factors, self.upper[name], strict=False):
            if not rate < 1:
                break
            found = factor
        return found

    def undecided(self, name: str) -> float | None:
        """The smallest factor tried at which the method does not prove decay."""
        return next((factor for factor, rate in zip(self.factors, self.upper[name], strict=False)
                     if not rate < 1), None)  # fmt: skip

    def followed(self, name: str) -> tuple[float, ...]:
        """The method's rates up to the first that is not below 1."""
        rates = self.upper.get(name, ())
        count = next((place for place, rate in enumerate(rates, 1) if not rate < 1), len(rates))
        return rates[:count]

    def decays(self, factor: float) -> bool:
        """Whether some method proves decay at a factor that was tried."""
        place = self.factors.index(factor)
        return any(rate < 1 for rates in self.upper.values() for rate in rates[place : place + 1])

    @property
    def explodes(self) -> float | None:
        """The smallest factor from which on rest is certified to explode at every one tried."""
        found = None
        rates = self.lower.get(REST, ())
        for factor, rate in zip(self.factors[::-1], rates[::-1], strict=False):
            if not rate > 1:
                break
            found = factor
        return found

    def crossing(self, name: str) -> float | None:
        """About the factor at which the method's rate passes 1, from a line in log and log."""
        return crossing(self.factors, self.upper.get(name) or self.lower[name])


def crossing(factors: tuple[float, ...], rates: tuple[float, ...]) -> float | None:
    """Where the piecewise power law through the points first passes 1 from below."""
    points = list(zip(factors, rates, strict=False))
    for (a, low), (b, high) in pairwise(points):
        if 0 < low < 1 <= high < math.inf:
            share = math.log(1 / low) / math.log(high / low)
            return math.exp(math.log(a) + share * math.log(b / a))
    return None


def recurrent(cell: Cell) -> tuple[str, ...]:
    """The parameters that multiply a state on its way to the next: matrices, vectors scaling it."""
    own = {state.shape[0] for state in cell.states}
    scaling, steering = multipliers(cell), of_states(cell)
    return tuple(
        symbol.name for symbol in cell.parameters if symbol in steering
        if scaling.get(symbol, False)
        or (symbol not in scaling and symbol.shape[1] != 1 and symbol.shape[1] in own)
    )  # fmt: skip


def scaled(cell: Cell, parameters: Mapping[str, Array], factor: float) -> dict[str, Array]:
    """The parameters, what multiplies a state times the factor."""
    names = recurrent(cell)
    return {name: value * factor if name in names else value for name, value in parameters.items()}


def scan(
    setting: Setting, own: Certificate | None = None, factors: tuple[float, ...] = FACTORS
) -> Scan | None:
    """Rates at growing factors, upper ones while they are below 1; None if nothing is scaled.

    No method is asked again that proved no decay at a smaller factor: what it proves further on is
    no series from the first factor. `own` is the certificate of the setting as it is, where it has
    been made without a partition: at factor 1 it tells of all its methods.
    """
    derivation, cell = setting.derivation, setting.derivation.cell
    if not recurrent(cell):
        return None
    closed = closed_condition(derivation)
    upper: dict[str, list[float]] = {}
    lower: dict[str, list[float]] = {REST: []}
    worked: list[Worked] = []
    modules = modules_of(setting)
    partition = dict([modules]) if modules else None
    near, before, only = True, None, None
    for place, factor in enumerate(factors):
        made = replace(setting, parameters=scaled(cell, setting.parameters, factor))
        if not near:
            lower[REST].append(resting_rate(Ranges(made)) or 0.0)
            continue
        known = own if factor == 1 and not cell.sequences else None
        found = before = known or certify(made, 1, partition, near=before, sharp=False, only=only)
        worked.append(work(closed, made, admissible(made, found)))
        rates = {CLOSED: worked[-1].rate, **{m.name: m.rate for m in found.methods}}
        for name in {**upper, **rates}:
            upper.setdefault(name, [math.inf] * place).append(rates.get(name, math.inf))
        lower[REST].append(found.rest_rate or 0.0)
        only = frozenset(name for name, rates in upper.items() if rates[-1] < 1)
        near = bool(only)
    return Scan(
        factors, {name: tuple(rates) for name, rates in upper.items()},
        {name: tuple(rates) for name, rates in lower.items() if any(rates)}, tuple(worked),
    )  # fmt: skip
