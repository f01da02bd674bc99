"""An audit: the functions under it called at a few seeds, beside the adjoint equations in numbers.

In: a cell and the functions. Out: `Audit`, which tells whether a gradient is that of a backward
pass with a given mistake, on every seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from derive.calculus.adjoint import BAR
from derive.calculus.through_time import Derivation, differentiate
from derive.cell import PREVIOUS, Cell
from derive.language.expr import symbols_of
from numeric.verification.cases import Case
from numeric.verification.explain.change import Change
from numeric.verification.explain.changed_equations import Gradients, Tape
from numeric.verification.explain.mistake import Mistake
from numeric.verification.explain.mistakes import mistakes
from numeric.verification.explain.wording import Wording
from numeric.verification.problems.of_cell import make_case, ordinary_sizes
from numeric.verification.problems.problem import Result
from numeric.verification.scope import WHOLE, Scope

STEPS: Final = 4
SEEDS: Final = 3
EQUAL: Final = 1e-8  # of the array's largest entry: agreement of two float64 computations
WRONG: Final = 1e-7  # further off than this is no rounding
NOISE: Final = 1e-14  # of the largest gradient: what rounding leaves of an exact zero

Call = Callable[[Case], Result]


@dataclass
class Audit:
    """One cell's tapes, and what the audited code made of the same cases.

    `from_zero`: the equations start from zero whatever initial state is given; `scope` is what
    the code can be asked. `wrong_states` tells from which step on a state is another; `errors`
    and `state_errors` the largest error met, over the array's largest entry.
    """

    cell: Cell
    call: Call
    seed: int
    from_zero: bool = False
    scope: Scope = WHOLE
    tapes: list[Tape] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong_states: dict[str, int] = field(default_factory=dict)
    state_errors: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Call the code at the seeds.

        Raises:
            Misbehaviour: if it misbehaves.
        """
        self.derivation = differentiated(self.cell)
        for number in range(SEEDS):
            case = self.case(STEPS - number % 2, self.seed + number)
            tape = self.tape(case)
            states, gradients = self.call(case)
            for name, want in tape.states.items():
                off = relative_error(states[name], want)
                self.state_errors[name] = max(off, self.state_errors.get(name, 0.0))
                for t in range(case.steps):
                    if relative_error(states[name][t], want[t]) > WRONG:
                        self.wrong_states.setdefault(name, t + 1)
            self.tapes.append(tape)
            self.states.append({**states})
            self.got.append(labelled(gradients))
            for label, off in gradient_errors(self.got[-1], tape.gradients(Change())).items():
                self.errors[label] = max(off, self.errors.get(label, 0.0))

    def case(self, steps: int, seed: int) -> Case:
        """A call of that many steps, of two samples or three."""
        asked = make_case(
            self.cell, ordinary_sizes(self.cell), steps=steps, batch=3 - seed % 2, seed=seed
        )
        return self.scope.asked(asked)

    def tape(self, case: Case) -> Tape:
        """The equations run on the case."""
        if self.from_zero:
            zeros = {name: np.zeros_like(value) for name, value in case.initial.items()}
            case = replace(case, initial=zeros)
        return Tape(self.derivation, case)

    @property
    def wrong(self) -> set[str]:
        """The gradients that are off further than rounding takes them."""
        return {label for label, off in self.errors.items() if off > WRONG}

    @cached_property
    def wording(self) -> Wording:
        """The words for the cell's equations."""
        return _prepared(self.cell)[0]

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Every mistake that is tried, the likely ones first."""
        return _prepared(self.cell)[1]

    @cached_property
    def upstream(self) -> dict[str, set[str]]:
        """For each cotangent of a step the cotangents that it is computed from, at that step."""
        found: dict[str, set[str]] = {}
        derivation = self.derivation
        for equation in (
            *derivation.adjoint, *derivation.carries, *derivation.inputs, *derivation.parameters
        ):  # fmt: skip
            above: set[str] = set()
            for symbol in symbols_of(equation.value):
                if symbol.name in found:
                    above |= {symbol.name} | found[symbol.name]
            found[equation.target.name] = above
        return found

    @property
    def labels(self) -> list[str]:
        """The gradients by label."""
        return [*self.got[0]]

    def right(self) -> list[Gradients]:
        """The right gradients at each seed."""
        return [tape.gradients(Change()) for tape in self.tapes]


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


def own_target(label: str) -> str:
    """The target of the adjoint equation that gives the gradient."""
    group, name = label.split(".", 1)
    return f"{name}{PREVIOUS}{BAR}" if group == "initial" else f"{name}{BAR}"


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
