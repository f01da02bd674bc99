"""Somebody's function or module of a framework, as an object of the module interface.

In: it, a cell's names, and a call whose right states are known. Out: `FrameworkCode`, with
`forward` and `backward` on NumPy arrays. The backward pass is the framework's, which calls the
one that is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from numeric.verification.frameworks.arrange import Calls
from numeric.verification.frameworks.callees import Thing
from numeric.verification.frameworks.framework import Framework, Function, Key, Pullback, Tensor
from numeric.verification.frameworks.names import Naming, is_second, own_bias
from numeric.verification.frameworks.settle import ALIKE, Known, settled
from numeric.verification.returned import sizes_in
from numeric.verification.watch import Subject

Groups = Mapping[str, Mapping[str, Any]]
_HOMES: Final[Mapping[str, str]] = {
    "params": "PARAMETERS", "inputs": "INPUTS", "initial": "STATES"
}  # fmt: skip


@dataclass(frozen=True)
class Tape:
    """What takes cotangents back, and the shape of each gradient."""

    pullback: Pullback
    shapes: Mapping[Key, tuple[int, ...]]


class FrameworkCode:
    """The function or module, called as a cell's module is.

    `declared` are the names that it has: a second bias beside each of the cell's among them,
    named with `_hh`, if the code has two.
    """

    def __init__(
        self, thing: Any, name: str, framework: Framework, naming: Naming, known: Known, *,
        batch_first: bool = False,
    ) -> None:  # fmt: skip
        """Settle how it is called, on the call that is known.

        Raises:
            Misbehaviour: if its names do not say what they stand for, or it raises.
        """
        self._framework = framework
        self._thing = Thing(thing, name, framework, batch_first)
        self._naming = naming
        self._made: dict[Any, Calls] = {}
        self._functions: dict[tuple[Calls, bool], Function] = {}
        calls = self._calls(known.groups)
        taken = {n for slot in (*calls.slots.values(), *calls.own.values()) if slot
                 for n in slot.names}  # fmt: skip
        second = {name for name in taken if is_second(naming.cell, name)}
        if second:
            self._naming = naming.with_second_biases(second)
            halves = {own_bias(name): known.params[own_bias(name)] / 2 for name in second}
            halves |= {name: halves[own_bias(name)] for name in second}
            known = replace(known, params={**known.params, **halves})
        self.way = settled(calls, known)
        self.causes = tuple(self._unlike(calls, known))
        _, tape = self.forward(known.params, known.inputs, known.initial, known.constants)
        every = tape.pullback({name: np.ones_like(value) for name, value in known.states.items()})
        self._without = {key for key, gradient in every.items() if gradient is None}

    @property
    def declared(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """The module constants, with what the code has beside the cell's."""
        return {group: {name: tuple(sizes) for name, sizes in names.items()}
                for group, names in self._naming.declared.items()}  # fmt: skip

    @property
    def subject(self) -> Subject:
        """The code as a subject of verification."""
        functions: dict[str, Callable[..., Any]] = {
            "forward": self.forward,
            "backward": self.backward,
        }
        return Subject(self.declared, functions, causes=self.causes)

    def forward(
        self, params: Mapping[str, Any], inputs: Mapping[str, Any],
        initial: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Tape]:  # fmt: skip
        """States, and what takes cotangents back.

        Raises:
            TypeError: for other numbers than a framework's.
        """
        groups: dict[str, Mapping[str, Any]] = {
            "params": params, "inputs": inputs, "initial": initial or {},
        }  # fmt: skip
        _require_floats(groups)
        groups["initial"] = {**self._zeros(groups), **groups["initial"]}
        leaves = {(group, name): array for group, arrays in groups.items()
                  for name, array in arrays.items()}  # fmt: skip
        states = self._states(self._calls(groups), given=initial is not None)
        values, pullback = self._framework.pulled_back(states, leaves, constants or {})
        return values, Tape(pullback, {key: array.shape for key, array in leaves.items()})

    def backward(
        self, params: Mapping[str, Any], tape: Tape, cotangents: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Gradients by group and name; one that the code never has is left out."""
        gradients: dict[str, dict[str, Any]] = {group: {} for group in _HOMES}
        dtype = next(iter(params.values())).dtype
        for key, gradient in tape.pullback(cotangents).items():
            group, name = key
            if gradient is not None:
                gradients[group][name] = gradient
            elif key not in self._without:
                gradients[group][name] = np.zeros(tape.shapes[key], dtype)
        return gradients

    def _unlike(self, calls: Calls, known: Known) -> Iterator[str]:
        """Of a state returned twice, in all steps and by itself: where the gradients differ."""
        if not self.way.twice:
            return

        def ends(leaves: Mapping[Key, Tensor], fixed: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return calls.ends(self.way, _groups(leaves, fixed))

        leaves = {(group, name): array for group in _HOMES
                  for name, array in known.groups[group].items()}  # fmt: skip
        values, pullback = self._framework.pulled_back(ends, leaves, known.constants)
        rng = np.random.default_rng(0)
        for name, array in values.items():
            state = name.removesuffix(calls.AGAIN)
            if state == name or state not in values:
                continue
            bar = rng.normal(size=array.shape)
            found = [pullback({one: bar}) for one in (state, name)]
            sizes = [_largest(gradients.values()) for gradients in found]
            off = _largest(
                0 if a is None and b is None else (0 if a is None else a) - (0 if b is None else b)
                for a, b in zip(found[0].values(), found[1].values(), strict=True)
            )
            if off > ALIKE * max(sizes):
                what = f"beside the last step of {state} it returns {state}_T by itself, and"
                if not sizes[1]:
                    yield f"{what} drops what comes back for that"
                elif not sizes[0]:
                    yield f"{what} drops what comes back for the last step"
                else:
                    yield f"{what} the two have other gradients"

    def _states(self, calls: Calls, *, given: bool) -> Function:
        """The states as a function of all that they depend on; one for the same calls."""
        if (calls, given) not in self._functions:

            def states(
                leaves: Mapping[Key, Tensor], fixed: Mapping[str, Tensor]
            ) -> dict[str, Tensor]:
                return calls.states(self.way, _groups(leaves, fixed), given=given)

            self._functions[calls, given] = states
        return self._functions[calls, given]

    def _sizes(self, groups: Groups) -> dict[str, int]:
        found: dict[str, int] = {}
        for group, home in _HOMES.items():
            found |= sizes_in(self._naming.declared[home], groups[group])
        return found

    def _calls(self, groups: Groups) -> Calls:
        sizes = self._sizes(groups)
        dtype = next(iter(groups["inputs"].values())).dtype
        key = (dtype.str, *sorted(sizes.items()))
        if key not in self._made:
            self._made[key] = self._thing.calls(self._naming, sizes, dtype)
        return self._made[key]

    def _zeros(self, groups: Groups) -> dict[str, Any]:
        """Initial states of zeros."""
        sizes, x = self._sizes(groups), next(iter(groups["inputs"].values()))
        return {
            name: np.zeros((x.shape[1], *(sizes[size] for size in axes)), x.dtype)
            for name, axes in self._naming.declared["STATES"].items()
        }


def _groups(
    leaves: Mapping[Key, Tensor], fixed: Mapping[str, Tensor]
) -> dict[str, Mapping[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in _HOMES}
    for (group, name), tensor in leaves.items():
        groups[group][name] = tensor
    return {**groups, "constants": fixed}


def _largest(arrays: Iterable[Any]) -> float:
    return max((float(np.max(np.abs(a), initial=0)) for a in arrays if a is not None), default=0.0)


def _require_floats(groups: Groups) -> None:
    """The numbers are those that a framework computes with.

    Raises:
        TypeError: if they are not.
    """
    for arrays in groups.values():
        for array in arrays.values():
            if array.dtype.kind != "f":
                raise TypeError(f"tensors hold floating numbers, not {array.dtype}")
