"""What the checks of one verification share, and what they found so far.

In: a cell and a guarded module. Out: `Session`, which calls the module, asks what rounding
explains, and keeps for each gradient its largest error and who found it wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from derive.cell import Cell
from numeric.cases import Case
from numeric.compare import Difference, rounding_bounds
from numeric.conduct import Result, call
from numeric.guard import Guard, Misbehaviour, Stopped
from numeric.verdict import FAIL, INCONCLUSIVE, PASS, Gradient


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

    def result(self, case: Case) -> Result:
        """What the module makes of the case.

        Raises:
            Stopped: if the module is gone; it is remembered.
            Misbehaviour: if it misbehaves.
        """
        try:
            return call(self.guard, case)
        except Stopped as problem:
            self.stopped = self.stopped or problem
            raise

    def bounds(self, case: Case) -> tuple[Result, bool] | None:
        """What rounding explains: by the module itself, else by plain code of the cell."""
        for guard in (self.guard, self.plain):
            if guard is not None:
                try:
                    return rounding_bounds(guard, case)
                except Misbehaviour:
                    continue
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
        cell = self.cell
        groups = {"params": cell.parameters, "inputs": cell.inputs, "initial": cell.states}
        labels = [f"{group}.{s.name}" for group, symbols in groups.items() for s in symbols]
        found = {}
        for label in labels:
            error = self.errors.get(label)
            if label in self.wrong:
                found[label] = Gradient(FAIL, error, f"by {self.wrong[label]}")
            elif error is None:
                found[label] = Gradient(INCONCLUSIVE, None, "never compared")
            else:
                found[label] = Gradient(PASS, error)
        return found
