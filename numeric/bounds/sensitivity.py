"""Do gradients of parameters behave as those of states do? ‖∂s_T/∂θ‖₂ by parameter, and a verdict.

In: a `Diagnosis`. Out: `Sensitivity` by parameter: along its sequence where there is one, and for
all inputs; what clipping takes. States may forget at a certified rate while a parameter's shares,
one from each step, add up to many times what any step gives its own state: the states are stable,
the parameter is ill-conditioned.

For h = λ h_prev + x with white inputs E (∂h/∂λ)² = (1 + λ²) / (1 − λ²)³. With inputs times
γ = √(1 − λ²) it is 1 / (1 − λ²)², and by w with λ = exp(−e^w), as in an LRU,
(λ log λ)² / (1 − λ²)², below ¼ for every λ: it takes both to cure the blow-up.

Source: Zucchet and Orvieto 2024, arXiv:2405.21064, for the phenomenon and the first formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from numeric.bounds.all_inputs.parameter_bounds import parameter_bounds
from numeric.bounds.diagnosis import VANISHES, Diagnosis
from numeric.bounds.one_sequence.parameter_sums import ParameterNorm, parameter_norms

ILL: Final = 10.0
"""From how many times a step's own share on a parameter is called ill-conditioned."""
_LONGEST: Final = 307.0  # log10 of a norm whose power of ten is a float
_ROUNDED: Final = 1e-12  # above the error of a power of ten and of a few sums, as a share


@dataclass(frozen=True)
class Sensitivity:
    """log10 of ‖∂s_T/∂θ‖₂ along the sequence, and at most for all inputs and every T.

    `cut` is what a gradient leaves out of it that goes back over so many steps alone.
    """

    along: ParameterNorm | None
    all_inputs: float | None
    cut: ParameterNorm | None = None

    @property
    def zero(self) -> bool:
        """Whether the derivative by the parameter is 0 along the sequence."""
        return self.along is not None and self.along.upper == -math.inf

    @property
    def amplification(self) -> float | None:
        """At least how many times the largest ‖∂F_k/∂θ‖ within one step the norm is."""
        return None if self.along is None else self.along.amplification

    def to_dict(self) -> dict[str, Any]:
        """What the JSON of `bptt bounds` holds of it."""
        along = self.along
        return {
            "measured": along and along.measured, "certified": along and along.upper,
            "certified_below": along and along.lower, "all_inputs": self.all_inputs,
            "amplification": self.amplification,
        }  # fmt: skip


def sensitivity(one: Diagnosis, truncate: int | None = None) -> dict[str, Sensitivity]:
    """Every parameter's, in the order of the cell; and what is lost beyond so many steps."""
    along: Mapping[str, ParameterNorm | None] = {}
    if one.track is not None and one.track.parameters is not None:
        along = one.track.parameters
    elif one.run is not None:
        along = parameter_norms(one.run)
    cut = parameter_norms(one.run, truncate) if one.run is not None and truncate else {}
    above: dict[str, float | None] = {}
    if one.setting is not None and one.certificate is not None:
        above = parameter_bounds(one.setting, one.certificate)
    return {symbol.name: Sensitivity(along.get(symbol.name), above.get(symbol.name),
                                     cut.get(symbol.name))
            for symbol in one.cell.parameters}  # fmt: skip


@dataclass(frozen=True)
class Clipping:
    """What a limit of the norm of all gradients of parameters together takes from them.

    `lower` and `upper` enclose log10 of the largest such norm that a loss with ‖∂L/∂s_T‖₂ = 1 has.
    Clipping turns a gradient g into g · min(1, C/‖g‖) and so takes max(0, ‖g‖ − C) of it.
    """

    threshold: float
    lower: float
    upper: float

    @property
    def most(self) -> float:
        """What it takes from no such loss's gradient more of, in ‖·‖₂."""
        size: float = 10.0**self.upper if self.upper < _LONGEST else math.inf
        return max(0.0, size * (1 + _ROUNDED) - self.threshold) * (1 + _ROUNDED)

    @property
    def least(self) -> float:
        """What it takes at least from the gradient of one such loss, in ‖·‖₂."""
        size: float = 10.0 ** min(self.lower, _LONGEST)
        return max(0.0, size * (1 - _ROUNDED) - self.threshold) * (1 - _ROUNDED)

    def to_dict(self) -> dict[str, Any]:
        """What the JSON of `bptt bounds` holds of it."""
        held = {"threshold": self.threshold, "log10_lower": self.lower, "log10_upper": self.upper,
                "taken_at_least": self.least, "taken_at_most": self.most}  # fmt: skip
        return {key: value if math.isfinite(value) else None for key, value in held.items()}


def clipping(found: Mapping[str, Sensitivity], threshold: float) -> Clipping | None:
    """Of the sequence's last state; None where the norm by some parameter is not known.

    All gradients together are as long as the longest at least, and √Σ of their squares at most.
    """
    along = [held.along for held in found.values() if held.along is not None]
    top = max((one.upper for one in along), default=math.inf)
    if len(along) < len(found) or top == math.inf:
        return None
    upper = top
    if math.isfinite(top):
        squares = sum(10.0 ** (2 * (one.upper - top)) for one in along)
        upper += math.log10(squares) / 2 + _ROUNDED * (1 + abs(top))
    return Clipping(threshold, max(one.lower for one in along), upper)


def ill_conditioned(one: Diagnosis, found: Mapping[str, Sensitivity]) -> str | None:
    """The parameter of the largest amplification, where states vanish and it does not."""
    if one.verdict != VANISHES or not found:
        return None
    name = max(found, key=lambda symbol: found[symbol].amplification or 0.0)
    return name if (found[name].amplification or 0.0) >= ILL else None
