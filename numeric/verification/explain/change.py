"""Changes of the adjoint equations: terms exchanged, sums taken otherwise, steps left out.

In and out: `Change`, and the `Mistake` that is one, plain data; `changed_equations.py` computes
what a change makes of the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from sympy import MatrixExpr

from derive.calculus.through_time import Derivation
from derive.saying import said
from numeric.verification.cases import Case

Array = Any
Place = tuple[str, int]  # the target of an equation, and which of its terms
EARLIER, LATER = "_one_step_earlier", "_one_step_later"  # round the end, as an index −1 goes
OF_FIRST, OF_LAST = "_of_the_first_step", "_of_the_last_step"
OF_ONE: Final = "_of_the_first_sample"
HELD_EARLIER, HELD_LATER = "_one_step_earlier_held", "_one_step_later_held"  # at the end, as by min
OVER_TIME, OVER_SAMPLES = "_summed_over_time", "_summed_over_samples"
MEAN_OF_SAMPLES, MEANS = "_averaged_over_samples", "_averaged_over_samples_twice"
OVER_ALL, OVER_UNITS = "_summed_over_both", "_summed_over_units"
OVER_ROWS: Final = "_summed_over_units_and_samples"
STARTED: Final = "_before_from_zero"  # the state one step earlier, zero in the first
# What may be read for a value: the name's ending → of the values of all steps, (T, B, …).
READ: Final[Mapping[str, Callable[[Array], Array]]] = {
    EARLIER: lambda values: np.roll(values, 1, axis=0),
    LATER: lambda values: np.roll(values, -1, axis=0),
    OF_FIRST: lambda values: np.broadcast_to(values[:1], values.shape),
    OF_LAST: lambda values: np.broadcast_to(values[-1:], values.shape),
    OF_ONE: lambda values: np.broadcast_to(values[:, :1], values.shape),
    HELD_EARLIER: lambda values: np.concatenate((values[:1], values[:-1])),
    HELD_LATER: lambda values: np.concatenate((values[1:], values[-1:])),
    OVER_TIME: lambda values: np.broadcast_to(values.sum(0), values.shape),
    OVER_SAMPLES: lambda values: np.broadcast_to(values.sum(1, keepdims=True), values.shape),
    MEAN_OF_SAMPLES: lambda values: np.broadcast_to(values.mean(1, keepdims=True), values.shape),
    MEANS: lambda values: (
        np.broadcast_to(values.mean(1, keepdims=True), values.shape) / values.shape[1]
    ),
    OVER_ALL: lambda values: np.broadcast_to(values.sum((0, 1)), values.shape),
    OVER_UNITS: lambda values: np.broadcast_to(values.sum(2, keepdims=True), values.shape),
    OVER_ROWS: lambda values: np.broadcast_to(values.sum((1, 2), keepdims=True), values.shape),
}
STALE: Final = {
    OF_FIRST: "the {0} of the first step used at every step",
    OF_LAST: "the {0} of the last step used at every step",
    OF_ONE: "the {0} of the first sample used for every sample",
    HELD_EARLIER: "the {0} of the step before used, in the first step its own, as by an index held "
    "at the start",
    HELD_LATER: "the {0} of the step after used, in the last step its own, as by an index held at "
    "the end",
}
# What stands for the state one step earlier, whose first is the initial one.
BEFORE_FIRST: Final = {
    EARLIER: "{0}_T read for {0}_0 in the first step, as the index −1 does, where {1} belongs",
    HELD_EARLIER: "{0}_1 read for {0}_0 in the first step, as an index held at the start does, "
    "where {1} belongs",
    STARTED: "{0}_0 taken as zero where {1} belongs",
}
# In what is summed over time and samples: one factor summed by itself.
SUMMED: Final = {
    OVER_TIME: "{0} summed over time by itself, a product of sums for the sum of products",
    OVER_SAMPLES: "{0} summed over the batch by itself, a product of sums for the sum of products",
    MEAN_OF_SAMPLES: "{0} averaged over the batch by itself",
    MEANS: "{0}, and what it is multiplied by, averaged over the batch each by itself",
    OVER_ALL: "{0} summed over time and batch by itself, a product of sums for the sum of products",
    OVER_UNITS: "{0} summed over units by itself, a product of sums for the sum of products",
    OVER_ROWS: "{0} summed over units and batch by itself, a product of sums for the sum of "
    "products",
}
# What may stand for ∂L/∂s_t: the name's ending → the cotangents of all steps, and the step t.
LOSSES: Final[Mapping[str, Callable[[Array, int], Array]]] = {
    "": lambda cotangents, t: cotangents[t],
    "_of_the_last_step": lambda cotangents, t: cotangents[-1],
    "_of_the_first_step": lambda cotangents, t: cotangents[0],
    "_of_the_step_before": lambda cotangents, t: cotangents[t - 1],
    "_of_the_step_after": lambda cotangents, t: cotangents[(t + 1) % len(cotangents)],
    "_of_the_step_before_if_any": lambda cotangents, t: cotangents[t - 1] * (t > 0),
    "_of_the_step_after_if_any": lambda cotangents, t: (
        cotangents[(t + 1) % len(cotangents)] * (t + 1 < len(cotangents))
    ),
    "_of_the_step_before_held": lambda cotangents, t: cotangents[max(t - 1, 0)],
    "_of_the_step_after_held": lambda cotangents, t: cotangents[min(t + 1, len(cotangents) - 1)],
    "_in_reverse": lambda cotangents, t: cotangents[-1 - t],
    "_at_the_last_step_alone": lambda cotangents, t: cotangents[t] * (t == len(cotangents) - 1),
    "_of_all_steps": lambda cotangents, t: cotangents.sum(axis=0),
}

# How the shares of each step and sample, (T, B, …), become the gradient of a parameter.
REDUCTIONS: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "summed": lambda shares, weights: shares.sum(axis=(0, 1)),
    "last step": lambda shares, weights: shares[-1].sum(axis=0),
    "first step": lambda shares, weights: shares[0].sum(axis=0),
    "all but the first step": lambda shares, weights: shares[1:].sum(axis=(0, 1)),
    "all but the last step": lambda shares, weights: shares[:-1].sum(axis=(0, 1)),
    "mean over time": lambda shares, weights: shares.mean(axis=0).sum(axis=0),
    "mean over the batch": lambda shares, weights: shares.mean(axis=1).sum(axis=0),
    "mean over both": lambda shares, weights: shares.mean(axis=(0, 1)),
    "first sample": lambda shares, weights: shares[:, 0].sum(axis=0),
    "last sample": lambda shares, weights: shares[:, -1].sum(axis=0),
    "from the weights": lambda shares, weights: weights + shares.sum(axis=(0, 1)),
    "from ones": lambda shares, weights: 1 + shares.sum(axis=(0, 1)),
}  # fmt: skip

# How a cotangent of one step, (B, n, 1), may be cut at a limit: in words, and in numbers.
LIMITS: Final[Mapping[str, tuple[str, Callable[[Array, float], Array]]]] = {
    "entry": ("each entry of {0}", lambda bar, limit: np.clip(bar, -limit, limit)),
    "norm": ("the norm of {0}", lambda bar, limit: _shorter(bar, limit, None)),
    "sample": ("each sample's norm of {0}", lambda bar, limit: _shorter(bar, limit, (1, 2))),
}


@dataclass(frozen=True)
class Factor:
    """A number over extents of the call, or times them: T, B, and its sizes by name."""

    extents: tuple[str, ...] = ()
    number: Fraction | float = Fraction(1)
    over: bool = True

    def of(self, case: Case, **counted: Any) -> Any:
        """The number that it is in a call; T and B may be counted otherwise."""
        known = {**extents_of(case), **counted}
        product = math.prod(known[name] for name in self.extents)
        return float(self.number) / product if self.over else float(self.number) * product

    @property
    def words(self) -> str:
        """What is done to the array."""
        names, number = " ".join(self.extents), self.number
        if not names:
            shown = number if isinstance(number, Fraction) else f"{number:.6g}"
            return said("of the wrong sign") if number == -1 else said("multiplied by {0}", shown)
        if not self.over:
            return said("multiplied by {0}", f"{number} {names}".removeprefix("1 "))
        if 0 < number < 1:
            return said("divided by {0}", f"{1 / number} {names}")
        words = said("divided by {0}", names)
        return words if number == 1 else said("{0} and multiplied by {1}", words, f"{number}")


def extents_of(case: Case) -> dict[str, int]:
    """T, B and the sizes of a call."""
    return {"T": case.steps, "B": case.batch, **case.sizes}


OVER_T, OVER_B, OVER_BOTH = (Factor(names) for names in (("T",), ("B",), ("T", "B")))
TIMES: Final = tuple(Factor(names, over=False) for names in (("T",), ("B",)))
# What a whole gradient is multiplied by.
SCALES: Final[Mapping[str, Factor]] = {
    factor.words: factor
    for factor in (OVER_T, OVER_B, OVER_BOTH, *TIMES, Factor(number=Fraction(-1)))
}


def _shorter(bar: Array, limit: float, axes: tuple[int, ...] | None) -> Array:
    """The array where its norm is below the limit, else as much shorter."""
    norm = np.sqrt(np.sum(bar * bar, axis=axes, keepdims=True))
    return bar * np.where(norm > limit, limit / np.where(norm > 0, norm, 1), 1)


@dataclass(frozen=True)
class Change:
    """Terms exchanged (for nothing, where None), at every step or `at_first` only.

    `reductions`: parameter → how its shares are put together, by a name of `REDUCTIONS`;
    `scaled`: gradient → what it is multiplied by, of `SCALES`; `handed`: state → whose value is
    returned as the gradient of the initial state; `stops_early`, `starts_late`: the loop over
    time leaves the first step out, the last step out; `window`: how many steps each loss goes
    back; `piece`: (length, whether counted from the end) of the pieces the sequence is cut into;
    `limits`: cotangent → how and where it is cut at every step, by a name of `LIMITS`.
    """

    terms: Mapping[Place, MatrixExpr | None] = field(default_factory=dict)
    at_first: Mapping[Place, MatrixExpr | None] = field(default_factory=dict)
    reductions: Mapping[str, str] = field(default_factory=dict)
    scaled: Mapping[str, str] = field(default_factory=dict)
    handed: Mapping[str, str] = field(default_factory=dict)
    stops_early: bool = False
    starts_late: bool = False
    window: int = 0
    piece: tuple[int, bool] | None = None
    limits: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def __or__(self, other: Change) -> Change:
        """Both changes; where they meet, the second."""
        return Change(
            {**self.terms, **other.terms},
            {**self.at_first, **other.at_first},
            {**self.reductions, **other.reductions},
            {**self.scaled, **other.scaled},
            {**self.handed, **other.handed},
            self.stops_early or other.stops_early,
            self.starts_late or other.starts_late,
            other.window or self.window,
            other.piece or self.piece,
            {**self.limits, **other.limits},
        )

    def meets(self, other: Change) -> bool:
        """Whether both exchange one and the same thing."""
        pairs = (
            (self.terms, other.terms), (self.at_first, other.at_first),
            (self.reductions, other.reductions), (self.handed, other.handed),
            (self.scaled, other.scaled), (self.limits, other.limits),
        )  # fmt: skip
        if any({*one} & {*two} for one, two in pairs):
            return True
        return bool((self.window and other.window) or (self.piece and other.piece))

    def of_time(self) -> tuple[Any, ...]:
        """What it does to the loop over time itself."""
        return self.stops_early, self.starts_late, self.window, self.piece


@dataclass(frozen=True, eq=False)
class Mistake:
    """A change, the equations it is in, and what it is in words.

    `family` is the same for the same change elsewhere; `major` mistakes are tried in pairs.
    `derivation`: of another cell, where it is that cell's backward pass that is computed. Of a
    network: the `parts` that it is in, and what becomes of the `slope` of the loss. `factor`: what
    it multiplies gradients by, where it does nothing else; `arranged`: what is done to what both
    directions hand up or get, and where.
    """

    what: str
    change: Change
    targets: tuple[str, ...]
    family: str
    major: bool = True
    derivation: Derivation | None = None
    parts: tuple[str, ...] = ("",)
    slope: str | None = None
    factor: Factor | None = None
    arranged: Mapping[str, str] = field(default_factory=dict)

    def meets(self, other: Mistake) -> bool:
        """Whether both exchange one and the same thing."""
        if {*self.arranged} & {*other.arranged}:
            return True
        if self.slope is not None and other.slope is not None:
            return True
        return bool({*self.parts} & {*other.parts}) and self.change.meets(other.change)
