"""Which way of calling somebody's function is right: found on a call whose states are known.

In: `Calls`, and `Known`. Out: the `Arrangement` by which most arrays returned are right states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, Final

import numpy as np

from numeric.verification.caller import Misbehaviour, Raised, one_line
from numeric.verification.frameworks.arrange import Arrangement, Calls, Form, Home, Leaf

ALIKE: Final = 1e-6
MOST_ORDERS: Final = 3  # states whose every order in a tuple is tried


@dataclass(frozen=True)
class Known:
    """A call, and the right states of it; T, B and the sizes all differ, and none is 1."""

    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    initial: Mapping[str, Any]
    constants: Mapping[str, Any]
    states: Mapping[str, Any]

    @property
    def groups(self) -> dict[str, Mapping[str, Any]]:
        """The arguments by group."""
        return {"params": self.params, "inputs": self.inputs, "initial": self.initial,
                "constants": self.constants}  # fmt: skip


def settled(calls: Calls, known: Known) -> Arrangement:
    """The way by which most arrays are the right states; the likeliest one if none is.

    Raises:
        Misbehaviour: if nothing that it returns has the shape of a state.
        Raised: if the function raises, however it is called.
    """
    best: tuple[tuple[int, int], Arrangement] | None = None
    problems: list[Exception] = []
    for way in _ways(calls, tuple(known.states)):
        try:
            found, right, likely = _tried(calls, way, known)
        except Exception as problem:  # it is their code's, and another way may do
            problems.append(problem)
            continue
        if best is None or (right, likely) > best[0]:
            best = (right, likely), found
    if best is not None:
        return best[1]
    if refusals := [problem for problem in problems if isinstance(problem, Misbehaviour)]:
        raise refusals[0]
    what = one_line(f"{type(problems[0]).__name__}: {problems[0]}")
    raise Raised(f"the function raised {what}") from problems[0]


def _ways(calls: Calls, states: tuple[str, ...]) -> Iterator[Arrangement]:
    slots = [slot for slot in calls.slots.values() if slot is not None]
    orders = [tuple(reversed(states))]
    if any(slot.kind == "bundle" for slot in slots) and len(states) <= MOST_ORDERS:
        orders += [order for order in permutations(states) if order not in orders]
    for order in orders:
        for layered in (False, True):
            yield Arrangement(step=False, order=order, layered=layered)
        yield Arrangement(step=True, order=order)


def _tried(calls: Calls, way: Arrangement, known: Known) -> tuple[Arrangement, int, int]:
    """The way with what its arrays are, how many of them are right, and how likely it looks.

    Raises:
        Misbehaviour: if none of them is like a state.
    """
    groups: dict[str, Mapping[str, Any]] = {
        group: {name: calls.framework.array(array) for name, array in arrays.items()}
        for group, arrays in known.groups.items()
    }
    want = known.states
    if way.step:
        groups, want = calls.at(groups, 0), {name: value[:1] for name, value in want.items()}
    leaves = calls.leaves(way, groups)
    homes, right = _homes(calls, way, leaves, want)
    found = {home[0] for home in homes if home is not None}
    if not found:
        shapes = ", ".join(str(tuple(leaf.value.shape)) for leaf in leaves) or "no array"
        raise Misbehaviour(f"expected states (T, B, n), or of one step (B, n); came {shapes}")
    short = all(home is None or home[1] != "whole" for home in homes)
    return replace(way, homes=homes), right, 2 * len(found) + short


def _homes(
    calls: Calls, way: Arrangement, leaves: Sequence[Leaf], want: Mapping[str, Any]
) -> tuple[tuple[Home, ...], int]:
    """Of each array its state and form, and how many are right.

    An array is the state of its name in a dict, or the one that it equals; the others, whole
    ones and last ones apart, are those that are left, if there are as many states, in their order.
    """
    forms = [_forms(calls, way, leaf, want) for leaf in leaves]
    homes: list[Home] = [None] * len(leaves)
    right = 0
    for place, (leaf, possible) in enumerate(zip(leaves, forms, strict=True)):
        for name, form in possible.items():
            value = calls.framework.numbers(calls.as_ours(leaf.value, form))
            wanted = want[name] if form == "whole" else want[name][-1]
            alike = bool(np.max(np.abs(value - wanted)) <= ALIKE * np.max(np.abs(wanted)))
            if leaf.name == name if leaf.name in want else alike:
                homes[place] = name, form
                right += alike
                break
    for whole in (True, False):
        group = [
            k for k, possible in enumerate(forms)
            if any((form == "whole") is whole for form in possible.values())
        ]  # fmt: skip
        taken = {home[0] for k in group if (home := homes[k]) is not None}
        left = [name for name in way.order if name not in taken]
        if len(group) <= len(way.order):
            for k in group:
                free = [name for name in left if name in forms[k]]
                if homes[k] is None and free:
                    homes[k] = free[0], forms[k][free[0]]
                    left.remove(free[0])
    return tuple(homes), right


def _forms(calls: Calls, way: Arrangement, leaf: Leaf, want: Mapping[str, Any]) -> dict[str, Form]:
    """The states that an array may be by its shape, and in which form."""
    shape = tuple(leaf.value.shape)
    found: dict[str, Form] = {}
    for name, value in want.items():
        steps, batch, *rest = value.shape
        lead = (batch, steps) if calls.batch_first else (steps, batch)
        if shape == (*lead, *rest) and not way.step:
            found[name] = "whole"
        elif shape == (batch, *rest):
            found[name] = "last"
        elif shape == (1, batch, *rest) and not way.step:
            found[name] = "layer"
    return found
