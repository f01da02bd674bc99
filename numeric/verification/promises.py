"""How a module behaves, whatever its numbers: the promises of the module interface.

In: a guarded module and a cell. Out: nothing where all promises hold, else `Misbehaviour` with
the promise that was broken. Shapes, dtypes, writing to arguments and sharing of memory are
watched by the guard in every call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from derive.cell import Cell, dimensions
from numeric.verification.cases import GROUPS, Case, make_case, ordinary_sizes
from numeric.verification.watch import Guard, Misbehaviour, Raised

Result = tuple[dict[str, Any], dict[str, dict[str, Any]]]
POWERS: Final = {"float64": (-600, 400), "float32": (-50, 40)}
_LONGER: Final = "an entry too many"


def call(guard: Guard, case: Case) -> Result:
    """States and gradients of the case.

    Raises:
        Misbehaviour: if the module misbehaves.
    """
    states, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    return states, guard.backward(case.params, tape, case.cotangents)


def declared_by(cell: Cell) -> dict[str, dict[str, tuple[str, ...]]]:
    """The module constants that the cell asks for."""
    groups = {
        "PARAMETERS": cell.parameters, "INPUTS": cell.inputs,
        "STATES": cell.states, "CONSTANTS": cell.constants,
    }  # fmt: skip
    return {
        group: {
            s.name: (("T", *dimensions(s)) if s.name in cell.sequences else dimensions(s))
            for s in symbols
        }
        for group, symbols in groups.items()
    }


def check_declared(cell: Cell, guard: Guard) -> None:
    """The module's constants are the cell's symbols with their size names.

    Raises:
        Misbehaviour: if one of them is not.
    """
    for group, expected in declared_by(cell).items():
        found = guard.subject.declared[group]
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                wanted = expected.get(name, "no such name")
                came = found.get(name, "it is missing")
                raise Misbehaviour(f"{group}[{name!r}]: expected {wanted}, came {came}")


def check_promises(cell: Cell, guard: Guard) -> None:
    """A call may be repeated, later too; missing is zero; empty is allowed; backward is linear.

    Raises:
        Misbehaviour: if a promise is broken.
    """
    for dtype in POWERS:
        _check_repeated(cell, guard, dtype)
    _check_missing(cell, guard)
    _check_empty(cell, guard)
    for dtype in POWERS:
        _check_linear(cell, guard, dtype)


def _check_repeated(cell: Cell, guard: Guard, dtype: str) -> None:
    """Equal calls give equal results, whatever is called between them."""
    sizes = ordinary_sizes(cell)
    case = make_case(cell, sizes, steps=3, batch=2, seed=1, dtype=dtype)
    states, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    first = guard.backward(case.params, tape, case.cotangents)
    again = guard.backward(case.params, tape, case.cotangents)
    _require_equal(first, again, "backward, called again with the same tape,")
    other, _ = guard.forward(case.params, case.inputs, case.initial, case.constants)
    _require_equal({"states": states}, {"states": other}, "forward, called again,")
    call(guard, make_case(cell, sizes, steps=3, batch=2, seed=2, dtype=dtype))
    late = guard.backward(case.params, tape, case.cotangents)
    _require_equal(first, late, "backward, called after another forward and backward,")


def _check_missing(cell: Cell, guard: Guard) -> None:
    """An initial state or a cotangent that is missing counts as zero."""
    case = make_case(cell, ordinary_sizes(cell), steps=3, batch=2, seed=2)

    def states(initial: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"states": guard.forward(case.params, case.inputs, initial, case.constants)[0]}

    zeros = {name: np.zeros_like(value) for name, value in case.initial.items()}
    if _sized_without_states(guard):
        _require_equal(states(zeros), states(None), "forward without initial states")
    for name, zero in zeros.items():
        absent = {other: value for other, value in case.initial.items() if other != name}
        _require_equal(
            states({**absent, name: zero}), states(absent), f"forward without initial[{name!r}]"
        )
    for name in case.cotangents:
        zero = {**case.cotangents, name: np.zeros_like(case.cotangents[name])}
        absent = {other: value for other, value in zero.items() if other != name}
        _, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
        _require_equal(
            guard.backward(case.params, tape, zero),
            guard.backward(case.params, tape, absent),
            f"backward without cotangents[{name!r}]",
        )


def _check_empty(cell: Cell, guard: Guard) -> None:
    """Without steps or samples, gradients are zeros of full shape.

    Raises:
        Misbehaviour: if one is not.
    """
    for steps, batch in ((0, 2), (3, 0), (0, 0)):
        empty = make_case(cell, ordinary_sizes(cell), steps=steps, batch=batch, seed=3)
        _, gradients = call(guard, empty)
        for group in ("params", "initial"):
            for name, value in gradients[group].items():
                if np.any(value):
                    raise Misbehaviour(f"{group}[{name!r}] is not zero at T = {steps}, B = {batch}")


def _sized_without_states(guard: Guard) -> bool:
    """Whether the sizes of all states show in what is always passed."""
    declared = guard.subject.declared
    passed = {s for g in ("PARAMETERS", "INPUTS") for names in declared[g].values() for s in names}
    return all(size in passed for names in declared["STATES"].values() for size in names)


def _check_linear(cell: Cell, guard: Guard, dtype: str) -> None:
    """Cotangents times 2ᵏ give gradients times 2ᵏ, to the bit: no threshold, no clipping."""
    case = make_case(cell, ordinary_sizes(cell), steps=3, batch=2, seed=4, dtype=dtype)
    _, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    gradients = guard.backward(case.params, tape, case.cotangents)
    for power in POWERS[dtype]:
        factor = np.ldexp(np.ones((), dtype), power)
        scaled = {name: factor * value for name, value in case.cotangents.items()}
        found = guard.backward(case.params, tape, scaled)
        expected = {
            g: {n: factor * a for n, a in arrays.items()} for g, arrays in gradients.items()
        }
        _require_equal(
            found, expected, f"backward is not linear: with cotangents times 2**{power} it"
        )


def _require_equal(left: Mapping[str, Any], right: Mapping[str, Any], what: str) -> None:
    for group, arrays in left.items():
        for name, array in arrays.items():
            if not np.array_equal(array, right[group][name], equal_nan=True):
                raise Misbehaviour(f"{what} gives other values for {group}[{name!r}]")


def check_arguments(cell: Cell, guard: Guard) -> int:
    """A wrong name, shape or dtype is a `ValueError` that names the argument.

    Raises:
        Misbehaviour: if a wrong argument is accepted, or refused in another way.
    """
    count = 0
    case = make_case(cell, ordinary_sizes(cell), steps=3, batch=2, seed=4)
    case_names = {name for _, name, _ in case.groups()} | {*case.constants}
    for name, what, forward, backward in wrong_calls(case):
        count += 1
        try:
            if forward is not None:
                guard.forward(*forward)
            else:
                _, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
                guard.backward(case.params, tape, backward or {})
        except Raised as problem:
            names = {name} if what != _LONGER else case_names
            named = any(one in str(problem) for one in names)
            if not isinstance(problem.__cause__, ValueError) or not named:
                raise Misbehaviour(
                    f"{name}: {what} should be a ValueError that names it; {problem}"
                ) from problem
        else:
            raise Misbehaviour(f"{name}: {what} is accepted")
    return count


def wrong_calls(case: Case) -> Iterator[tuple[str, str, Any, Any]]:
    """Calls with one thing wrong: its name, what is wrong, forward's arguments or cotangents."""
    groups = {group: dict(getattr(case, group)) for group in (*GROUPS, "constants")}
    groups["cotangents"] = dict(case.cotangents)
    for group, arrays in groups.items():
        for name, array in arrays.items():
            wrong = {
                "one axis too many": array[None, None, None],
                "an integer array": np.zeros(array.shape, dtype=int),
                "another dtype": array.astype(np.float32),
            }
            if array.ndim:
                wrong[_LONGER] = np.concatenate([array, array[..., :1]], axis=-1)
            if group in {"params", "inputs"}:
                yield _wrong_call(groups, group, name, "its absence", _DROP)
            for what, value in wrong.items():
                yield _wrong_call(groups, group, name, what, value)
        if arrays:
            yield _wrong_call(groups, group, "no_such_name", "an unknown name", np.zeros(2))


_DROP: Final = object()


def _wrong_call(
    groups: dict[str, dict[str, Any]], group: str, name: str, what: str, value: Any
) -> tuple[str, str, Any, Any]:
    changed = {**groups[group], name: value}
    if value is _DROP:
        del changed[name]
    if group == "cotangents":
        return name, what, None, changed
    held = {**groups, group: changed}
    return name, what, tuple(held[kind] for kind in (*GROUPS, "constants")), None
