"""How a module behaves, whatever its numbers: the promises of the module interface.

In: a problem and a guarded module. Out: nothing where all promises hold, else `Misbehaviour`
with the promise that was broken. Shapes, dtypes, writing to arguments and sharing of memory are
watched by the guard in every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from numeric.verification.cases import Case, whole
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import Guard, Misbehaviour, Raised, Stopped

POWERS: Final = {"float64": (-600, 400), "float32": (-50, 40)}
_SLACK: Final = {"float64": 1e-10, "float32": 1e-4}  # code may sum full sequences in another order
_FAR: Final = 1e6


def check_declared(problem: Problem, guard: Guard) -> None:
    """The module's constants are the problem's names, with their size names or as many of them.

    Raises:
        Misbehaviour: if one of them is not.
    """
    for group, expected in problem.declared().items():
        found = guard.subject.declared[group]
        for name in {**expected, **found}:
            wanted, came = expected.get(name), found.get(name)
            counted = isinstance(wanted, int)
            if wanted is None or came is None or wanted != (len(came) if counted else came):
                what = "no such name" if wanted is None else f"{wanted}{' size names' * counted}"
                raise Misbehaviour(
                    f"{group}[{name!r}]: expected {what}, "
                    f"{'it is missing' if came is None else f'came {came}'}"
                )


def check_promises(problem: Problem, guard: Guard) -> None:
    """A call may be repeated, later too; missing is zero; empty is allowed; backward is linear.

    Raises:
        Misbehaviour: if a promise is broken.
    """
    for broken in broken_promises(problem, guard):
        raise broken.problem


@dataclass(frozen=True)
class Broken:
    """A promise that is broken: what could not be judged for it, and what happened.

    `wrong`: a gradient is wrong for it, whatever the equations say.
    """

    what: str
    problem: Misbehaviour

    @property
    def wrong(self) -> bool:
        """Whether a value is wrong in itself."""
        return isinstance(self.problem, WrongValue)


class WrongValue(Misbehaviour):
    """A gradient that no equations can have: not linear in the cotangents, not zero of nothing."""


def broken_promises(problem: Problem, guard: Guard) -> Iterator[Broken]:
    """Every promise that is broken; after the module is gone, none is tried."""
    for name, (what, promise) in _PROMISES.items():
        if name not in problem.promises:
            continue
        try:
            promise(problem, guard)
        except Misbehaviour as found:
            yield Broken(what, found)
            if isinstance(found, Stopped):
                return
    if "empty" in problem.promises:
        yield from _broken_when_empty(problem, guard)


def _broken_when_empty(problem: Problem, guard: Guard) -> Iterator[Broken]:
    """T and B for which a call without steps or samples is not as it should be."""
    told: set[str] = set()
    for steps, batch in problem.empty_extents():
        empty = {letter for letter, extent in (("T = 0", steps), ("B = 0", batch)) if not extent}
        if empty & told:
            continue
        what = " and ".join(sorted(empty, reverse=True))
        try:
            _check_empty(problem, guard, steps, batch)
        except Raised as found:
            told |= empty
            yield Broken(what, Raised(str(found).replace(" raised ", f" with {what} raised ", 1)))
        except Misbehaviour as found:
            told |= empty
            yield Broken(what, found)
            if isinstance(found, Stopped):
                return


def _ordinary(problem: Problem, seed: int, dtype: str = "float64", batch: int = 2) -> Case:
    sizes = problem.ordinary_sizes()
    return problem.case(sizes, steps=3, batch=batch, seed=seed, dtype=dtype)


# ---- of every module -------------------------------------------------------------------------


def _check_repeated(problem: Problem, guard: Guard) -> None:
    """Equal calls give equal results, whatever is called between them."""
    for dtype in POWERS:
        case = _ordinary(problem, 1, dtype, batch=3)
        first = problem.call(guard, case)
        problem.call(guard, _ordinary(problem, 2, dtype))
        _require_equal(problem, first, problem.call(guard, case), f"{dtype}, called again:")


def _check_empty(problem: Problem, guard: Guard, steps: int, batch: int) -> None:
    """Without steps or samples, gradients are zeros of full shape; final states initial ones.

    Raises:
        WrongValue: if one is not.
    """
    case = problem.case(problem.ordinary_sizes(), steps=steps, batch=batch, seed=3)
    outputs, gradients = problem.call(guard, case)
    found = {problem.output_word(name): value for name, value in outputs.items()}
    found |= {f"{group}[{name!r}]": array for group in ("params", "initial")
              for name, array in gradients[group].items()}  # fmt: skip
    ends = problem.without_steps(case)
    for label, value in found.items():
        if label in ends and not np.array_equal(value, ends[label]):
            raise WrongValue(f"{label} is not what was given at T = {steps}, B = {batch}")
        if label not in ends and np.any(value):
            raise WrongValue(f"{label} is not zero at T = {steps}, B = {batch}")


# ---- of a module with forward and backward ---------------------------------------------------


def _check_tape(problem: Problem, guard: Guard) -> None:
    """A tape may be used again, later too."""
    for dtype in POWERS:
        case = _ordinary(problem, 1, dtype)
        states, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
        first = guard.backward(case.params, tape, case.cotangents)
        again = guard.backward(case.params, tape, case.cotangents)
        _require_same(first, again, "backward, called again with the same tape,")
        other, _ = guard.forward(case.params, case.inputs, case.initial, case.constants)
        _require_same({"states": states}, {"states": other}, "forward, called again,")
        problem.call(guard, _ordinary(problem, 2, dtype))
        late = guard.backward(case.params, tape, case.cotangents)
        _require_same(first, late, "backward, called after another forward and backward,")


def _check_missing(problem: Problem, guard: Guard) -> None:
    """An initial state or a cotangent that is missing counts as zero."""
    case = _ordinary(problem, 2)

    def states(initial: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"states": guard.forward(case.params, case.inputs, initial, case.constants)[0]}

    zeros = {name: np.zeros_like(value) for name, value in case.initial.items()}
    if _sized_without_states(guard):
        _require_same(states(zeros), states(None), "forward without initial states")
    for name, zero in zeros.items():
        absent = {other: value for other, value in case.initial.items() if other != name}
        _require_same(
            states({**absent, name: zero}), states(absent), f"forward without initial[{name!r}]"
        )
    for name, value in case.cotangents.items():
        zero = {**case.cotangents, name: np.zeros_like(value)}
        absent = {other: array for other, array in zero.items() if other != name}
        _require_same(
            _gradients(guard, case, zero),
            _gradients(guard, case, absent),
            f"backward without cotangents[{name!r}]",
        )


def _gradients(guard: Guard, case: Case, cotangents: Mapping[str, Any]) -> dict[str, Any]:
    """What backward makes of them after a forward pass of its own: tapes are another promise."""
    _, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    return guard.backward(case.params, tape, cotangents)


def _sized_without_states(guard: Guard) -> bool:
    """Whether the sizes of all states show in what is always passed."""
    declared = guard.subject.declared
    passed = {s for g in ("PARAMETERS", "INPUTS") for names in declared[g].values() for s in names}
    return all(size in passed for names in declared["STATES"].values() for size in names)


def _check_linear(problem: Problem, guard: Guard) -> None:
    """Cotangents times 2ᵏ give gradients times 2ᵏ, to the bit: no threshold, no clipping.

    Raises:
        WrongValue: if they do not.
    """
    for dtype in POWERS:
        case = _ordinary(problem, 4, dtype)
        gradients = _gradients(guard, case, case.cotangents)
        for power in POWERS[case.dtype]:
            factor = np.ldexp(np.ones((), case.dtype), power)
            scaled = {name: factor * value for name, value in case.cotangents.items()}
            found = _gradients(guard, case, scaled)
            expected = {
                g: {n: factor * a for n, a in arrays.items()} for g, arrays in gradients.items()
            }
            try:
                _require_same(
                    found, expected, f"backward is not linear: with cotangents times 2**{power} it"
                )
            except Misbehaviour as problem_found:
                raise WrongValue(str(problem_found)) from None


# ---- of a module that gives loss and gradients ------------------------------------------------


def _check_initial(problem: Problem, guard: Guard) -> None:
    """An initial state that is missing counts as zero, in the loss and in every gradient."""
    case = _ordinary(problem, 2)
    for name, value in case.initial.items():
        absent = {other: array for other, array in case.initial.items() if other != name}
        zero = replace(case, initial={**absent, name: np.zeros_like(value)})
        _require_equal(
            problem, problem.call(guard, zero), problem.call(guard, replace(case, initial=absent)),
            f"without initial[{name!r}]:",
        )  # fmt: skip


def _check_final(problem: Problem, guard: Guard) -> None:
    """A cotangent of a final state that is missing counts as zero."""
    case = _ordinary(problem, 2)
    for name, value in case.cotangents.items():
        less = {other: array for other, array in case.cotangents.items() if other != name}
        zero = replace(case, cotangents={**less, name: np.zeros_like(value)})
        _require_equal(
            problem, problem.call(guard, zero), problem.call(guard, replace(case, cotangents=less)),
            f"without final_cotangents[{name!r}]:",
        )  # fmt: skip


def _check_lengths(problem: Problem, guard: Guard) -> None:
    """Missing lengths stand for full ones."""
    for dtype, slack in _SLACK.items():
        case = _ordinary(problem, 1, dtype, batch=3)
        full = replace(case, lengths=np.full(case.batch, case.steps))
        _require_equal(
            problem, problem.call(guard, full), problem.call(guard, replace(case, lengths=None)),
            "without lengths:", slack,
        )  # fmt: skip


_PROMISES: Final[Mapping[str, tuple[str, Callable[[Problem, Guard], None]]]] = {
    "tape": ("later calls with the same tape", _check_tape),
    "repeated": ("equal calls", _check_repeated),
    "lengths": ("calls without lengths", _check_lengths),
    "missing": ("calls without an argument", _check_missing),
    "initial": ("calls without an initial state", _check_initial),
    "final": ("calls without a cotangent of a final state", _check_final),
    "linear": ("cotangents of another size", _check_linear),
}


def check_padding(problem: Problem, guard: Guard, seeds: range) -> int:
    """What stands after a sample's end changes nothing, not by a bit, and has gradient zero.

    Raises:
        Misbehaviour: if something of it gets into the loss or a gradient.
    """
    for seed in seeds:
        case = problem.case(problem.ordinary_sizes(), steps=4, batch=3, seed=seed)
        lengths = np.array([3, 0, 1] if problem.every_step and seed % 2 else [4, 2, 1])
        case = replace(case, lengths=lengths)
        wanted = problem.call(guard, case)
        for what, changed in _padded_otherwise(case, problem.every_step):
            found = problem.call(guard, changed)
            _require_equal(problem, wanted, found, f"with other padding in {what}:")
        for name, gradient in wanted[1]["inputs"].items():
            if np.any(gradient[case.outside]):
                raise Misbehaviour(f"inputs[{name!r}]: the gradient of padding is not zero")
    return len(seeds)


def _padded_otherwise(case: Case, every_step: bool) -> Iterator[tuple[str, Case]]:
    """The case with other values after each sample's end, one argument at a time."""
    outside = case.outside

    def filled(array: Any, value: float) -> Any:
        other = array.copy()
        other[outside] = value
        return other

    for name, array in case.inputs.items():
        for value in (-7,) if whole(array) else (np.nan, _FAR):
            inputs = {**case.inputs, name: filled(array, value)}
            yield f"inputs[{name!r}]", replace(case, inputs=inputs)
    if every_step:
        for value in (-7,) if whole(case.targets) else (np.nan, _FAR):
            yield "targets", replace(case, targets=filled(case.targets, value))
    for name, array in case.constants.items():
        for value in (np.nan, 3.0) if array.ndim == 3 else ():
            constants = {**case.constants, name: filled(array, value)}
            yield f"constants[{name!r}]", replace(case, constants=constants)


# ---- equal results ---------------------------------------------------------------------------


def _require_equal(
    problem: Problem, left: Result, right: Result, what: str, slack: float = 0.0
) -> None:
    """Outputs and gradients equal to the bit, or to so much of the array's largest entry.

    Raises:
        Misbehaviour: if they are not.
    """
    pairs = {problem.output_word(n): (array, right[0][n]) for n, array in left[0].items()}
    pairs |= {
        f"{group}[{name!r}]": (array, right[1][group][name])
        for group, arrays in left[1].items()
        for name, array in arrays.items()
    }
    for label, (one, other) in pairs.items():
        close = np.array_equal(one, other, equal_nan=True)
        if slack and not close:
            off = np.max(np.abs(one - other), initial=0)
            close = bool(off <= slack * np.max(np.abs(one), initial=0))
        if not close:
            raise Misbehaviour(f"{what} other values for {label}")


def _require_same(left: Mapping[str, Any], right: Mapping[str, Any], what: str) -> None:
    for group, arrays in left.items():
        for name, array in arrays.items():
            if not np.array_equal(array, right[group][name], equal_nan=True):
                raise Misbehaviour(f"{what} gives other values for {group}[{name!r}]")
