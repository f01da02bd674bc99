"""A C file's passes, called on NumPy arrays: compiled, checked, given pointers.

In: the source of a C file, and nothing else. Out: `forward` and `backward` with the interface that
emitted NumPy code has, and its words for what is wrong with an argument. A library is built at
the first call with its dtype. What was seen before is not examined again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import prod
from typing import Any, Final

import numpy as np

from numeric.compiler.argument_checks import each_sample, fixed_sizes, shown, shown_by_states, take
from numeric.compiler.to_c.build import library
from numeric.compiler.to_c.interface import Interface, Slot
from numeric.compiler.to_c.known import Block, Known, NativeTape, Seen, told
from numeric.compiler.to_c.pools import Array, Layout, Made, Memory, Results, address_of

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_ssize_t
_PASS: Final[tuple[Any, list[Any]]] = (None, [_POINTER] * 4)
# what the functions of a file return and take, but for the passes
_TYPES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "tape_bytes": (_COUNT, [_POINTER]),
    "workspace_bytes": (_COUNT, [_POINTER]),
    "workspace_part": (_COUNT, [_POINTER, _COUNT]),
}
KINDS: Final = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
RETURNED: Final = ("states", "outputs")
GRADIENTS: Final = ("gradients.params", "gradients.inputs", "gradients.initial")


@dataclass
class Calls:
    """The two passes of one file, for both dtypes."""

    source: str
    interface: Interface
    declared: dict[str, dict[str, tuple[str, ...]]] = field(init=False)
    loaded: dict[str, Callable[[str], Any]] = field(default_factory=dict)
    recent: Known | None = None
    last: dict[tuple[str, ...], Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The names and sizes of the interface, from the listing."""
        groups = {"PARAMETERS": "params", "INPUTS": "inputs", "STATES": "states",
                  "OUTPUTS": "outputs", "CONSTANTS": "constants"}  # fmt: skip
        self.declared = {
            name: {s.key: _own(s) for s in self.interface.slots if s.group == group}
            for name, group in groups.items()
        }
        self.fixed_sizes = fixed_sizes(slot.dims for slot in self.interface.slots)
        self.shown_by_states = shown_by_states(self.declared)
        self.size_type = type(
            "Sizes", (ctypes.Structure,),
            {"_fields_": [(member, ctypes.c_ssize_t) for _, member in self.interface.sizes]},
        )  # fmt: skip
        self.places: dict[str, list[tuple[int, str]]] = {}
        for place, slot in enumerate(self.interface.slots):
            self.places.setdefault(slot.group, []).append((place, slot.key))
        self.tapes, self.rooms = Memory(), Memory()
        self.pointers = ctypes.c_void_p * len(self.interface.slots)

    def functions(self, dtype: Any) -> Callable[[str], Any]:
        """The functions of the file for a dtype, by name."""
        kind, prefix = KINDS[dtype], self.interface.prefix
        if kind not in self.loaded:
            opened = ctypes.CDLL(str(library(self.source, prefix, kind)))

            def named(name: str) -> Any:
                found = opened[f"{prefix}_{kind}_{name}"]
                found.restype, found.argtypes = _TYPES.get(name, _PASS)
                return found

            self.loaded[kind] = named
        return self.loaded[kind]

    def know(self, sizes: Mapping[str, int], dtype: Any, *blocks: tuple[str, ...]) -> Known:
        """What calls of these sizes need; `blocks`: the groups of results that share memory."""
        shapes: dict[str, dict[str, tuple[int, ...]]] = {"initial": {}, "constants": {}}
        for slot in self.interface.slots:
            shape = tuple(_extent(size, sizes) for size in slot.dims)
            if slot.group == "states":
                shapes["initial"][slot.key] = shape[1:]
                shape = (shape[0] + 1, *shape[1:])
            shapes.setdefault(slot.group, {})[slot.key] = shape
        at = ctypes.byref(self.size_type(*(sizes.get(n, 0) for n, _ in self.interface.sizes)))
        names = ("tape_bytes", "workspace_bytes", "forward", "backward")
        tape_bytes, workspace_bytes, first, second = map(self.functions(dtype), names)
        laid = {}
        for groups in blocks:
            layout = Layout(
                {(g, n): s for g in groups for n, s in shapes.get(g, {}).items()}, dtype
            )
            pointers = [
                (place, layout.places[group, key])
                for group in groups
                for place, key in self.places.get(group, ())
            ]
            laid[groups] = Block(layout, Results(), tuple(pointers))
        weights = [shape for shape in shapes.get("params", {}).values() if len(shape) == 2]
        return Known(
            sizes,
            dtype,
            shapes,
            at,
            tape_bytes(at),
            workspace_bytes(at),
            (first, second),
            laid,
            sizes["T"] * sizes["B"] * sum(map(prod, weights)),
        )

    def of_sizes(self, sizes: Mapping[str, int], dtype: Any, *blocks: tuple[str, ...]) -> Known:
        """What is known of them from the last call, or made; other threads may ask for others."""
        found = self.recent
        if found is None or (found.sizes, found.dtype) != (sizes, dtype):
            found = self.recent = self.know(sizes, dtype, *blocks)
        return found

    # ---- pointers ---------------------------------------------------------------------------

    def fill(self, known: Known | None, pointers: Any, groups: Mapping[str, Any]) -> bool:
        """The pointers of some groups' arrays; False if one cannot be handed on as it is.

        Arrays that came last time are not examined again, but for shape and dtype.
        """
        key, given = tuple(groups), tuple(groups.values())
        last = self.last.get(key)
        if last is None or last.known is not known or not last.same(given):
            last = None if known is None else self._seen(known, key, given)
            if last is None:
                return False
            self.last[key] = last
        for place, address in last.pointers:
            pointers[place] = address
        return True

    def _seen(self, known: Known, groups: tuple[str, ...], given: tuple[Any, ...]) -> Seen | None:
        """The arrays with their addresses; None if one is not as C wants it."""
        found: list[tuple[int, int]] = []
        for group, named in zip(groups, given, strict=True):
            shapes = known.shapes.get(group, {})
            if (
                type(named) is not dict
                or not named.keys() <= shapes.keys()
                or (group != "cotangents" and len(named) < len(shapes))
                or not all(known.takes(array, shapes[key]) for key, array in named.items())
            ):
                return None
            places = self.places.get(group, ())
            found += [(place, address_of(named[key])) for place, key in places if key in named]
        arrays = tuple(chain(*map(dict.values, given)))
        kinds, names = tuple(map(type, given)), tuple(map(tuple, given))
        return Seen(known, kinds, names, arrays, told(arrays), tuple(found))

    def point(self, pointers: Any, groups: Mapping[str, Mapping[str, Array]]) -> None:
        """The pointers of arrays that are as C wants them."""
        for group, given in groups.items():
            for place, key in self.places.get(group, ()):
                if key in given:
                    pointers[place] = address_of(given[key])

    def results(
        self, known: Known, pointers: Any, groups: tuple[str, ...]
    ) -> tuple[tuple[Array, int], Made]:
        """A block of results with its address, and its arrays; their pointers are set."""
        block = known.blocks[groups]
        memory, address, made = block.held.take(block.layout)
        for place, start in block.pointers:
            pointers[place] = address + start
        return (memory, address), made

    def split(self, known: Known) -> Any:
        """The parts that a batch is worked on in; None for one."""
        return None

    def ready(
        self, known: Known, number: int, pointers: Any, tape: int, split: Any
    ) -> partial[None]:
        """One pass, to be called: on a workspace that is nobody else's as long as it is kept."""
        room, address = self.rooms.take(known.workspace_bytes)
        return partial(_called, known.passes[number], known.at, pointers, tape, address, room)

    # ---- the interface ----------------------------------------------------------------------

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], NativeTape]:
        """The states of every step, and the tape that `backward` needs.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        known, pointers, groups, initial = self.asked(params, inputs, initial, constants)
        return self.onward(known, pointers, groups, initial)

    def asked(
        self, params: Any, inputs: Any, initial: Any, constants: Any
    ) -> tuple[Known, Any, dict[str, Any], Mapping[str, Array]]:
        """What the pass forward is asked: its sizes, pointers of what is given, initial states.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        known, pointers = self.recent, self.pointers()
        constants = {} if constants is None else constants
        initial = {} if initial is None else initial
        groups = {"params": params, "inputs": inputs, "constants": constants}
        if (
            not self.fill(known, pointers, groups)
            or known is None
            or not hasattr(initial, "keys")
            or not all([
                known.takes(array, known.shapes["initial"].get(name))
                for name, array in initial.items()
            ])
        ):
            known, groups, initial = self.checked(params, inputs, initial, constants)
            self.point(pointers, groups)
        return known, pointers, groups, initial

    def onward(
        self, known: Known, pointers: Any, groups: Mapping[str, Any], initial: Mapping[str, Array]
    ) -> tuple[dict[str, Array], NativeTape]:
        """The pass forward on arrays that are as C wants them; `pointers` has those given."""
        states, made = self.results(known, pointers, RETURNED)
        for name, rows in made["states"].items():
            rows[0] = initial.get(name, 0)
        split = self.split(known)
        memory = self.tapes.take((split or known).tape_bytes)
        self.ready(known, 0, pointers, memory[1], split)()
        given = {group: dict(arrays) for group, arrays in groups.items()}  # whatever they become
        tape = NativeTape(known, given, pointers, states[0], memory, split)
        states_now = {name: array[1:] for name, array in made["states"].items()}
        return states_now | made.get("outputs", {}), tape

    def checked(
        self, params: Any, inputs: Any, initial: Any, constants: Any
    ) -> tuple[Known, dict[str, Any], dict[str, Array]]:
        """The arguments as C wants them, and what is now known of their shapes.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        sizes = dict(self.fixed_sizes)
        kinds: dict[Any, str] = {}
        held, states = self.declared, self.declared["STATES"]
        taken = {"params": take("params", params, held["PARAMETERS"], (), sizes, kinds)}
        taken["inputs"] = take("inputs", inputs, held["INPUTS"], ("T", "B"), sizes, kinds)
        initial = take("initial", initial, states, ("B",), sizes, kinds, optional=True)
        constants = take("constants", constants, held["CONSTANTS"], (), sizes, kinds)
        shown(sizes, self.shown_by_states)
        dtype = native(kinds)
        taken["constants"] = {
            name: each_sample(array, held["CONSTANTS"][name], sizes["B"])
            for name, array in constants.items()
        }
        groups = {
            group: {name: in_order(array) for name, array in arrays.items()}
            for group, arrays in taken.items()
        }
        return self.of_sizes(sizes, dtype, RETURNED, GRADIENTS), groups, initial

    def backward(self, params: Any, tape: Any, cotangents: Any) -> dict[str, dict[str, Array]]:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, NativeTape):
            raise ValueError("tape: expected what forward returned")
        known, pointers = tape.known, self.pointers.from_buffer_copy(tape.pointers)
        held = self.asked_back(known, pointers, params, cotangents)  # copies among them
        found = self.back(known, pointers, tape)
        del held
        return found

    def asked_back(
        self, known: Known, pointers: Any, params: Any, cotangents: Any
    ) -> dict[str, Mapping[str, Array]]:
        """What the pass back is asked, as C wants it: its pointers are set.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        groups = {"params": params, "cotangents": {} if cotangents is None else cotangents}
        if not self.fill(known, pointers, groups):
            params, cotangents = self.checked_back(known, params, groups["cotangents"])
            groups = {"params": params, "cotangents": cotangents}
            self.point(pointers, groups)
        return groups

    def back(self, known: Known, pointers: Any, tape: NativeTape) -> dict[str, dict[str, Array]]:
        """The pass back on arrays that are as C wants them."""
        block, made = self.results(known, pointers, GRADIENTS)
        self.ready(known, 1, pointers, tape.memory[1], tape.split)()
        del block
        return {name: made.get(group, {}) for name, group in zip(_OWN, GRADIENTS, strict=True)}

    def checked_back(self, known: Known, params: Any, cotangents: Any) -> tuple[Any, Any]:
        """The arguments of the pass back as C wants them.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        sizes, kinds, held = dict(known.sizes), {known.dtype: "forward"}, self.declared
        params = take("params", params, held["PARAMETERS"], (), sizes, kinds)
        names = held["STATES"] | held["OUTPUTS"]
        cotangents = take("cotangents", cotangents, names, ("T", "B"), sizes, kinds, optional=True)
        params = {name: in_order(array) for name, array in params.items()}
        return params, {name: in_order(array) for name, array in cotangents.items()}

    def prepared(
        self, params: Any, inputs: Any, cotangents: Any, initial: Any = None, constants: Any = None
    ) -> tuple[Callable[[], None], dict[str, dict[str, Array]]]:
        """A call of both passes on these very arrays, and where it leaves the gradients.

        What the arrays hold may change from call to call; they themselves are checked once.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        _, tape = self.forward(params, inputs, initial, constants)
        known, pointers = tape.known, self.pointers.from_buffer_copy(tape.pointers)
        self.backward(params, tape, cotangents)
        groups = {**tape.given, "params": params, "cotangents": cotangents}
        if not self.fill(known, pointers, groups):
            raise ValueError("prepared: expected arrays row by row without gaps")
        block, made = self.results(known, pointers, GRADIENTS)
        forward, backward = (
            self.ready(known, number, pointers, tape.memory[1], tape.split) for number in (0, 1)
        )

        def again() -> None:
            forward()
            backward()

        rooms = (forward.args[-1], backward.args[-1])
        again.keep = (tape, rooms, groups, block, made)  # type: ignore[attr-defined]
        found = {name: made.get(group, {}) for name, group in zip(_OWN, GRADIENTS, strict=True)}
        return again, found


def _called(
    function: Callable[..., None], sizes: Any, pointers: Any, tape: int, room: int, _: Array
) -> None:
    function(sizes, pointers, tape, room)


_OWN: Final = tuple(group.removeprefix("gradients.") for group in GRADIENTS)


def native(kinds: Mapping[Any, str]) -> Any:
    """The one dtype of a call.

    Raises:
        ValueError: if C has no code for it.
    """
    ((dtype, where),) = kinds.items()
    if dtype not in KINDS:
        raise ValueError(f"{where}: the C code takes float32 or float64, came {dtype}")
    return dtype


def _own(slot: Slot) -> tuple[str, ...]:
    """The sizes as a module declares them: without T and B, but for a constant's T."""
    if slot.group == "constants":
        return ("T", *slot.dims[2:]) if slot.dims[:1] == ("T",) else slot.dims
    return slot.dims[2:] if slot.group in {"inputs", *RETURNED} else slot.dims


def _extent(size: str, sizes: Mapping[str, int]) -> int:
    if size in sizes:
        return sizes[size]
    return sum(sizes.get(part, 0) for part in size.split("+"))


def in_order(array: Array) -> Array:
    """The array row by row without gaps; its own shape, also where it has none."""
    return np.ascontiguousarray(array).reshape(array.shape)
