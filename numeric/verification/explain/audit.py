"""An audit: the functions under it called at a few seeds, beside the adjoint equations in numbers.

In: a cell and the functions. Out: `Audit`, which tells whether a gradient is that of a backward
pass with a given mistake, on every seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from derive.calculus.through_time import Derivation, differentiate
from derive.cell import Cell
from numeric.verification.cases import Case
from numeric.verification.explain.changed_equations import Change, Gradients, Tape
from numeric.verification.explain.mistakes import Mistake, mistakes
from numeric.verification.explain.wording import Wording
from numeric.verification.problems.of_cell import make_case, ordinary_sizes
from numeric.verification.problems.problem import Result

STEPS: Final = 4
SEEDS: Final = 3
EQUAL: Final = 1e-8  # of the array's largest entry: agreement of two float64 computations
WRONG: Final = 1e-7  # further off than this is no rounding
NOISE: Final = 1e-14  # of the largest gradient: what rounding leaves of an exact zero

Call = Callable[[Case], Result]


@dataclass
class Audit:
    """One cell's tapes, and what the audited code made of the same cases."""

    cell: Cell
    call: Call
    seed: int
    tapes: list[Tape] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong_states: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Call the code at the seeds.

        Raises:
            Misbehaviour: if it misbehaves.
        """
        self.derivation = differentiated(self.cell)
        for number in range(SEEDS):
            case = self.case(STEPS, self.seed + number)
            tape = Tape(self.derivation, case)
            states, gradients = self.call(case)
            for name, want in tape.states.items():
                for t in range(case.steps):
                    if relative_error(states[name][t], want[t]) > WRONG:
                        self.wrong_states.setdefault(name, t + 1)
            self.tapes.append(tape)
            self.got.append(labelled(gradients))

    def case(self, steps: int, seed: int) -> Case:
        """A call of that many steps, of two samples or three."""
        sizes = ordinary_sizes(self.cell)
        return make_case(self.cell, sizes, steps=steps, batch=3 - seed % 2, seed=seed)

    @cached_property
    def wording(self) -> Wording:
        """The words for the cell's equations."""
        return _prepared(self.cell)[0]

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Every mistake that is tried, the likely ones first."""
        return _prepared(self.cell)[1]

    @property
    def labels(self) -> list[str]:
        """The gradients by label."""
        return [*self.got[0]]

    def right(self) -> list[Gradients]:
        """The right gradients at each seed."""
        return [tape.gradients(Change()) for tape in self.tapes]

    def of(self, mistake: Mistake, number: int) -> Gradients:
        """The gradients that code with the mistake computes at that seed."""
        tape = self.tapes[number]
        if mistake.derivation is not None:
            tape.learn(mistake.derivation.forward)
        return tape.gradients(mistake.change, mistake.derivation)

    def explains(self, mistake: Mistake, label: str) -> bool:
        """Whether the code's gradient is that of the mistake, on every seed."""
        return all(
            equal(self.got[number][label], self.of(mistake, number)[label])
            for number in range(SEEDS)
        )


@lru_cache(maxsize=64)
def differentiated(cell: Cell) -> Derivation:
    """The derivation of the cell, made once."""
    return differentiate(cell)


@lru_cache(maxsize=16)
def _prepared(cell: Cell) -> tuple[Wording, list[Mistake]]:
    derivation = differentiated(cell)
    wording = Wording(derivation)
    return wording, mistakes(derivation, wording)


def labelled(gradients: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Gradients by label: "params.W", "inputs.x", "initial.h"."""
    return {
        f"{g}.{name}": array for g, arrays in gradients.items() for name, array in arrays.items()
    }


def relative_error(got: Any, want: Any, noise: float = 0.0) -> float:
    """The largest difference over the largest entry; infinite for what is not finite.

    A difference up to `noise` is none: what an array is that cancels to nothing.
    """
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    if got.shape != want.shape or not np.all(np.isfinite(got)):
        return np.inf
    off, largest = np.max(np.abs(got - want), initial=0), np.max(np.abs(want), initial=0)
    if off <= noise:
        return 0.0
    return float(off / largest) if largest else np.inf


def equal(got: Any, want: Any) -> bool:
    """Whether two arrays are one, but for rounding."""
    return relative_error(got, want) <= EQUAL


def gradient_errors(got: Mapping[str, Any], want: Gradients) -> dict[str, float]:
    """The error of each gradient; what all of them cancel to is noise."""
    overall = max(float(np.max(np.abs(want[label]), initial=0)) for label in got)
    return {
        label: relative_error(array, want[label], NOISE * overall) for label, array in got.items()
    }
