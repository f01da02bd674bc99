"""A C file as a module with `forward` and `backward`: compiled, and called on NumPy arrays.

In: the source of a C file, and nothing else. Out: a module with the interface that emitted NumPy
code has, and its words for what is wrong with an argument. A library is built at the first call
with its dtype.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import numpy as np

from numeric.compiler.to_c.build import library
from numeric.compiler.to_c.interface import Interface, Slot, read
from numeric.compiler.to_numpy.checks import CHECKS

_CHECKS: Final[dict[str, Any]] = {"np": np}
exec(compile(CHECKS, "<checks of arguments>", "exec"), _CHECKS)
_take: Final = _CHECKS["_take"]
_KINDS: Final = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tape:
    """What the pass forward leaves for the pass back."""

    sizes: Mapping[str, int]
    like: Array
    given: Mapping[str, Mapping[str, Array]]
    states: Mapping[str, Array]
    memory: Array


@dataclass
class Calls:
    """The two passes of one file, for both dtypes."""

    source: str
    interface: Interface
    declared: dict[str, dict[str, tuple[str, ...]]] = field(init=False)
    loaded: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The names and sizes of the interface, from the listing."""
        groups = {"PARAMETERS": "params", "INPUTS": "inputs", "STATES": "states",
                  "CONSTANTS": "constants"}  # fmt: skip
        self.declared = {
            name: {s.key: _own(s) for s in self.interface.slots if s.group == group}
            for name, group in groups.items()
        }
        self.size_type = type(
            "Sizes", (ctypes.Structure,),
            {"_fields_": [(member, ctypes.c_ssize_t) for _, member in self.interface.sizes]},
        )  # fmt: skip
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
    ) -> tuple[dict[str, Array], Tape]:
        """The states of every step, and the tape that `backward` needs.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        sizes: dict[str, int] = {}
        kinds: dict[Any, str] = {}
        held, states = self.declared, self.declared["STATES"]
        given = {
            "inputs": _take("inputs", inputs, held["INPUTS"], ("T", "B"), sizes, kinds),
            "params": _take("params", params, held["PARAMETERS"], (), sizes, kinds),
        }
        initial = _take("initial", initial, states, ("B",), sizes, kinds, optional=True)
        constants = _take("constants", constants, held["CONSTANTS"], (), sizes, kinds)
        like = next(iter((*given["inputs"].values(), *given["params"].values())))
        if like.dtype not in _KINDS:
            (where,) = kinds.values()
            raise ValueError(f"{where}: the C code takes float32 or float64, came {like.dtype}")
        given["constants"] = {
            name: _each_sample(array, sizes) if held["CONSTANTS"][name][:1] == ("T",) else array
            for name, array in constants.items()
        }
        given = {
            group: {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
            for group, arrays in given.items()
        }
        steps = sizes["T"]
        rows = {}
        for name, dims in states.items():
            shape = (steps + 1, sizes["B"], *(_extent(size, sizes) for size in dims))
            rows[name] = np.empty(shape, like.dtype)
            rows[name][0] = initial.get(name, 0)
        tape_bytes, workspace_bytes, run, _ = self.functions(like.dtype)
        at = self._sizes(sizes)
        memory = _room(tape_bytes(at))
        self._call(run, at, given | {"states": rows}, memory, workspace_bytes(at))
        tape = Tape(sizes, like, given, rows, memory)
        return {name: array[1:] for name, array in rows.items()}, tape

    def backward(self, params: Any, tape: Any, cotangents: Any) -> dict[str, dict[str, Array]]:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, Tape):
            raise ValueError("tape: expected what forward returned") from None
        sizes, like = dict(tape.sizes), tape.like
        kinds = {like.dtype: "forward"}
        held = self.declared
        params = _take("params", params, held["PARAMETERS"], (), sizes, kinds)
        cotangents = _take(
            "cotangents", cotangents, held["STATES"], ("T", "B"), sizes, kinds, optional=True
        )
        arrays: dict[str, Mapping[str, Array]] = {
            **tape.given,
            "params": {n: np.ascontiguousarray(a).reshape(a.shape) for n, a in params.items()},
            "states": tape.states,
            "cotangents": {n: np.ascontiguousarray(a) for n, a in cotangents.items()},
        }
        made: dict[str, dict[str, Array]] = {"params": {}, "inputs": {}, "initial": {}}
        for slot in self.interface.slots:
            if slot.group.startswith("gradients."):
                shape = tuple(_extent(size, sizes) for size in slot.dims)
                made[slot.group.removeprefix("gradients.")][slot.key] = np.empty(shape, like.dtype)
        _, workspace_bytes, _, run = self.functions(like.dtype)
        at = self._sizes(sizes)
        both = arrays | {f"gradients.{group}": found for group, found in made.items()}
        self._call(run, at, both, tape.memory, workspace_bytes(at))
        return made

    def _sizes(self, sizes: Mapping[str, int]) -> Any:
        return ctypes.byref(self.size_type(*(sizes.get(n, 0) for n, _ in self.interface.sizes)))

    def _call(
        self, run: Any, at: Any, arrays: Mapping[str, Mapping[str, Array]], tape: Array,
        workspace: int,
    ) -> None:  # fmt: skip
        pointers = self.pointers()
        for place, slot in enumerate(self.interface.slots):
            array = arrays.get(slot.group, {}).get(slot.key)
            pointers[place] = None if array is None else array.ctypes.data
        room = _room(workspace)
        run(at, pointers, tape.ctypes.data, room.ctypes.data)


def _own(slot: Slot) -> tuple[str, ...]:
    """The sizes as a module declares them: without T and B, but for a constant's T."""
    if slot.group == "constants":
        return ("T", *slot.dims[2:]) if slot.dims[:1] == ("T",) else slot.dims
    return slot.dims[2:] if slot.group in {"inputs", "states"} else slot.dims


def _extent(size: str, sizes: Mapping[str, int]) -> int:
    if size in sizes:
        return sizes[size]
    return sum(sizes.get(part, 0) for part in size.split("+"))


def _each_sample(array: Array, sizes: Mapping[str, int]) -> Array:
    """A sequence of constants with rows for each sample."""
    if array.ndim == 3:
        return array
    return np.broadcast_to(array[:, None], (array.shape[0], sizes["B"], array.shape[1]))


def _room(size: int) -> Array:
    """Memory of so many bytes.

    Raises:
        ValueError: if the sizes are too large.
    """
    if size < 0:
        raise ValueError("sizes: expected arrays that fit in memory, came larger ones")
    return np.empty(size, np.uint8)


def load(source: str, name: str) -> ModuleType:
    """The module that a C file of ours is."""
    module = ModuleType(name)
    calls = Calls(source, read(source))
    vars(module).update(calls.declared, forward=calls.forward, backward=calls.backward)
    return module
