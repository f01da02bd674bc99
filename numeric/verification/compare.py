"""Got against want: errors relative to the array, or to what rounding can have done.

In: states and gradients of a module and of an oracle. Out: `Difference` for each array. The
tolerances themselves are arguments; `verify.py` holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from numeric.numbers.rounding import BOUNDED, Kinds, close_calls, data, errors
from numeric.verification.cases import Case
from numeric.verification.oracles import Answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import Guard

CANCELLED: Final = 1e-9


@dataclass(frozen=True)
class Difference:
    """How far one array is off: over its largest entry, and over what rounding explains.

    `scaled` is infinite where the array should be zero and is not, and for what is not finite;
    `explained` is the largest |got − want| / bound, infinite where no bound is known. An entry
    to which rounding can do anything (a quotient at a pole) explains itself: `undecided` says
    that there is one, so that the array is not counted as compared. `cancelled`: rounded terms
    cancel to zero in the oracle, and in what it judges to no more than their rounding.
    """

    group: str
    name: str
    scaled: float
    explained: float
    entry: str
    undecided: bool = False
    cancelled: bool = False

    @property
    def label(self) -> str:
        """The array as the verdict calls it."""
        return f"{self.group}.{self.name}"

    def right(self, tolerance: float) -> bool:
        """Whether the error is within the tolerance or within what rounding explains."""
        return self.scaled <= tolerance or self.explained <= 1


def differences(
    got: Result, want: Answer, bounds: Result | None = None, slack: float = 0.0
) -> Iterator[Difference]:
    """The difference of every state and gradient; `slack` is the oracle's own relative error."""
    for group, found, expected in _pairs(got, want):
        for name, value in expected.items():
            bound = None
            if bounds is not None:
                held = bounds[0] if group == "states" else bounds[1][group]
                bound = held[name] + slack * np.abs(value)
            yield difference(group, name, found[name], value, bound)


def _pairs(got: Result, want: Answer) -> Iterator[tuple[str, Any, Any]]:
    yield "states", got[0], want.states
    for group, expected in want.gradients.items():
        yield group, got[1][group], expected


def difference(group: str, name: str, got: Any, want: Any, bound: Any = None) -> Difference:
    """One array's difference; an exact zero is matched exactly."""
    scalar = np.ndim(want) == 0
    got, want = (np.atleast_1d(np.asarray(side, dtype=float)) for side in (got, want))
    if not want.size:
        return Difference(group, name, 0.0, 0.0, "")
    with np.errstate(all="ignore"):
        off = np.abs(got - want)
        off[~np.isfinite(got)] = np.inf
        largest = float(np.max(np.abs(want)))
        worst = float(np.max(off))
        scaled = worst / largest if largest else (0.0 if worst == 0 else np.inf)
        explained, undecided = np.inf, False
        if bound is not None and largest:
            limits = np.isfinite(bound)
            ratio = np.where(off == 0, 0.0, off / np.where(bound == 0, np.nan, bound))
            ratio = np.where(np.isnan(ratio) | np.isinf(off), np.inf, ratio)
            explained = float(np.max(np.where(limits, ratio, 0.0)))
            undecided = not np.all(limits)
        cancelled = bool(bound is not None and not largest and worst and np.all(off <= bound))
    place = np.unravel_index(int(np.argmax(off)), off.shape)
    where = f"[{', '.join(map(str, place))}]" if not scalar else ""
    entry = f"{group}.{name}{where}: got {got[place]:.17g}, want {want[place]:.17g}"
    return Difference(group, name, scaled, explained, entry, undecided, cancelled)


def far_steps(
    got: Result, want: Answer, share: float, known: Callable[[], Result | None]
) -> Iterator[Difference]:
    """What is off by such a share of a single step, beyond rounding: of each array the last entry.

    What reaches a step far from every loss is nothing beside what is near one: of the whole array
    it is no error. Of the gradients of inputs each step is measured by itself, of initial states
    the whole. `known` gives what rounding explains; where that is not known, nothing is told.
    """
    for group in ("inputs", "initial"):
        for name, value in want.gradients[group].items():
            own = tuple(range(1, np.ndim(value))) if group == "inputs" else None
            size = np.max(np.abs(value), axis=own, keepdims=True, initial=0.0)
            off = np.abs(np.asarray(got[1][group][name]) - value)
            if not np.any(off > share * size) or (bounds := known()) is None:
                continue
            far = np.argwhere((off > share * size) & (off > bounds[1][group][name]))
            if len(far):
                found = difference(group, name, got[1][group][name], value)
                place = tuple(map(int, far[-1]))
                at = f"[{', '.join(map(str, place))}]"
                ends = f"got {got[1][group][name][place]:.17g}, want {value[place]:.17g}"
                yield replace(found, entry=f"{group}.{name}{at}: {ends}")


def rounding_bounds(
    problem: Problem, guard: Guard, case: Case, kinds: Kinds = BOUNDED
) -> tuple[Result, bool]:
    """What rounding can do to each result, and whether every comparison was clear of it.

    Raises:
        Misbehaviour: if the module does not run on such numbers.
    """
    kind = kinds[case.dtype]
    with close_calls() as calls:
        found = problem.call(guard, case.mapped(lambda array: data(kind, array)))
    return errors_of(found), not calls


def errors_of(result: Result) -> Result:
    """The error bounds in a result, as plain arrays."""
    states, gradients = result
    return (
        {name: errors(array) for name, array in states.items()},
        {g: {n: errors(array) for n, array in arrays.items()} for g, arrays in gradients.items()},
    )


def capped(bounds: Result, ceiling: Result, credit: float) -> Result:
    """The bounds, none below zero or above `credit` times the ceiling's largest of that array.

    A bound is infinite where the ceiling is, and nowhere else; where there is none, the ceiling is.
    """

    def cut(arrays: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, ceiling_there in own.items():
            array, known = arrays.get(name, ceiling_there), np.isfinite(ceiling_there)
            largest = credit * np.max(np.where(known, own[name], 0.0), initial=0.0)
            claimed = np.clip(np.where(np.isnan(array), np.inf, array), 0.0, largest)
            found[name] = np.where(known, claimed, np.inf)
        return found

    return cut(bounds[0], ceiling[0]), {g: cut(a, ceiling[1][g]) for g, a in bounds[1].items()}


def in_range(answer: Answer, largest: float) -> bool:
    """Whether an oracle's answer is finite and nowhere above the number."""
    arrays: list[Any] = [*answer.states.values()]
    for group in answer.gradients.values():
        arrays.extend(group.values())
    return all(np.all(np.abs(array) <= largest) for array in arrays)


def not_finite(result: Result) -> str | None:
    """The first array that holds NaN or an infinity."""
    for label, array in _arrays(result):
        if not np.all(np.isfinite(array)):
            return label
    return None


def unexplained(got: Result, want: Answer, bounds: Result, largest: float) -> str | None:
    """The first array with an entry that is not finite, its true number and error bound small."""
    true, held = dict(_arrays((want.states, want.gradients))), dict(_arrays(bounds))
    for label, array in _arrays(got):
        small = np.abs(true.get(label, np.inf)) <= largest
        if np.any(~np.isfinite(array) & small & np.isfinite(held.get(label, 0.0))):
            return label
    return None


def _arrays(
    result: tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]],
) -> Iterator[tuple[str, Any]]:
    for group, arrays in (("states", result[0]), *result[1].items()):
        yield from ((f"{group}.{name}", array) for name, array in arrays.items())


def finite(result: Result) -> Result:
    """The arrays without NaN and infinities."""
    states, gradients = result

    def kept(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {name: array for name, array in arrays.items() if np.all(np.isfinite(array))}

    return kept(states), {group: kept(arrays) for group, arrays in gradients.items()}


def within(answer: Answer, result: Result) -> Answer:
    """The oracle's answer on the arrays of the result."""
    states, gradients = result
    return Answer(
        {name: array for name, array in answer.states.items() if name in states},
        {g: {n: a for n, a in arrays.items() if n in gradients[g]}
         for g, arrays in answer.gradients.items()},
    )  # fmt: skip


def as_result(answer: Answer) -> Result:
    """An oracle's answer in the place of a module's."""
    return dict(answer.states), {group: dict(a) for group, a in answer.gradients.items()}


def agreement(one: Result, other: Answer) -> tuple[float, str]:
    """The largest error between one result and an oracle's over the array, and where it is.

    An array that cancels to nothing is measured by the largest gradient.
    """
    worst, place, overall = 0.0, "", 0.0
    for arrays in other.gradients.values():
        overall = max([overall, *(float(np.max(np.abs(a), initial=0)) for a in arrays.values())])
    for group, found, expected in _pairs(one, other):
        for name, want in expected.items():
            off = float(np.max(np.abs(found[name] - want), initial=0))
            largest = float(np.max(np.abs(want), initial=0))
            scale = largest if largest > CANCELLED * overall else overall
            if off > worst * scale:
                worst, place = off / scale if scale else np.inf, f"{group}.{name}"
    return worst, place
