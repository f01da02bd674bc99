"""What code can be asked, found out by asking: which arrays it returns and takes, in which dtypes.

In: a cell and a guard of somebody's code. Out: `Fit`, a scope with the reason for each thing that
is left out of it. A scope is made smaller only where that makes something right which is not: code
that is right all through keeps the whole of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.numbers.arithmetic import FLOATS
from numeric.verification.batch_first import batch_first
from numeric.verification.caller import labelled
from numeric.verification.cases import Case
from numeric.verification.explain.audit import Audit, Call, relative_error
from numeric.verification.explain.treated import LARGE, SMALL, clipped, limits_of, said_of
from numeric.verification.oracles import Answer, autograd_answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.scope import DTYPES, WHOLE, Scope
from numeric.verification.watch import Guard, Misbehaviour, Stopped

LENGTHS: Final = "lengths"
RIGHT: Final = {"float64": 1e-8, "float32": 1e-3}
STEPS, BATCH, MANY = 4, 3, 300
TURNED: Final = said(
    "with the first two axes of every sequence exchanged it runs: --batch-first says that they are "
    "(B, T, …), without it they are (T, B, …)"
)


@dataclass
class Fit:
    """How far code can be judged, and why no further.

    `misshapen` are gradients of another shape than what they belong to: they are wrong;
    `treated` says what is done to right gradients. `first` is a call and what the code made of it.
    """

    scope: Scope = WHOLE
    unjudged: dict[str, str] = field(default_factory=dict)
    misshapen: dict[str, str] = field(default_factory=dict)
    treated: dict[str, str] = field(default_factory=dict)
    first: tuple[Case, Result] | None = None
    stopped: Stopped | None = None


class _Asking:
    """One code being asked, and what is known of it so far."""

    def __init__(self, problem: Problem, guard: Guard, seed: int) -> None:
        self.whole, self.guard, self.seed = problem, guard, seed
        self.fit = Fit(problem.scope)
        self.results: dict[str, Result] = {}
        self.failures: dict[str, str] = {}
        self.case = self._case("float64")

    @property
    def problem(self) -> Problem:
        """The problem in the scope so far."""
        return self.whole.within(self.fit.scope)

    def _case(self, dtype: str, steps: int = STEPS) -> Case:
        sizes = self.problem.ordinary_sizes()
        made = self.whole.within(WHOLE).case(
            sizes, steps=steps, batch=BATCH, seed=self.seed, dtype=dtype
        )
        return replace(made, lengths=None)

    def call(self, case: Case) -> Result | None:
        """What the code makes of the case, None if it makes nothing.

        Raises:
            Stopped: if the code is gone.
        """
        try:
            return self.problem.call(self.guard, case)
        except Stopped:
            raise
        except Misbehaviour as problem:
            self.failures.setdefault(case.dtype if case.lengths is None else LENGTHS, str(problem))
            return None

    def truth(self, case: Case) -> Answer:
        """The right states and gradients."""
        return autograd_answer(self.problem, case)

    def wrong(self, result: Result, truth: Answer, dtype: str, states: bool) -> set[str]:
        """The names of states, or of gradients, that are far from right."""
        got = {"states": result[0]} if states else result[1]
        want = {"states": truth.states} if states else truth.gradients
        return {
            f"{group}.{name}"
            for group, arrays in got.items() for name, array in arrays.items()
            if relative_error(array, want[group][name]) > RIGHT[dtype]
        }  # fmt: skip

    # ---- dtypes and what is returned -------------------------------------------------------------

    def call_in_both(self) -> bool:
        """Call in both dtypes; whether any call gave a result."""
        for dtype in DTYPES:
            case = self._case(dtype)
            if (result := self.call(case)) is not None:
                self.results[dtype] = result
                if self.fit.first is None:
                    self.fit.first = case, result
        return bool(self.results)

    def why_not(self) -> str:
        """Why no call gave a result, and what to do, or what it was called with."""
        why = next(iter(self.failures.values()))
        every_step = self.problem.every_step
        turned = batch_first(self.guard.subject, every_step=every_step)
        other = _Asking(self.whole, Guard(turned, forgiving=True, lacks=None), self.seed)
        if other.call(other.case) is not None:
            return said("{0}; {1}", why, TURNED)
        if " raised " not in why:
            return why
        arrays = {"inputs": self.case.inputs, "initial": self.case.initial}
        shapes = ", ".join(f"{name} {np.shape(a)}" for name, a in labelled(arrays).items())
        return said(
            "{0}; the call had T = {1}, B = {2}, params {3}; {4}", why, self.case.steps,
            self.case.batch, ", ".join(self.case.params), shapes,
        )  # fmt: skip

    def settle_dtypes(self) -> None:
        """Which dtypes the code is judged in."""
        why = {**self.failures, **self.guard.foreign}
        good = [dtype for dtype in self.results if dtype not in why]
        if "float32" in self.results and {*good} == {*DTYPES} and self._float32_inside():
            good = ["float32"]
            why["float64"] = "the code computes in float32 and returns float64"
        if not good:
            low = "float64" in self.guard.foreign and "float32" in self.results
            good = ["float32"] if low else [*self.results][:1]
        wanted = self.fit.scope.dtypes
        good = [dtype for dtype in good if dtype in wanted] or good
        for dtype in wanted:
            if dtype not in good:
                self.fit.unjudged[dtype] = why[dtype]
        self.fit.scope = replace(self.fit.scope, dtypes=tuple(good))
        self.case = self._case(good[0])
        self.fit.first = self.case, self.results[good[0]]

    def _float32_inside(self) -> bool:
        """Whether every state in float64 has no more than the bits of float32."""
        states = self.results["float64"][0].values()
        return bool(states) and all(
            np.any(a) and np.array_equal(a, np.asarray(a, np.float32)) for a in states
        )

    def settle_names(self) -> None:
        """Which states and gradients the code does not return, or returns in another shape."""
        misshapen = self.guard.misshapen
        self.fit.unjudged |= self.guard.missing
        for label, why in misshapen.items():
            home = self.fit.unjudged if label.startswith("states.") else self.fit.misshapen
            home[label] = why
        lacks = frozenset({*self.guard.missing, *misshapen})
        self.fit.scope = replace(self.fit.scope, lacks=lacks)

    # ---- what is taken ---------------------------------------------------------------------------

    def settle_initial(self) -> None:
        """Which initial states the code does not take."""

        def without(name: str) -> Case:
            zero = np.zeros_like(self.case.initial[name])
            return replace(self.case, initial={**self.case.initial, name: zero})

        ignored = self._ignored({name: without(name) for name in self.case.initial}, states=True)
        if self._narrowed(replace(self.fit.scope, zero_initial=ignored), states=True):
            for name in sorted(ignored):
                self.fit.unjudged[f"{name}_0"] = (
                    f"forward starts from {name}_0 = 0, whatever initial[{name!r}] is"
                )

    def settle_cotangents(self) -> None:
        """Which cotangents the code does not take: of a whole state, of all steps but the last."""

        def without(name: str) -> Case:
            zero = np.zeros_like(self.case.cotangents[name])
            return replace(self.case, cotangents={**self.case.cotangents, name: zero})

        cases = {name: without(name) for name in self.case.cotangents}
        ignored = self._ignored(cases, states=False)
        hidden = frozenset(name for name in ignored if f"states.{name}" in self.fit.scope.lacks)
        if ignored < {*cases}:
            # of a state that is not returned no loss can be made, whatever else is wrong
            self._take(replace(self.fit.scope, no_cotangents=hidden))
            narrower = replace(self.fit.scope, no_cotangents=ignored)
            taken = ignored if self._narrowed(narrower, states=False) else hidden
            for name in sorted(taken):
                self.fit.unjudged[f"∂L/∂{name}"] = f"backward makes nothing of cotangents[{name!r}]"
        last = replace(self.fit.scope, last_step=True)
        if self._ignored({"before": last.asked(self.case)}, states=False) and self._narrowed(
            last, states=False
        ):
            self.fit.unjudged["∂L/∂s_t at t < T"] = (
                "backward takes the cotangents of the last step alone"
            )

    def _ignored(self, changed: Mapping[str, Case], states: bool) -> frozenset[str]:
        """The names whose changed case gives, to the bit, what the case gives, and should not."""
        case = self.fit.scope.asked(self.case)
        before = self.call(case)
        if before is None or not self.wrong(before, self.truth(case), case.dtype, states):
            return frozenset()
        found = set()
        for name, other in changed.items():
            other = self.fit.scope.asked(other)
            after = self.call(other)
            truth = self.truth(case)
            moved = self.wrong((dict(truth.states), _plain(truth)), self.truth(other),
                               case.dtype, states)  # fmt: skip
            if after is not None and moved and _identical(before, after, states):
                found.add(name)
        return frozenset(found)

    def _narrowed(self, scope: Scope, states: bool) -> bool:
        """Whether less is wrong in the scope, in a usual call or a short one; then it is taken."""
        if scope == self.fit.scope:
            return False
        for made in (self.case, self._case(self.case.dtype, steps=1)):
            counts = []
            for one in (self.fit.scope, scope):
                case = one.asked(made)
                result = self.call(case)
                if result is None:
                    return False
                counts.append(len(self.wrong(result, self.truth(case), case.dtype, states)))
            if counts[1] < counts[0]:
                self._take(scope)
                return True
        return False

    def _take(self, scope: Scope) -> None:
        """Judge in the scope from now on."""
        case = scope.asked(self.case)
        result = self.call(case) if scope != self.fit.scope else None
        self.fit.scope = scope
        if result is not None:
            self.fit.first = case, result

    def settle_lengths(self) -> None:
        """Whether the code of a network takes lengths."""
        if self.case.targets is None:
            return
        case = self.fit.scope.asked(self.case)
        shorter = replace(case, lengths=np.arange(case.batch) % case.steps + 1)
        full, cut = self.call(case), self.call(shorter)
        said = f"loss_and_gradient makes nothing of {LENGTHS}"
        if cut is None and full is not None:
            said = self.failures.pop(LENGTHS, said)
        elif full is None or cut is None or not (
            _identical(full, cut, True) and self.wrong(cut, self.truth(shorter), case.dtype, True)
        ):  # fmt: skip
            return
        self.fit.scope = replace(self.fit.scope, lengths=False)
        self.fit.unjudged[LENGTHS] = said

    # ---- what is done to whole gradients ---------------------------------------------------------

    def settle_limits(self) -> None:
        """Whether right gradients are clipped; then they are judged below the limit."""
        if "float64" not in self.fit.scope.dtypes:
            return
        if self.case.targets is not None:
            self._settle_limits_of_network()
            return
        wrong = {factor: self._wrong_at(factor) for factor in (1.0, LARGE, SMALL)}
        cut = wrong[1.0] | wrong[LARGE]
        if not cut or wrong[SMALL]:
            return
        said = clipped(Audit(self.problem, audited(self.problem, self.guard), self.seed))
        if cut <= {*said}:
            self.fit.scope = replace(self.fit.scope, factor=SMALL)
            self.fit.treated = said
            self.fit.first = None
            for label, sentence in said.items():
                self.fit.unjudged[label] = sentence

    def _settle_limits_of_network(self) -> None:
        """Its gradients are held to what the limits make of the right ones."""
        case = replace(self.problem.case(self.problem.ordinary_sizes(), steps=STEPS, batch=MANY,
                                         seed=self.seed), lengths=None)  # fmt: skip
        result = self.call(case)
        if result is None or not self.wrong(result, self.truth(case), case.dtype, states=False):
            return
        asked = self.problem.explained
        audit = Audit(asked, audited(asked, self.guard), self.seed)
        if audit.wrong_outputs:
            return
        for limit in limits_of(audit):
            self.fit.scope = replace(self.fit.scope, limits=(*self.fit.scope.limits, limit))
            self.fit.treated |= dict.fromkeys(limit.labels, said_of(limit))
        self.fit.unjudged |= self.fit.treated

    def _wrong_at(self, factor: float) -> set[str]:
        case = replace(self.fit.scope, factor=factor).asked(self.case)
        result = self.call(case)
        if result is None:
            return {"every gradient"}
        return self.wrong(result, self.truth(case), case.dtype, states=False)


def fitted(problem: Problem, guard: Guard, seed: int) -> Fit:
    """How far the code can be judged, within the problem's scope.

    The guard finds out what is missing: it is one without `lacks`.
    """
    asking = _Asking(problem, guard, seed)
    try:
        if asking.call_in_both():
            asking.settle_dtypes()
            asking.settle_names()
            asking.settle_initial()
            asking.settle_lengths()
            if asking.case.targets is None and not problem.scope.framework:
                asking.settle_cotangents()
            asking.settle_limits()
        else:
            why = asking.why_not()
            asking.fit.unjudged |= dict.fromkeys(_labels(asking.problem), why)
    except Stopped as problem:
        asking.fit.stopped = problem
        if not asking.results:
            asking.fit.unjudged |= dict.fromkeys(_labels(asking.problem), str(problem))
        else:
            asking.settle_names()
            asking.fit.unjudged["further calls"] = str(problem)
    return asking.fit


def audited(problem: Problem, guard: Guard) -> Call:
    """The code as the diagnosis calls it: in float64, a state that it does not return filled in."""

    def call(case: Case) -> Result:
        dtype = problem.scope.dtype(case.dtype)
        states, gradients = problem.call(guard, case.mapped(lambda array: array.astype(dtype)))
        found = {name: np.asarray(array, case.dtype) for name, array in states.items()}
        if {*case.cotangents} - {*found}:
            ours: Any = problem.outputs(case, FLOATS)
            found = {**{name: np.stack(values) for name, values in ours.items()}, **found}
        return found, {
            group: {name: np.asarray(array, case.dtype) for name, array in arrays.items()}
            for group, arrays in gradients.items()
        }

    return call


def _labels(problem: Problem) -> list[str]:
    return [f"{group}.{name}" for group, name in problem.gradients()]


def _plain(truth: Answer) -> dict[str, dict[str, Any]]:
    return {group: dict(arrays) for group, arrays in truth.gradients.items()}


def _identical(one: Result, other: Result, states: bool) -> bool:
    left = {"states": one[0]} if states else one[1]
    right = {"states": other[0]} if states else other[1]
    return all(
        name in right[group] and np.array_equal(array, right[group][name], equal_nan=True)
        for group, arrays in left.items() for name, array in arrays.items()
    )  # fmt: skip
