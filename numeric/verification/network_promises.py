"""How a network's module behaves: the promises of its interface, and what padding may not do.

In: a guarded module and a network. Out: nothing where all promises hold, else `Misbehaviour`
with the promise that was broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.network import Network
from numeric.verification.cases import GROUPS
from numeric.verification.network_cases import (
    NetworkCase,
    declared_by_network,
    make_network_case,
    ordinary_network_sizes,
    whole,
)
from numeric.verification.network_guard import NetworkGuard
from numeric.verification.watch import Misbehaviour, Raised

Found = tuple[Any, dict[str, dict[str, Any]]]
_FAR: Final = 1e6


def call_network(guard: NetworkGuard, case: NetworkCase) -> Found:
    """Loss and gradients of the case.

    Raises:
        Misbehaviour: if the module misbehaves.
    """
    return guard.loss_and_gradient(*case.arguments())


def check_network_declared(network: Network, guard: NetworkGuard) -> None:
    """The module's constants are the network's names, with a size for each axis.

    Raises:
        Misbehaviour: if one of them is not.
    """
    for group, expected in declared_by_network(network).items():
        found = guard.subject.declared[group]
        for name in {**expected, **found}:
            axes = expected.get(name)
            if name not in found or axes != len(found[name]):
                wanted = "no such name" if axes is None else f"{axes} size names"
                came = found.get(name, "it is missing")
                raise Misbehaviour(f"{group}[{name!r}]: expected {wanted}, came {came}")


def check_network_promises(network: Network, guard: NetworkGuard) -> None:
    """A call keeps its dtype, may be repeated, and takes what is missing for what it stands for.

    Raises:
        Misbehaviour: if a promise is broken.
    """
    sizes = ordinary_network_sizes(network)
    for dtype in ("float64", "float32"):
        case = make_network_case(network, sizes, steps=3, batch=3, seed=1, dtype=dtype)
        first, again = call_network(guard, case), call_network(guard, case)
        _require_equal(first, again, f"{dtype}, called again:")
        full = replace(case, lengths=np.full(case.batch, case.steps))
        _require_equal(
            call_network(guard, full), call_network(guard, replace(case, lengths=None)),
            "without lengths:", 1e-10 if dtype == "float64" else 1e-4,
        )  # fmt: skip
    for name, value in case.initial.items():
        absent = {other: array for other, array in case.initial.items() if other != name}
        _require_equal(
            call_network(guard, replace(case, initial={**absent, name: np.zeros_like(value)})),
            call_network(guard, replace(case, initial=absent)),
            f"without initial[{name!r}]:",
        )
    steps = ((0, 2), (3, 0), (0, 0)) if network.loss_at == "all" else ((3, 0),)
    for T, B in steps:
        empty = make_network_case(network, sizes, steps=T, batch=B, seed=3)
        loss, gradients = call_network(guard, empty)
        arrays = {"loss": loss, **{f"{g}[{n!r}]": a for g in ("params", "initial")
                                   for n, a in gradients[g].items()}}  # fmt: skip
        for label, value in arrays.items():
            if np.any(value):
                raise Misbehaviour(f"{label} is not zero at T = {T}, B = {B}")


def check_padding(network: Network, guard: NetworkGuard, seeds: range) -> int:
    """What stands after a sample's end changes nothing, not by a bit, and has gradient zero.

    Raises:
        Misbehaviour: if something of it gets into the loss or a gradient.
    """
    sizes = ordinary_network_sizes(network)
    for seed in seeds:
        case = make_network_case(network, sizes, steps=4, batch=3, seed=seed)
        lengths = np.array([4, 2, 1])
        if network.loss_at == "all" and seed % 2:
            lengths = np.array([3, 0, 1])
        case = replace(case, lengths=lengths)
        wanted = call_network(guard, case)
        for what, changed in _padded_otherwise(network, case):
            _require_equal(wanted, call_network(guard, changed), f"with other padding in {what}:")
        for name, gradient in wanted[1]["inputs"].items():
            if np.any(gradient[case.outside]):
                raise Misbehaviour(f"inputs[{name!r}]: the gradient of padding is not zero")
    return len(seeds)


def _padded_otherwise(network: Network, case: NetworkCase) -> Iterator[tuple[str, NetworkCase]]:
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
    if network.loss_at == "all":
        for value in (-7,) if whole(case.targets) else (np.nan, _FAR):
            yield "targets", replace(case, targets=filled(case.targets, value))
    for name, array in case.constants.items():
        for value in (np.nan, 3.0) if array.ndim == 3 else ():
            constants = {**case.constants, name: filled(array, value)}
            yield f"constants[{name!r}]", replace(case, constants=constants)


def _require_equal(left: Found, right: Found, what: str, slack: float = 0.0) -> None:
    """Loss and gradients equal to the bit, or to so much of the array's largest entry.

    Raises:
        Misbehaviour: if they are not.
    """
    pairs = {"loss": (left[0], right[0])}
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


def check_network_arguments(network: Network, guard: NetworkGuard) -> int:
    """A wrong name, shape or dtype is a `ValueError` that names the argument.

    Raises:
        Misbehaviour: if a wrong argument is accepted, or refused in another way.
    """
    case = make_network_case(network, ordinary_network_sizes(network), steps=3, batch=2, seed=4)
    case = replace(case, lengths=np.array([3, 2]))
    count = 0
    for name, what, wrong in _wrong_calls(network, case):
        count += 1
        try:
            call_network(guard, wrong)
        except Raised as problem:
            if not isinstance(problem.__cause__, ValueError) or name not in str(problem):
                raise Misbehaviour(
                    f"{name}: {what} should be a ValueError that names it; {problem}"
                ) from problem
        else:
            raise Misbehaviour(f"{name}: {what} is accepted")
    return count


def _wrong_calls(network: Network, case: NetworkCase) -> Iterator[tuple[str, str, NetworkCase]]:
    """Calls with one thing wrong: the name that must be said, what is wrong, the call."""
    for group in (*GROUPS, "constants"):
        arrays = getattr(case, group)
        for name, array in arrays.items():
            for what, value in _wrong_arrays(array):
                yield name, what, _with(case, group, {**arrays, name: value})
            if group != "initial":
                less = {other: value for other, value in arrays.items() if other != name}
                said = "constants" if group == "constants" and not less else name
                yield said, "its absence", _with(case, group, less)
        more = {**arrays, "no_such_name": np.zeros(2)}
        yield "no_such_name", "an unknown name", _with(case, group, more)
    for what, value in _wrong_arrays(case.targets):
        yield "targets", what, replace(case, targets=value)
    lengths = case.lengths
    wrong = {
        "numbers that are not whole": lengths * 1.0, "more than T": lengths + 1,
        "less than 0": lengths - 4, "one for each step": np.ones((3, 2), int),
    }  # fmt: skip
    if network.loss_at == "last":
        wrong["a length of 0"] = lengths * 0
    for what, value in wrong.items():
        yield "lengths", what, replace(case, lengths=value)
    if whole(case.targets):
        q = case.sizes["q"]
        yield "targets", "the number q", replace(case, targets=np.full_like(case.targets, q))
        yield "targets", "less than 0", replace(case, targets=case.targets - q)


def _with(case: NetworkCase, group: str, arrays: Any) -> NetworkCase:
    changed: dict[str, Any] = {group: arrays}
    return replace(case, **changed)


def _wrong_arrays(array: Any) -> Iterator[tuple[str, Any]]:
    yield "one axis too many", array[None, None, None]
    if whole(array):
        yield "a floating array", array * 1.0
    else:
        yield "an integer array", np.zeros(array.shape, dtype=int)
        yield "another dtype", array.astype(np.float32)
