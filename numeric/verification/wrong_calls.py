"""Wrong arguments, one thing wrong at a time: each must be refused by name.

In: a problem and a guarded module of ours. Out: how many wrong calls were refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.verification.cases import GROUPS, Case, whole
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import Guard, Misbehaviour, Raised

_LONGER: Final = "an entry too many"
_LAYER: Final = re.compile(r"^layer\d+\.(reverse\.)?")


def check_arguments(problem: Problem, guard: Guard) -> int:
    """A wrong name, shape or dtype is a `ValueError` that names the argument.

    Raises:
        Misbehaviour: if a wrong argument is accepted, or refused in another way.
    """
    count = 0
    case = problem.case(problem.ordinary_sizes(), steps=3, batch=2, seed=4)
    if case.targets is not None:
        case = replace(case, lengths=np.array([3, 2]))
    known = {name for _, name, _ in case.groups()} | {*case.constants, *case.cotangents}
    first, last = problem.functions[0], problem.functions[-1 if case.targets is None else 0]
    for name, what, wrong in wrong_calls(problem, case):
        count += 1
        refusing = first if wrong.cotangents is case.cotangents else last
        try:
            problem.call(guard, wrong)
        except Raised as raised:
            if not str(raised).startswith(f"{refusing} raised"):
                raise Misbehaviour(f"{name}: {what} is accepted by {refusing}") from raised
            said = known if what == _LONGER else {name}
            named = any(one in str(raised) for one in said)
            if not isinstance(raised.__cause__, ValueError) or not named:
                raise Misbehaviour(
                    f"{name}: {what} should be a ValueError that names it; {raised}"
                ) from raised
        else:
            raise Misbehaviour(f"{name}: {what} is accepted")
    return count


def wrong_calls(problem: Problem, case: Case) -> Iterator[tuple[str, str, Case]]:
    """Calls with one thing wrong: the name that must be said, what is wrong, the call."""
    alone = _of_its_own_size(problem.cell)
    for group in (*GROUPS, "constants", "cotangents"):
        arrays = getattr(case, group)
        for name, array in arrays.items():
            for what, value in _wrong_arrays(array):
                yield name, what, _with(case, group, {**arrays, name: value})
            if array.ndim and not whole(array) and _LAYER.sub("", name) not in alone:
                longer = np.concatenate([array, array[..., :1]], axis=-1)
                yield name, _LONGER, _with(case, group, {**arrays, name: longer})
            if group not in {"initial", "cotangents"}:
                less = {other: value for other, value in arrays.items() if other != name}
                said = "constants" if group == "constants" and not less else name
                yield said, "its absence", _with(case, group, less)
        if arrays or group == "constants":
            more = {**arrays, "no_such_name": np.zeros(2)}
            yield "no_such_name", "an unknown name", _with(case, group, more)
    if case.targets is not None:
        yield from _wrong_ends(case, problem.every_step)


def _of_its_own_size(cell: Cell) -> frozenset[str]:
    """The arrays whose last size no other shows, as of x in mean(x): one entry more is right."""
    arrays = (*cell.inputs, *cell.parameters, *cell.constants, *cell.states)
    shown = Counter(
        size for array in arrays for extent in array.shape for size in extent.free_symbols
    )
    last = {array.name: array.shape[array.shape[1] != 1] for array in arrays}
    return frozenset(name for name, extent in last.items() if shown[extent] == 1)


def _wrong_ends(case: Case, every_step: bool) -> Iterator[tuple[str, str, Case]]:
    """Wrong targets and wrong lengths."""
    for what, value in _wrong_arrays(case.targets):
        yield "targets", what, replace(case, targets=value)
    lengths = case.ends
    wrong = {
        "numbers that are not whole": lengths * 1.0, "more than T": lengths + 1,
        "less than 0": lengths - 4, "one for each step": np.ones((3, 2), int),
    }  # fmt: skip
    if not every_step:
        wrong["a length of 0"] = lengths * 0
    for what, value in wrong.items():
        yield "lengths", what, replace(case, lengths=value)
    if whole(case.targets):
        q = case.sizes["q"]
        yield "targets", "the number q", replace(case, targets=np.full_like(case.targets, q))
        yield "targets", "less than 0", replace(case, targets=case.targets - q)


def _with(case: Case, group: str, arrays: Any) -> Case:
    changed: dict[str, Any] = {group: arrays}
    return replace(case, **changed)


def _wrong_arrays(array: Any) -> Iterator[tuple[str, Any]]:
    yield "one axis too many", array[None, None, None]
    if whole(array):
        yield "a floating array", array * 1.0
    else:
        yield "an integer array", np.zeros(array.shape, dtype=int)
        yield "another dtype", array.astype(np.float32)
