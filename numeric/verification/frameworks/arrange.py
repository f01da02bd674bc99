"""How somebody's function is called and read: over a sequence or step by step, what it returns.

In: the slots of its arguments, and arrays of a framework. Out: `Arrangement`, by which states are
had from it as the module interface has them, (T, B, n). What the names leave open, whether a
function takes one step, the order of states in a tuple, is settled on a call whose right states are
known (`code.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numeric.verification.frameworks.framework import Callee, Framework, Tensor
from numeric.verification.frameworks.names import Slot

Groups = Mapping[str, Mapping[str, Tensor]]
Form = Literal["whole", "last", "layer"]  # (T, B, …), (B, …), (1, B, …)
Home = tuple[str, Form] | None


@dataclass(frozen=True)
class Leaf:
    """An array of a result: the name that it is returned under, if any."""

    name: str | None
    value: Tensor


@dataclass(frozen=True)
class Arrangement:
    """One way to call a function and to read what it returns.

    `order` is that of the states in a tuple; `layered`: initial states have an axis of layers in
    front. `homes` says which state each array returned is, and in which form; None of what is none.
    """

    step: bool
    order: tuple[str, ...]
    layered: bool = False
    homes: tuple[Home, ...] = ()

    @property
    def twice(self) -> frozenset[str]:
        """The states that are returned with all steps, and the last one again by itself."""
        forms: dict[str, set[bool]] = {}
        for home in self.homes:
            if home is not None and not self.step:
                forms.setdefault(home[0], set()).add(home[1] == "whole")
        return frozenset(name for name, found in forms.items() if len(found) > 1)


@dataclass(frozen=True, eq=False)
class Calls:
    """The calls of one function: its arguments filled, over all steps or one.

    `slots` are those of its arguments, `own` those of a module's parameters; `timed` the constants
    that are given anew at each step.
    """

    AGAIN: ClassVar = ", by itself"
    framework: Framework
    callee: Callee
    slots: Mapping[str, Slot | None]
    own: Mapping[str, Slot]
    timed: frozenset[str]
    batch_first: bool

    def states(self, way: Arrangement, groups: Groups, *, given: bool) -> dict[str, Tensor]:
        """Every state that the function shows, (T, B, n); `given`: initial states are passed."""
        steps = next(iter(groups["inputs"].values())).shape[0]
        if way.step:
            return self._step_by_step(way, groups, steps)
        leaves = self.leaves(way, groups, given=given)
        whole, last = self._read(way, leaves)
        found = {}
        shorter: list[dict[str, list[Tensor]]] = []
        if {*last} - {*whole}:
            for length in range(1, steps):
                part = self.at(groups, slice(0, length))
                shorter.append(self._read(way, self.leaves(way, part, given=given))[1])
        for name in way.order:
            if name in whole:
                value = _agreed(whole[name])
                if name in last:
                    final = _agreed([value[-1], *last[name]])
                    value = self.framework.stack([*value[:-1], final])
                found[name] = value
            elif name in last:
                values = [*(_agreed(part[name]) for part in shorter), _agreed(last[name])]
                found[name] = self.framework.stack(values)
        return found

    def ends(self, way: Arrangement, groups: Groups) -> dict[str, Tensor]:
        """Of each state that is there twice the last of all steps, and the one by itself."""
        whole, last = self._read(way, self.leaves(way, groups))
        found = {name: values[0][-1] for name, values in whole.items() if name in way.twice}
        return found | {f"{name}{self.AGAIN}": last[name][0] for name in found}

    def leaves(self, way: Arrangement, groups: Groups, *, given: bool = True) -> list[Leaf]:
        """What a call returns, array by array."""
        places: list[Tensor] = []
        names: dict[str, Tensor] = {}
        for argument in self.callee.arguments:
            slot = self.slots[argument.name]
            absent = slot is None or (
                slot.kind in {"initial", "bundle"} and not given and not argument.required
            )
            if absent and not self.callee.by_place:
                continue
            value = argument.default if absent else self._value(slot, way, groups)
            if self.callee.by_place:
                places.append(value)
            else:
                names[argument.name] = value
        own = {name: self._parameter(slot, groups) for name, slot in self.own.items()}
        result = self.callee.call(own, places, names)
        return [leaf for leaf in _flat(result, None) if self.framework.is_array(leaf.value)]

    def _value(self, slot: Slot | None, way: Arrangement, groups: Groups) -> Any:
        assert slot is not None
        match slot.kind:
            case "parameter":
                return self._parameter(slot, groups)
            case "constant":
                return groups["constants"][slot.names[0]]
            case "input":
                return self._input(way, groups["inputs"][slot.names[0]])
            case "initial":
                return self._initial(way, groups["initial"][slot.names[0]])
            case "bundle":
                states = [name for name in way.order if name in groups["initial"]]
                held = tuple(self._initial(way, groups["initial"][name]) for name in states)
                return held if len(held) > 1 else held[0]
            case "inputs":
                return {name: self._input(way, a) for name, a in groups["inputs"].items()}
        return dict(groups[slot.kind])

    def _parameter(self, slot: Slot, groups: Groups) -> Tensor:
        parts = [groups["params"][name] for name in slot.names]
        return parts[0] if len(parts) == 1 else self.framework.joined(parts)

    def at(self, groups: Groups, steps: slice | int) -> dict[str, Mapping[str, Tensor]]:
        """The arguments of some steps, or of one."""
        return {
            **groups,
            "inputs": {name: value[steps] for name, value in groups["inputs"].items()},
            "constants": {name: value[steps] if name in self.timed else value
                          for name, value in groups["constants"].items()},
        }  # fmt: skip

    def _input(self, way: Arrangement, value: Tensor) -> Tensor:
        return value if way.step or not self.batch_first else self.framework.swapped(value)

    def _initial(self, way: Arrangement, value: Tensor) -> Tensor:
        return value[None] if way.layered else value

    def _step_by_step(self, way: Arrangement, groups: Groups, steps: int) -> dict[str, Tensor]:
        states = dict(groups["initial"])
        found: dict[str, list[Tensor]] = {}
        for t in range(steps):
            now = {**self.at(groups, t), "initial": states}
            held: dict[str, list[Tensor]] = {}
            for home, leaf in zip(way.homes, self.leaves(way, now), strict=True):
                if home is not None:
                    held.setdefault(home[0], []).append(leaf.value)
            made = {name: _agreed(values) for name, values in held.items()}
            states = {name: made.get(name, value) for name, value in states.items()}
            for name, value in made.items():
                found.setdefault(name, []).append(value)
        return {name: self.framework.stack(values) for name, values in found.items()}

    def _read(
        self, way: Arrangement, leaves: Sequence[Leaf]
    ) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
        """The arrays of each state: of all steps, time in front, and of the last step."""
        whole: dict[str, list[Tensor]] = {}
        last: dict[str, list[Tensor]] = {}
        for home, leaf in zip(way.homes, leaves, strict=True):
            if home is not None:
                name, form = home
                kept = whole if form == "whole" else last
                kept.setdefault(name, []).append(self.as_ours(leaf.value, form))
        return whole, last

    def as_ours(self, value: Tensor, form: Form) -> Tensor:
        """The array with time in front, or without an axis of layers."""
        if form == "whole" and self.batch_first:
            return self.framework.swapped(value)
        return value[0] if form == "layer" else value


def _agreed(values: Sequence[Tensor]) -> Tensor:
    """The mean of what should be one array: exactly it if it is, and each has its share in it."""
    first, *others = values
    total = first
    for other in others:
        total = total + (other - first) * (1 / len(values))
    return total


def _flat(result: Any, name: str | None) -> Iterator[Leaf]:
    if isinstance(result, Mapping):
        for key, value in result.items():
            yield from _flat(value, str(key))
    elif isinstance(result, (tuple, list)):
        for value in result:
            yield from _flat(value, None)
    elif result is not None:
        yield Leaf(name, result)
