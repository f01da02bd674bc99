"""A C file as a module with `forward` and `backward`: compiled, and called on NumPy arrays.

In: the source of a C file, and nothing else. Out: a module with the interface that emitted NumPy
code has, and its words for what is wrong with an argument. A library is built at the first call
with its dtype.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from threading import Lock
from types import ModuleType
from typing import Any, Final

import numpy as np

from numeric.compiler.argument_checks import CHECKS
from numeric.compiler.to_c.build import library
from numeric.compiler.to_c.interface import Interface, Slot, read

_CHECKS: Final[dict[str, Any]] = {"np": np}
exec(compile(CHECKS, "<checks of arguments>", "exec"), _CHECKS)
_take: Final = _CHECKS["_take"]
_KINDS: Final = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
_LINE: Final = 64  # bytes: no two results share a line of the cache
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Known:
    """The sizes of one call, and the shape of every array of a call of these sizes."""

    sizes: Mapping[str, int]
    dtype: Any
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    at: Any
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Where each array begins, in bytes, in the one block that a call's results share."""
        for groups in (_RETURNED, _GRADIENTS):
            end = 0
            for group in groups:
                for name, shape in self.shapes.get(group, {}).items():
                    self.places[group, name] = end
                    end += -(-prod(shape) * self.dtype.itemsize // _LINE) * _LINE

    def block(self, *groups: str) -> tuple[Array, dict[str, dict[str, Array]]]:
        """Memory for all arrays of the groups, and the arrays in it."""
        shapes, size = self.shapes, self.dtype.itemsize
        ends = [
            self.places[group, name] + prod(shape) * size
            for group in groups
            for name, shape in shapes.get(group, {}).items()
        ]
        block = np.empty(max(ends, default=0) // size, self.dtype)
        made: dict[str, dict[str, Array]] = {}
        for group in groups:
            made[group] = {}
            for name, shape in shapes.get(group, {}).items():
                start = self.places[group, name] // size
                made[group][name] = block[start : start + prod(shape)].reshape(shape)
        return block, made

    def fits(self, group: str, given: Any, *, some: bool = False) -> bool:
        """Whether the arrays can be handed on as they are: right in name, shape, dtype, order."""
        shapes, dtype = self.shapes[group], self.dtype
        if type(given) is not dict or not (some or len(given) == len(shapes)):
            return False
        for name, array in given.items():
            if (
                type(array) is not np.ndarray
                or array.dtype != dtype
                or array.shape != shapes.get(name)
                or not array.flags.c_contiguous
            ):
                return False
        return True


@dataclass(frozen=True)
class NativeTape:
    """What the pass forward leaves for the pass back."""

    known: Known
    given: Mapping[str, Mapping[str, Array]]
    states: Mapping[str, Array]
    block: Array
    memory: Array


@dataclass
class Calls:
    """The two passes of one file, for both dtypes."""

    source: str
    interface: Interface
    declared: dict[str, dict[str, tuple[str, ...]]] = field(init=False)
    loaded: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    recent: Known | None = None
    seen: dict[int, tuple[Array, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The names and sizes of the interface, from the listing."""
        groups = {"PARAMETERS": "params", "INPUTS": "inputs", "STATES": "states",
                  "OUTPUTS": "outputs", "CONSTANTS": "constants"}  # fmt: skip
        self.declared = {
            name: {s.key: _own(s) for s in self.interface.slots if s.group == group}
            for name, group in groups.items()
        }
        self.size_type = type(
            "Sizes", (ctypes.Structure,),
            {"_fields_": [(member, ctypes.c_ssize_t) for _, member in self.interface.sizes]},
        )  # fmt: skip
        self.order = [(slot.group, slot.key) for slot in self.interface.slots]
        self.tapes, self.rooms = Memory(), Memory()
        self.pointers = ctypes.c_void_p * len(self.interface.slots)

    def functions(self, dtype: Any) -> tuple[Any, ...]:
        """tape_bytes, workspace_bytes, forward and backward for a dtype."""
        kind = _KINDS[dtype]
        if kind not in self.loaded:
            prefix = self.interface.prefix
            opened = ctypes.CDLL(str(library(self.source, prefix, kind)))
            found = [
                getattr(opened, f"{prefix}_{kind}_{name}")
                for name in ("tape_bytes", "workspace_bytes", "forward", "backward")
            ]
            for size in found[:2]:
                size.restype, size.argtypes = ctypes.c_ssize_t, [ctypes.c_void_p]
            for run in found[2:]:
                run.restype, run.argtypes = None, [ctypes.c_void_p] * 4
            self.loaded[kind] = tuple(found)
        return self.loaded[kind]

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], NativeTape]:
        """The states of every step, and the tape that `backward` needs.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        groups = {"params": params, "inputs": inputs, "constants": constants or {}}
        known = self.recent
        if known is None or not (
            all(known.fits(group, given) for group, given in groups.items())
            and known.fits("initial", initial or {}, some=True)
        ):
            known, groups, initial = self._checked(params, inputs, initial, constants)
        block, made = known.block(*_RETURNED)
        states = made["states"]
        for name, rows in states.items():
            rows[0] = (initial or {}).get(name, 0)
        tape_bytes, workspace_bytes, run, _ = self.functions(known.dtype)
        memory = self.tapes.take(tape_bytes(known.at))
        tape = NativeTape(known, groups, states, block, memory)
        self._call(run, tape, groups, dict.fromkeys(_RETURNED, block), workspace_bytes)
        return {name: a[1:] for name, a in states.items()} | made["outputs"], tape

    def _checked(
        self, params: Any, inputs: Any, initial: Any, constants: Any
    ) -> tuple[Known, dict[str, Any], dict[str, Array]]:
        """The arguments as C wants them, and what is now known of their shapes.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        sizes: dict[str, int] = {}
        kinds: dict[Any, str] = {}
        held, states = self.declared, self.declared["STATES"]
        taken = {"params": _take("params", params, held["PARAMETERS"], (), sizes, kinds)}
        taken["inputs"] = _take("inputs", inputs, held["INPUTS"], ("T", "B"), sizes, kinds)
        initial = _take("initial", initial, states, ("B",), sizes, kinds, optional=True)
        constants = _take("constants", constants, held["CONSTANTS"], (), sizes, kinds)
        ((dtype, where),) = kinds.items()
        if dtype not in _KINDS:
            raise ValueError(f"{where}: the C code takes float32 or float64, came {dtype}")
        taken["constants"] = {
            name: _each_sample(array, sizes) if held["CONSTANTS"][name][:1] == ("T",) else array
            for name, array in constants.items()
        }
        groups = {
            group: {name: _in_order(array) for name, array in arrays.items()}
            for group, arrays in taken.items()
        }
        shapes: dict[str, dict[str, tuple[int, ...]]] = {"initial": {}}
        for slot in self.interface.slots:
            shape = tuple(_extent(size, sizes) for size in slot.dims)
            if slot.group == "states":
                shapes["initial"][slot.key] = shape[1:]
                shape = (shape[0] + 1, *shape[1:])
            shapes.setdefault(slot.group, {})[slot.key] = shape
        shapes.setdefault("constants", {})
        shapes.setdefault("params", {})
        at = ctypes.byref(self.size_type(*(sizes.get(n, 0) for n, _ in self.interface.sizes)))
        self.recent = Known(sizes, dtype, shapes, at)
        return self.recent, groups, initial

    def backward(self, params: Any, tape: Any, cotangents: Any) -> dict[str, dict[str, Array]]:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, NativeTape):
            raise ValueError("tape: expected what forward returned")
        known = tape.known
        if not (
            known.fits("params", params) and known.fits("cotangents", cotangents or {}, some=True)
        ):
            sizes, kinds, held = dict(known.sizes), {known.dtype: "forward"}, self.declared
            params = _take("params", params, held["PARAMETERS"], (), sizes, kinds)
            cotangents = _take(
                "cotangents", cotangents, held["STATES"] | held["OUTPUTS"], ("T", "B"), sizes,
                kinds, optional=True,
            )  # fmt: skip
            params = {name: _in_order(array) for name, array in params.items()}
            cotangents = {name: _in_order(array) for name, array in cotangents.items()}
        block, made = known.block(*_GRADIENTS)
        _, workspace_bytes, _, run = self.functions(known.dtype)
        groups = {**tape.given, "params": params, "cotangents": cotangents or {}}
        blocks = dict.fromkeys(_RETURNED, tape.block) | dict.fromkeys(_GRADIENTS, block)
        self._call(run, tape, groups, blocks, workspace_bytes)
        return {group.removeprefix("gradients."): found for group, found in made.items()}

    def prepared(
        self, params: Any, inputs: Any, cotangents: Any, initial: Any = None, constants: Any = None
    ) -> tuple[Callable[[], None], dict[str, dict[str, Array]]]:
        """A call of both passes on these very arrays, and where it leaves the gradients.

        What the arrays hold may change from call to call; they themselves are checked once.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        _, tape = self.forward(params, inputs, initial, constants)
        known = tape.known
        made = self.backward(params, tape, cotangents)
        groups = {**tape.given, "params": params, "cotangents": cotangents}
        if not all(known.fits(g, groups[g], some=g == "cotangents") for g in groups):
            raise ValueError("prepared: expected arrays row by row without gaps")
        block = next(a for found in made.values() for a in found.values()).base
        blocks = dict.fromkeys(_RETURNED, tape.block) | dict.fromkeys(_GRADIENTS, block)
        pointers = self._pointers(known, groups, blocks)
        tape_bytes, workspace_bytes, forward, backward = self.functions(known.dtype)
        del tape_bytes
        room = np.empty(workspace_bytes(known.at), np.uint8)
        words = (known.at, pointers, tape.memory.ctypes.data, room.ctypes.data)
        keep = (tape, room, groups, block)

        def again() -> None:
            forward(*words)
            backward(*words)

        again.keep = keep  # type: ignore[attr-defined]
        return again, made

    def _pointers(
        self, known: Known, groups: Mapping[str, Mapping[str, Array]], blocks: Mapping[str, Any]
    ) -> Any:
        """The struct of pointers of a call."""
        seen, pointers = self.seen, self.pointers()
        starts = {group: block.ctypes.data for group, block in blocks.items()}
        for place, (group, key) in enumerate(self.order):
            if group in starts:
                pointers[place] = starts[group] + known.places[group, key]
            elif (array := groups.get(group, _NONE).get(key)) is not None:
                held = seen.get(place)
                if held is None or held[0] is not array:
                    seen[place] = held = (array, array.ctypes.data)
                pointers[place] = held[1]
        return pointers

    def _call(
        self, run: Any, tape: NativeTape, groups: Mapping[str, Mapping[str, Array]],
        blocks: Mapping[str, Array], workspace_bytes: Any,
    ) -> None:  # fmt: skip
        known = tape.known
        pointers = self._pointers(known, groups, blocks)
        room = self.rooms.take(workspace_bytes(known.at))
        run(known.at, pointers, tape.memory.ctypes.data, room.ctypes.data)


_RETURNED: Final = ("states", "outputs")
_GRADIENTS: Final = ("gradients.params", "gradients.inputs", "gradients.initial")
_NONE: Final[Mapping[str, Array]] = {}


@dataclass
class Memory:
    """Memory for one call after another: a piece that nobody holds any more is used again."""

    pieces: list[Array] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self, size: int) -> Array:
        """So many bytes or more, nobody else's.

        Raises:
            ValueError: if the sizes are too large.
        """
        if size < 0:
            raise ValueError("sizes: expected arrays that fit in memory, came larger ones")
        with self.lock:
            for piece in self.pieces:
                if size <= piece.size <= 4 * size and sys.getrefcount(piece) <= _UNSHARED:
                    return piece
            piece = np.empty(size, np.uint8)
            self.pieces = [piece, *self.pieces[:1]]
            return piece


_UNSHARED: Final = 3  # references: of the list, the local name, and the question's argument


def _own(slot: Slot) -> tuple[str, ...]:
    """The sizes as a module declares them: without T and B, but for a constant's T."""
    if slot.group == "constants":
        return ("T", *slot.dims[2:]) if slot.dims[:1] == ("T",) else slot.dims
    return slot.dims[2:] if slot.group in {"inputs", *_RETURNED} else slot.dims


def _extent(size: str, sizes: Mapping[str, int]) -> int:
    if size in sizes:
        return sizes[size]
    return sum(sizes.get(part, 0) for part in size.split("+"))


def _each_sample(array: Array, sizes: Mapping[str, int]) -> Array:
    """A sequence of constants with rows for each sample."""
    if array.ndim == 3:
        return array
    return np.broadcast_to(array[:, None], (array.shape[0], sizes["B"], array.shape[1]))


def _in_order(array: Array) -> Array:
    """The array row by row without gaps; its own shape, also where it has none."""
    return np.ascontiguousarray(array).reshape(array.shape)


def load(source: str, name: str) -> ModuleType:
    """The module that a C file of ours is."""
    module = ModuleType(name)
    calls = Calls(source, read(source))
    declared = {name: held for name, held in calls.declared.items() if held or name != "OUTPUTS"}
    vars(module).update(declared, forward=calls.forward, backward=calls.backward)
    return module
