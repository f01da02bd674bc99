"""What the checks of one verification share, and what they found so far.

In: a cell and a guarded module. Out: `Session`, which calls the module, asks what rounding
explains, and keeps for each gradient its largest error and who found it wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from derive.cell import Cell
from numeric.numbers.rounding import BOUNDED, COARSE, Kinds
from numeric.verification.cases import Case, ordinary_cases, smaller_cases, unusual_cases
from numeric.verification.compare import Difference, capped, rounding_bounds
from numeric.verification.oracles import Answer, autograd_answer, precise_answer
from numeric.verification.promises import (
    Result,
    call,
    check_arguments,
    check_declared,
    check_promises,
)
from numeric.verification.strategies import case as cases
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PASS, Gradient
from numeric.verification.watch import Guard, Misbehaviour, Stopped


@dataclass
class Session:
    """What the checks of one verification share, and what they found so far."""

    cell: Cell
    guard: Guard
    plain: Guard | None
    seed: int
    errors: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    counterexample: dict[str, Any] | None = None
    stopped: Stopped | None = None

    # ---- what is verified: a cell's module; `network_session.py` puts a network in its place ----

    def autograd(self, case: Any) -> Answer:
        """States and gradients by autograd."""
        return autograd_answer(self.cell, case)

    def precise(self, case: Any) -> Answer:
        """States and gradients to fifty digits."""
        return precise_answer(self.cell, case)

    def cases(self, **limits: Any) -> Any:
        """A Hypothesis strategy of calls."""
        return cases(self.cell, **limits)

    def battery(self, regimes: Iterable[str], **limits: Any) -> Iterator[Case]:
        """Set cases of the regimes."""
        return ordinary_cases(self.cell, regimes, seed=self.seed, **limits)

    def unusual(self) -> Iterator[Case]:
        """Set cases of many units, samples or steps, and of zeros."""
        return unusual_cases(self.cell, seed=self.seed)

    def smaller(self, case: Any) -> Iterator[Case]:
        """The case with one size smaller, each in turn."""
        return smaller_cases(self.cell, case)

    def interface(self) -> None:
        """The promises of the module interface.

        Raises:
            Misbehaviour: if one is broken.
        """
        check_declared(self.cell, self.guard)
        check_promises(self.cell, self.guard)

    def arguments(self) -> int:
        """Wrong arguments are refused by name: how many were tried.

        Raises:
            Misbehaviour: if one is not.
        """
        return check_arguments(self.cell, self.guard)

    def labels(self) -> list[str]:
        """Every gradient as the verdict calls it."""
        cell = self.cell
        groups = {"params": cell.parameters, "inputs": cell.inputs, "initial": cell.states}
        return [f"{group}.{s.name}" for group, symbols in groups.items() for s in symbols]

    def result_by(self, guard: Any, case: Any) -> Result:
        """What that module makes of the case."""
        return call(guard, case)

    def bounds_by(self, guard: Any, case: Any, kinds: Kinds) -> tuple[Result, bool]:
        """What rounding explains in that module."""
        return rounding_bounds(guard, case, kinds)

    # ---- what the checks do with it -------------------------------------------------------------

    def result(self, case: Case) -> Result:
        """What the module makes of the case.

        Raises:
            Stopped: if the module is gone; it is remembered.
            Misbehaviour: if it misbehaves.
        """
        try:
            return self.result_by(self.guard, case)
        except Stopped as problem:
            self.stopped = self.stopped or problem
            raise

    def bounds(self, case: Case, credit: float) -> tuple[Result, bool] | None:
        """What rounding explains, and whether every comparison was clear of it.

        The module accounts for its own rounding. Somebody else's is believed up to `credit`
        times what plain code of the cell may lose, whatever the form of its functions; where it
        gives no account, plain code as it stands decides.
        """
        own = self._account(self.guard, case, BOUNDED)
        if self.plain is None:
            return own
        if own is None:
            return self._account(self.plain, case, BOUNDED)
        if (trusted := self.trusted(case)) is None:
            return None
        return capped(own[0], trusted[0], credit), trusted[1]

    def trusted(self, case: Case) -> tuple[Result, bool] | None:
        """What rounding explains in code of ours, whatever the form of its functions."""
        return self._account(self.guard if self.plain is None else self.plain, case, COARSE)

    def _account(self, guard: Any, case: Case, kinds: Kinds) -> tuple[Result, bool] | None:
        try:
            return self.bounds_by(guard, case, kinds)
        except Misbehaviour:
            return None

    def judge(self, found: list[Difference], tolerance: float, check: str) -> list[Difference]:
        """The differences that are wrong; every one is noted with its gradient."""
        wrong = []
        for difference in found:
            if difference.group != "states":
                worst = self.errors.get(difference.label, 0.0)
                self.errors[difference.label] = max(worst, difference.scaled)
            if not difference.right(tolerance):
                wrong.append(difference)
                self.wrong.setdefault(difference.label, check)
        return wrong

    def note(self, check: str, case: Case, what: str) -> None:
        """Keep the case as the counterexample, if no earlier check has one."""
        noted = self.counterexample
        if noted is None or (self.stopped is None and noted["check"] == check):
            self.counterexample = {**case.describe(), "check": check, "what": what}

    def gradients(self) -> Mapping[str, Gradient]:
        """Each gradient: wrong if any check found it so, right if it was compared."""
        found = {}
        for label in self.labels():
            error = self.errors.get(label)
            if label in self.wrong:
                found[label] = Gradient(FAIL, error, f"by {self.wrong[label]}")
            elif error is None:
                found[label] = Gradient(INCONCLUSIVE, None, "never compared")
            else:
                found[label] = Gradient(PASS, error)
        return found
