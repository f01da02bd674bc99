"""What the checks of one verification share, and what they found so far.

In: a problem and a guarded module. Out: `Session`, which calls the module, asks what rounding
explains, and keeps for each gradient its largest error and who found it wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derive.saying import said
from numeric.numbers.rounding import BOUNDED, COARSE, Kinds
from numeric.verification.cases import OVERFLOWING, SATURATED, Case
from numeric.verification.compare import (
    Difference,
    capped,
    far_steps,
    finite,
    not_finite,
    rounding_bounds,
    unexplained,
)
from numeric.verification.oracles import Answer, autograd_answer, precise_answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PARTIAL, PASS, Gradient
from numeric.verification.watch import Guard, Misbehaviour, Stopped


@dataclass
class Session:
    """What the checks of one verification share, and what they found so far.

    `forgiving`: a call in which the code misbehaves is passed over, and `unjudged` says so.
    `misshapen` are gradients of another shape than what they belong to.
    """

    problem: Problem
    guard: Guard
    plain: Guard | None
    seed: int
    errors: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    counterexample: dict[str, Any] | None = None
    stopped: Stopped | None = None
    forgiving: bool = False
    unjudged: dict[str, str] = field(default_factory=dict)
    misshapen: dict[str, str] = field(default_factory=dict)
    undefined: dict[str, int] = field(default_factory=dict)

    def autograd(self, case: Case) -> Answer:
        """Outputs and gradients by autograd, of what is judged."""
        return self._judged(autograd_answer(self.problem, case))

    def precise(self, case: Case) -> Answer:
        """Outputs and gradients to fifty digits, of what is judged."""
        return self._judged(precise_answer(self.problem, case))

    def _judged(self, answer: Answer) -> Answer:
        judged = self.problem.judged
        return Answer(
            {name: array for name, array in answer.states.items() if judged("states", name)},
            {
                group: {name: array for name, array in arrays.items() if judged(group, name)}
                for group, arrays in self.problem.scope.cut(answer.gradients).items()
            },
        )

    def is_defined(self, case: Case) -> bool:
        """Whether the equations have values here; where they have none, the place is noted."""
        place = self.problem.undefined(case)
        if place:
            self.undefined[place] = self.undefined.get(place, 0) + 1
        return not place

    def broken(self, problem: Misbehaviour) -> str:
        """The status of a check that the code's misbehaviour ends."""
        if isinstance(problem, Stopped):
            self.stopped = self.stopped or problem
            self.unjudged.setdefault("further calls", str(problem))
        return PARTIAL if self.forgiving else FAIL

    def forgive(self, case: Case, problem: Misbehaviour) -> None:
        """Note that the code could not be judged in such a call."""
        told = ("T", "B", *case.sizes, "dtype", "regime")
        sizes = ", ".join(f"{k} = {v}" for k, v in case.describe().items() if k in told)
        what = "further calls" if isinstance(problem, Stopped) else "some calls"
        self.unjudged.setdefault(what, f"with {sizes}: {problem}")

    def labels(self) -> list[str]:
        """Every gradient as the verdict calls it."""
        return [f"{group}.{name}" for group, name in self.problem.gradients()]

    def result(self, case: Case) -> Result:
        """What the module makes of the case.

        Raises:
            Stopped: if the module is gone; it is remembered.
            Misbehaviour: if it misbehaves.
        """
        try:
            return self.problem.call(self.guard, case)
        except Stopped as problem:
            self.stopped = self.stopped or problem
            raise

    def judged(self, case: Case, largest: float) -> list[tuple[Case, Result]]:
        """What is judged of the case: what the module makes of it, but for what overflows.

        A function that leaves float32's range where units saturate or states grow, as exp(90)
        does within log(1 + exp(90)), is no wrong formula if the same code is finite in float64: it
        is told, unless the number asked for leaves the range itself, being above `largest`, or
        rounding can do anything to it.
        Judged are then the arrays that are finite, and all of them for the same numbers in
        float64, where the code has it.

        Raises:
            Misbehaviour: as `result`.
        """
        got = self.result(case)
        place = not_finite(got)
        if place is None or case.dtype != "float32" or case.regime not in OVERFLOWING:
            return [(case, got)]
        found = [(case, part) for part in [finite(got)] if part[0] or any(part[1].values())]
        if "float64" in self.problem.scope.dtypes:
            wide = replace(case.widened(), dtype="float64")
            found.append((wide, self.result(wide)))
            if not_finite(found[-1][1]):
                return [(case, got)]
        if known := self.bounds(case, 1.0):
            place = unexplained(got, self.autograd(case), known[0], largest)
        if place:
            told = said("{0} is not finite where the units saturate: a function overflows", place)
            if case.regime not in SATURATED:
                told = said("{0} is not finite where states grow: a function overflows", place)
            self.unjudged.setdefault("float32", told)
        return found

    def bounds(self, case: Case, credit: float) -> tuple[Result, bool] | None:
        """What rounding explains, and whether every comparison was clear of it.

        The module accounts for its own rounding. Somebody else's is believed up to `credit`
        times what plain code of the cell may lose, whatever the form of its functions; where it
        gives no account, that loss itself is what it may have: nobody knows its forms.
        """
        own = self._account(self.guard, case, BOUNDED)
        if self.plain is None:
            return own
        if (trusted := self.trusted(case)) is None or own is None:
            return trusted
        return capped(own[0], trusted[0], credit), trusted[1]

    def far(
        self, case: Case, got: Result, want: Answer, share: float, credit: float
    ) -> list[Difference]:
        """What is off by such a share of what a single step receives, beyond rounding.

        Nothing in float32, where that is zero far from every loss, nor where a comparison may turn
        round. `credit` is as in `bounds`.
        """
        if case.dtype != "float64":
            return []

        def known() -> Result | None:
            found = self.bounds(case, credit)
            return found[0] if found is not None and found[1] else None

        return [*far_steps(got, want, share, known)]

    def trusted(self, case: Case) -> tuple[Result, bool] | None:
        """What rounding explains in code of ours, whatever the form of its functions."""
        return self._account(self.guard if self.plain is None else self.plain, case, COARSE)

    def _account(self, guard: Guard, case: Case, kinds: Kinds) -> tuple[Result, bool] | None:
        try:
            return rounding_bounds(self.problem, guard, case, kinds)
        except Misbehaviour:
            return None

    def judge(self, found: list[Difference], tolerance: float, check: str) -> list[Difference]:
        """The differences that are wrong; every one is noted with its gradient."""
        wrong = []
        for difference in found:
            undecided = difference.undecided and difference.scaled > tolerance
            if difference.group != "states" and not undecided:
                worst = self.errors.get(difference.label, 0.0)
                self.errors[difference.label] = max(worst, difference.scaled)
            if not difference.right(tolerance):
                wrong.append(self._worded(difference))
                self.wrong.setdefault(difference.label, check)
        return wrong

    def _worded(self, difference: Difference) -> Difference:
        """The difference, an output called as the problem calls it."""
        if difference.group != "states":
            return difference
        word = self.problem.output_word(difference.name)
        return replace(difference, entry=difference.entry.replace(difference.label, word, 1))

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
            if label in self.misshapen:
                found[label] = Gradient(FAIL, None, self.misshapen[label])
            elif label in self.wrong:
                found[label] = Gradient(FAIL, error, f"by {self.wrong[label]}")
            elif error is None and label in self.unjudged:
                found[label] = Gradient(NOT_APPLICABLE, None, self.unjudged[label])
            elif error is None:
                found[label] = Gradient(INCONCLUSIVE, None, "never compared")
            else:
                found[label] = Gradient(PASS, error)
        return found
