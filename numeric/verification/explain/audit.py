"""An audit: the functions under it called at a few seeds, beside the adjoint equations in numbers.

In: a problem and the functions. Out: `Audit`, which tells what is wrong on any seed, beside the
parts of the problem and the mistakes that each may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from numeric.verification.cases import Case
from numeric.verification.explain.anatomy import Anatomy, Labels, Part, anatomy_of, labelled
from numeric.verification.explain.change import Mistake
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import Misbehaviour

STEPS: Final = 4
# The calls of an audit: their steps, and whether batch and sizes are larger than usual. What holds
# of all three is no accident of a short call, and no size taken for a number.
CALLS: Final = ((STEPS, False), (STEPS - 1, False), (STEPS + 1, True))
SEEDS: Final = len(CALLS)
WIDER: Final = 2  # samples more
GROWN: Final = (3, 2, 1, 2)  # units more: in no two extents, nor one less or more of them, alike
SHORTER: Final = STEPS - 2  # of usual sizes, for a larger call that tells nothing
LENGTHS: Final = (4, 2, 1)  # of a call of one step more than the longest sample


@dataclass(frozen=True)
class Agreement:
    """When two arrays are one, relative to the largest entry: `equal` to it, or `wrong` beyond it.

    `noise`, of the largest gradient, is what rounding leaves of an exact zero.
    """

    equal: float
    wrong: float
    noise: float


AGREEMENTS: Final[Mapping[str, Agreement]] = {
    "float64": Agreement(equal=1e-8, wrong=1e-7, noise=1e-14),
    "float32": Agreement(equal=3e-5, wrong=1e-4, noise=1e-6),
}
_AGREEMENT: Final = ContextVar("agreement", default=AGREEMENTS["float64"])


def agreement() -> Agreement:
    """What agreement means for the code under audit."""
    return _AGREEMENT.get()


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """An audit of code that computes in that dtype."""
    token = _AGREEMENT.set(AGREEMENTS[dtype])
    try:
        yield
    finally:
        _AGREEMENT.reset(token)


Call = Callable[[Case], Result]
Excuse = Callable[[Case, Result], Collection[str]]


def no_excuse(case: Case, got: Result) -> Collection[str]:
    """Nothing that is off is put down to rounding."""
    return ()


@dataclass
class Audit:
    """One problem's tapes, and what the audited code made of the same cases.

    `excuse` tells which gradients of a call are off by no more than rounding explains.
    `from_zero`: the equations start from zero whatever initial state is given. `shape`: T, B and
    sizes of the calls, where they are not the usual ones. `wrong_outputs`
    tells from which step on an output is another; `errors` and `output_errors` the largest error
    met, over the array's largest entry.
    """

    problem: Problem
    call: Call
    seed: int
    from_zero: bool = False
    excuse: Excuse = no_excuse
    shape: Mapping[str, int] = field(default_factory=dict)
    tapes: list[Any] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong_outputs: dict[str, int] = field(default_factory=dict)
    output_errors: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Call the code at the seeds.

        Raises:
            Misbehaviour: if it misbehaves.
        """
        for number, (steps, large) in enumerate(CALLS):
            seed = self.seed + number
            if not large:
                self._learn(self.case(self.shape.get("T", steps), seed))
            elif not self._learn_large(self.case(self.shape.get("T", steps), seed, large=True)):
                self._learn(self.case(self.shape.get("T", SHORTER), seed))

    def _learn_large(self, case: Case) -> bool:
        """Learn from a large call, unless the code fails at it, or what was right is wrong there.

        What is wrong in large calls alone is told of the call that shows it.
        """
        before, wrong, outputs = len(self.tapes), self.wrong, {*self.wrong_outputs}
        errors, output_errors = {**self.errors}, {**self.output_errors}
        with suppress(Misbehaviour):
            self._learn(case)
            if self.wrong <= wrong and {*self.wrong_outputs} <= outputs:
                return True
            for kept in (self.tapes, self.outputs, self.got):
                del kept[before:]
            self.errors, self.output_errors = errors, output_errors
            self.wrong_outputs = {name: self.wrong_outputs[name] for name in outputs}
        return False

    def _learn(self, case: Case) -> None:
        """Call the code, and compare what it makes."""
        outputs, gradients = self.call(case)
        tape = self.tape(case)
        for name, want in tape.outputs.items():
            off = relative_error(outputs[name], want)
            self.output_errors[name] = max(off, self.output_errors.get(name, 0.0))
            over_time = zip(np.atleast_1d(outputs[name]), np.atleast_1d(want), strict=True)
            for t, (one, other) in enumerate(over_time, 1):
                if relative_error(one, other) > agreement().wrong:
                    self.wrong_outputs.setdefault(name, t)
        self.tapes.append(tape)
        self.outputs.append({**outputs})
        self.got.append(labelled(gradients))
        for label, off in self.errors_of(case, (outputs, gradients), tape).items():
            self.errors[label] = max(off, self.errors.get(label, 0.0))

    def errors_of(self, case: Case, got: Result, tape: Any) -> dict[str, float]:
        """How far each gradient of a call is off; not at all where rounding explains it."""
        found = gradient_errors(labelled(got[1]), self.gradients(tape))
        if any(off > agreement().wrong for off in found.values()):
            found |= dict.fromkeys(found.keys() & {*self.excuse(case, got)}, 0.0)
        return found

    def case(self, steps: int, seed: int, *, large: bool = False) -> Case:
        """A call of that many steps, of two samples or three, each as long as the call.

        A large one has more samples, and larger sizes.
        """
        problem, usual = self.problem, self.problem.ordinary_sizes()
        grown = [more * large for more in GROWN]
        sizes = {name: self.shape.get(name, n + grown[place % len(grown)])
                 for place, (name, n) in enumerate(usual.items())}  # fmt: skip
        batch = self.shape.get("B", 3 - seed % 2 + WIDER * large)
        case = problem.case(sizes, steps=steps, batch=batch, seed=seed)
        return problem.asked(replace(case.widened(), dtype="float64", lengths=None))

    def tape(self, case: Case) -> Any:
        """The equations run on the case."""
        if self.from_zero:
            zeros = {name: np.zeros_like(value) for name, value in case.initial.items()}
            case = replace(case, initial=zeros)
        return self.anatomy.tape(case)

    def gradients(self, tape: Any) -> Labels:
        """The right gradients by label."""
        return self.anatomy.made_by(tape)

    @cached_property
    def ragged(self) -> tuple[Case, dict[str, Any], list[Labels]] | None:
        """A call with lengths, what the code makes of it, and what is right of each sample alone.

        Outputs and gradients. None where the code takes no lengths, or misbehaves.
        """
        problem = self.problem
        sizes, count = problem.ordinary_sizes(), len(LENGTHS)
        case = problem.case(sizes, steps=max(LENGTHS) + 1, batch=count, seed=self.seed)
        if case.targets is None:
            return None
        case = problem.asked(replace(case.widened(), dtype="float64", lengths=np.array(LENGTHS)))
        if case.lengths is None:
            return None
        try:
            outputs, gradients = self.call(case)
        except Misbehaviour:
            return None
        right = [autograd_answer(problem, case.sample(place)) for place in range(count)]
        alone = [{**one.states, **labelled(one.gradients)} for one in right]
        return case, {**outputs, **labelled(gradients)}, alone

    @property
    def anatomy(self) -> Anatomy:
        """The parts, the mistakes that are tried, the words."""
        return anatomy_of(self.problem)

    @property
    def wrong(self) -> set[str]:
        """The gradients that are off further than rounding takes them."""
        return {label for label, off in self.errors.items() if off > agreement().wrong}

    @property
    def mistakes(self) -> list[Mistake]:
        """Every mistake that is tried, the likely ones first."""
        return self.anatomy.mistakes

    def part_of(self, label: str) -> Part | None:
        """The part that the gradient belongs to; None if it is made of several."""
        return next((part for part in self.anatomy.parts if label in part.targets), None)

    @property
    def labels(self) -> list[str]:
        """The gradients by label."""
        return [*self.got[0]]

    def right(self) -> list[Labels]:
        """The right gradients at each seed."""
        return [self.gradients(tape) for tape in self.tapes]


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
    return relative_error(got, want) <= agreement().equal


def gradient_errors(got: Mapping[str, Any], want: Labels) -> dict[str, float]:
    """The error of each gradient; what all of them cancel to is noise."""
    overall = max(float(np.max(np.abs(want[label]), initial=0)) for label in got)
    return {
        label: relative_error(array, want[label], agreement().noise * overall)
        for label, array in got.items()
    }
