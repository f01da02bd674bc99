"""A problem to be verified: what the checks ask, whether a cell or a network answers.

In: nothing. Out: `Problem`, the protocol, with two values: `CellProblem` in `of_cell` and
`NetworkProblem` in `of_network`. Oracles, exact check, promises, session and diagnosis are
written once, over this protocol; nothing here knows of code of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from derive.cell import Cell
from numeric.numbers.arithmetic import Arithmetic
from numeric.verification.cases import Case
from numeric.verification.scope import Scope
from numeric.verification.watch import Guard

Array = Any
Outputs = Mapping[str, Sequence[Array] | Array]  # each state, or the loss: its values, over time
Result = tuple[dict[str, Any], dict[str, dict[str, Any]]]
Wanted = tuple[str, ...] | int  # the size names of an array, or only their number


@dataclass(frozen=True)
class Limits:
    """How large a drawn call may be; without `longest`, as long as its regime allows."""

    largest: int
    longest: int | None = None
    widest: int = 3


@dataclass(frozen=True)
class Extents:
    """The sizes of an exact check's example; whether it `counts` for the error probability."""

    sizes: Mapping[str, int]
    steps: int
    batch: int
    counts: bool


class Problem(Protocol):
    """What a module should compute, and how it is called.

    `functions` are those of the module; `checks` and `promises` the names of those that apply.
    """

    @property
    def cell(self) -> Cell:
        """The cell, or that of every layer."""

    @property
    def scope(self) -> Scope:
        """How much of the code is asked for."""

    def within(self, scope: Scope) -> Problem:
        """The same problem, in that scope."""

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that a module has."""

    @property
    def checks(self) -> frozenset[str]:
        """The checks that apply, by their names in the verdict."""

    @property
    def promises(self) -> frozenset[str]:
        """The promises of the interface."""

    @property
    def every_step(self) -> bool:
        """Whether every step adds to the loss, or the last alone."""

    # ---- names, shapes, calls ---------------------------------------------------------------

    def declared(self) -> Mapping[str, Mapping[str, Wanted]]:
        """The module constants: group → name → size names, or their number."""

    def gradients(self) -> list[tuple[str, str]]:
        """Group and name of every gradient."""

    def asked(self, case: Case) -> Case:
        """The case as the code can be asked: what it does not take is zero."""

    def judged(self, group: str, name: str) -> bool:
        """Whether the code returns that gradient, or of the group "states" that output."""

    def moves(self, group: str, name: str) -> bool:
        """Whether the code's outputs show what the array does, and its gradient is there."""

    def output_word(self, name: str) -> str:
        """What an output is called in words."""

    def ordinary_sizes(self, largest: int | None = None) -> dict[str, int]:
        """Sizes that tell a matrix from its transpose: neighbours differ."""

    def least(self, size: str) -> int:
        """The smallest number that the size may be."""

    def case(
        self, sizes: Mapping[str, int], *, steps: int, batch: int, seed: int = 0,
        regime: str = "ordinary", dtype: str = "float64",
    ) -> Case:  # fmt: skip
        """The call of these sizes, its values from the seed."""

    def ordinary_cases(
        self, regimes: Iterable[str], *, seed: int = 0, small: bool = False
    ) -> Iterator[Case]:
        """Calls that no mistake of the usual kind survives."""

    def unusual_cases(self, *, seed: int = 0) -> Iterator[Case]:
        """Wide, long and zero calls."""

    def limits(self, *, small: bool = False) -> Limits:
        """How large a drawn call may be; a small one is for fifty digits."""

    def exact_extents(self, example: int) -> Extents:
        """The sizes of that example of the exact check."""

    def empty_extents(self) -> tuple[tuple[int, int], ...]:
        """T and B of calls without steps or without samples that a module takes."""

    def without_steps(self, case: Case) -> Mapping[str, Array]:
        """What is not zero of a call without steps: final states, and what comes back by them.

        By the output's word, or by group and name.
        """

    def call(self, guard: Guard, case: Case) -> Result:
        """What the module makes of the case: outputs, and gradients by group and name.

        Raises:
            Misbehaviour: if the module misbehaves.
        """

    @property
    def explained(self) -> Problem:
        """The problem as a diagnosis asks it: of the loss that the equations have, no other."""

    @property
    def without_later(self) -> bool:
        """Whether its calls leave out what comes later, of which code could be told."""

    @property
    def unasked(self) -> Mapping[str, str]:
        """What is wanted of the code that it cannot be asked for, and why."""

    def undefined(self, case: Case) -> str:
        """The first place where the equations have no value, in words; empty if there is none."""

    # ---- what is right, over any arithmetic --------------------------------------------------

    def outputs(self, case: Case, arithmetic: Arithmetic) -> Outputs:
        """The outputs by the equations that define them."""

    def output_shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """The shape of each output in the module interface."""

    def loss(self, case: Case, outputs: Outputs) -> Array:
        """The number that is differentiated, of outputs in any arithmetic."""

    def ends(self, case: Case, outputs: Outputs) -> Iterable[tuple[Array, Array]]:
        """Where reverse accumulation begins: numbers, and the loss's derivative by each."""


def smaller_cases(problem: Problem, case: Case) -> Iterator[Case]:
    """The same seed and regime with one size smaller: first by half, then by one."""
    extents_now = {"T": case.steps, "B": case.batch, **case.sizes}
    for by_half in (True, False):
        for name, size in extents_now.items():
            less = size // 2 if by_half else size - 1
            if less >= (1 if name in "TB" else problem.least(name)):
                extents = {**extents_now, name: less}
                steps, batch = extents.pop("T"), extents.pop("B")
                yield problem.case(
                    extents, steps=steps, batch=batch, seed=case.seed, regime=case.regime,
                    dtype=case.dtype,
                )  # fmt: skip
