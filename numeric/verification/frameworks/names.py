"""What the arguments of somebody's function, or the parameters of a module, stand for in a cell.

In: their names, and the cell's. Out: `Slot`s. A name says what it is, or is refused with what was
expected: nothing is guessed from shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from numeric.verification.caller import Misbehaviour
from numeric.weights.layouts import TORCH, Gate

Kind = Literal[
    "parameter", "input", "initial", "constant", "bundle",
    "params", "inputs", "initials", "constants",
]  # fmt: skip
Declared = Mapping[str, Mapping[str, Sequence[str]]]

SECOND: Final = "_hh"  # a gate's second bias, where a framework has two and the cell one
_INPUTS: Final = frozenset({"x", "xs", "x_t", "xt", "input", "inputs", "sequence", "seq"})
_BUNDLES: Final = frozenset({
    "hx", "hidden", "carry", "state", "states", "state_prev", "init", "initial", "initial_state",
    "initial_states",
})  # fmt: skip
_GROUPS: Final[Mapping[str, Kind]] = {
    "params": "params", "inputs": "inputs", "initial": "initials", "constants": "constants"
}  # fmt: skip
_DECLARED: Final[Mapping[str, str]] = {
    "params": "PARAMETERS", "inputs": "INPUTS", "initial": "STATES", "constants": "CONSTANTS"
}  # fmt: skip
_INPUT_SIZE: Final = frozenset({"input_size", "input_dim", "in_features", "n_in", "d_in", "m"})
_STATE_SIZE: Final = frozenset({
    "hidden_size", "hidden_dim", "hidden_features", "hidden", "units", "n_hidden", "n"
})  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """What an argument or a parameter holds: arrays of the cell, by name.

    A parameter of several names has their arrays one below the other; a bundle is a tuple of all
    states, or the state if there is one; the last four kinds are dicts.
    """

    kind: Kind
    names: tuple[str, ...]


class Naming:
    """The names of one cell, and what they may be called."""

    def __init__(self, cell: str, declared: Declared) -> None:
        self.cell = cell
        self.declared = declared
        self.gates = TORCH.get(cell, ())
        constants = declared["CONSTANTS"].items()
        self.timed = frozenset(name for name, axes in constants if "T" in axes[:1])

    def with_second_biases(self, names: Iterable[str]) -> Naming:
        """The naming of the cell with those second biases among its parameters."""
        own = dict(self.declared["PARAMETERS"])
        own |= {name: self.axes(name) for name in sorted(names)}
        return Naming(self.cell, {**self.declared, "PARAMETERS": own})

    def axes(self, name: str) -> Sequence[str]:
        """The sizes of a parameter; of a second bias those of the cell's own."""
        known = self.declared["PARAMETERS"]
        return known[name if name in known else own_bias(name)]

    def of_arguments(self, names: Sequence[str]) -> dict[str, Slot | None]:
        """The slot of each argument; None where the name says nothing.

        Raises:
            Misbehaviour: if two say the same.
        """
        found = {name: self._argument(name, names) for name in names}
        single = [slot.names for slot in found.values() if slot is not None]
        if len({*single}) < len(single):
            twice = next(names for names in single if single.count(names) > 1)
            same = [name for name, slot in found.items() if slot and slot.names == twice]
            raise Misbehaviour(f"{' and '.join(same)} both stand for {', '.join(twice)}")
        return found

    def of_parameters(self, names: Iterable[str]) -> dict[str, Slot]:
        """The slot of each parameter of a module.

        Raises:
            Misbehaviour: for a name that says nothing, or two that say the same.
        """
        found: dict[str, Slot] = {}
        for name in names:
            slots = filter(None, (self.parameter(own) for own in _spellings(name)))
            if (slot := next(slots, None)) is None:
                raise Misbehaviour(
                    f"the parameter {name!r} is none of the cell's: expected {self.expected()}"
                )
            found[name] = slot
        held = [name for slot in found.values() for name in slot.names]
        if twice := {name for name in held if held.count(name) > 1}:
            raise Misbehaviour(f"two parameters stand for {', '.join(sorted(twice))}")
        if absent := {*self.declared["PARAMETERS"]} - {*held}:
            raise Misbehaviour(
                f"no parameter stands for {', '.join(sorted(absent))}: expected {self.expected()}"
            )
        return found

    def expected(self) -> str:
        """The names of parameters that say what they are."""
        own = ", ".join(self.declared["PARAMETERS"]) or "none"
        stacked = "; or weight_ih, weight_hh, bias_ih, bias_hh, with or without _l0, as PyTorch "
        return own + (f"{stacked}stacks the gates" if self.gates else "")

    def parameter(self, name: str) -> Slot | None:
        """The slot of a parameter's name: the cell's own, or one of PyTorch's stacked arrays."""
        if name in self.declared["PARAMETERS"]:
            return Slot("parameter", (name,))
        parts = [stacked(gate, name.removesuffix("_l0")) for gate in self.gates]
        held = tuple(part for part in parts if part is not None)
        return Slot("parameter", held) if held else None

    def _argument(self, name: str, others: Sequence[str]) -> Slot | None:
        declared = self.declared
        inputs, states = [*declared["INPUTS"]], [*declared["STATES"]]
        if name in _GROUPS and "params" in others:
            return Slot(_GROUPS[name], tuple(declared[_DECLARED[name]]))
        if (slot := self.parameter(name)) is not None:
            return slot
        if name in declared["CONSTANTS"]:
            return Slot("constant", (name,))
        if name in inputs:
            return Slot("input", (name,))
        for state in states:
            if name in _initials(state):
                return Slot("initial", (state,))
        separate = all(f"{state}x" in others for state in states)
        if separate and name.removesuffix("x") in states:
            return Slot("initial", (name.removesuffix("x"),))
        if name in _BUNDLES:
            return Slot("bundle", tuple(reversed(states)))
        if len(inputs) == 1 and name in _INPUTS:
            return Slot("input", (inputs[0],))
        return None

    def of_sizes(self, names: Sequence[str], sizes: Mapping[str, int]) -> dict[str, int] | None:
        """The number for each argument that is a size; None if one of them is none."""
        state = next(iter(self.declared["STATES"].values()))
        entry = next(iter(self.declared["INPUTS"].values()))
        found = {}
        for name in names:
            if name in sizes:
                found[name] = sizes[name]
            elif name in _INPUT_SIZE and len(entry) == 1 and entry[0] in sizes:
                found[name] = sizes[entry[0]]
            elif name in _STATE_SIZE and len(state) == 1 and state[0] in sizes:
                found[name] = sizes[state[0]]
            else:
                return None
        return found


def stacked(gate: Gate, name: str) -> str | None:
    """The gate's own parameter in the stacked array of that name; None if it has none there."""
    recurrent_bias = gate.recurrent_bias or f"{gate.bias}{SECOND}"
    return {
        "weight_ih": gate.input, "weight_hh": gate.recurrent, "bias_ih": gate.bias,
        "bias_hh": recurrent_bias, "bias": None if gate.recurrent_bias else gate.bias,
    }.get(name)  # fmt: skip


def is_second(cell: str, name: str) -> bool:
    """Whether a parameter is the second bias that PyTorch has beside the cell's."""
    return any(name == f"{gate.bias}{SECOND}" for gate in TORCH.get(cell, ()))


def own_bias(name: str) -> str:
    """The cell's bias, of a second one beside it."""
    return name.removesuffix(SECOND)


def _spellings(name: str) -> Iterator[str]:
    """A module's parameter by its whole name, as a layer's weight, and without what is before."""
    bare = name.removesuffix(".weight")
    yield from dict.fromkeys((name, bare, bare.rpartition(".")[2], name.rpartition(".")[2]))


def _initials(state: str) -> set[str]:
    return {state, f"{state}0", f"{state}_0", f"{state}_prev", f"{state}_init", f"initial_{state}",
            f"init_{state}"}  # fmt: skip
