"""C source → the part of a PyTorch file that carries, builds and calls it.

In: the source of a cell's C file, the cell's name. Out: Python text. The file is built when it is
first called, as the toolkit builds C, and kept in the same cache; where that is not possible the
file says so once and goes on in NumPy. The functions that build and find memory are the
toolkit's own, so that there is one of each.
"""

from __future__ import annotations

from inspect import getsource
from string import Template
from typing import Final

from numeric.compiler.argument_checks import Declared, fixed_sizes, shown_line
from numeric.compiler.to_c import build, pools
from numeric.compiler.to_c.interface import read

IMPORTS: Final = """\
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

"""
IN_NUMPY: Final = '''

def _passes(dtype):
    """The two passes of this file."""
    return forward, backward
'''


def carried(source: str, cell: str, declared: Declared) -> str:
    """The text that follows the NumPy code of a file, whose arguments are declared as given.

    Raises:
        ValueError: if the source is no C file of ours.
    """
    interface = read(source)
    slots = [(s.group, s.key, s.dims) for s in interface.slots]
    own = [
        *(f"{name} = {getattr(build, name)!r}" for name in ("FLAGS", "DEFINES", "_COMPILERS")),
        f"_UNSHARED = {pools._UNSHARED!r}",
        "Array = np.ndarray",
        "\n\nclass NoCompilerError(RuntimeError):",
        '    """There is no C compiler, or it refuses the code."""',
    ]
    taken = (build.compiler, build._version, build.cache_folder, build.library,
             pools.address_of, pools.Memory)  # fmt: skip
    parts = [*own, *(f"\n\n{getsource(function).rstrip()}" for function in taken)]
    text = Template(_CALLS).substitute(
        cell=cell, prefix=interface.prefix, source=_quoted(source),
        sizes=repr(tuple(name for name, _ in interface.sizes)),
        fixed=repr(fixed_sizes(dims for *_, dims in slots)).replace("'", '"'),
        shown="".join(f"\n        {line}" for line in shown_line(declared)),
        arrays="(\n" + "".join(f"    {slot!r},\n" for slot in slots) + ")",
    )  # fmt: skip
    return "\n\n" + "\n".join(parts) + "\n" + text


def _quoted(source: str) -> str:
    """The source as a literal that a reader can read."""
    if "'''" in source or source.endswith("'"):
        return repr(source)
    return f"r'''{source}'''"


_CALLS: Final = '''

_SIZES = $sizes
_ARRAYS = $arrays
_KINDS = {torch.float32: "f4", torch.float64: "f8"}


class _Native:
    """The passes of the C code for a dtype, with the interface of `forward` and `backward`.

    Memory of results is used again once nobody holds it. On one thread: those of PyTorch wait
    busily after their own work, and would take the cores from others.
    """

    def __init__(self, opened, kind):
        words = ("tape_bytes", "workspace_bytes", "forward", "backward")
        found = [getattr(opened, f"${prefix}_{kind}_{word}") for word in words]
        for size in found[:2]:
            size.restype, size.argtypes = ctypes.c_ssize_t, [ctypes.c_void_p]
        for run in found[2:]:
            run.restype, run.argtypes = None, [ctypes.c_void_p] * 4
        self.bytes, self.runs = found[:2], found[2:]
        self.tapes, self.rooms, self.held = Memory(), Memory(), [Memory() for _ in _ARRAYS]

    def run(self, number, at, pointers, tape):
        room, address = self.rooms.take(self.bytes[1](at))
        self.runs[number](at, pointers, tape, address)

    def empty(self, place, shape, dtype):
        """An array for a result, by its place among all."""
        size = prod(shape) * dtype.itemsize
        return self.held[place].take(size)[0][:size].view(dtype).reshape(shape)

    def forward(self, params, inputs, initial=None, constants=None):
        sizes, kinds = $fixed, {}
        given = {
            "params": _take("params", params, PARAMETERS, (), sizes, kinds),
            "inputs": _take("inputs", inputs, INPUTS, ("T", "B"), sizes, kinds),
        }
        initial = _take("initial", initial, STATES, ("B",), sizes, kinds, optional=True)
        given["constants"] = _take("constants", constants, CONSTANTS, (), sizes, kinds)$shown
        (dtype,) = kinds
        at = (ctypes.c_ssize_t * len(_SIZES))(*(sizes.get(name, 0) for name in _SIZES))
        pointers, kept, found = (ctypes.c_void_p * len(_ARRAYS))(), [], {}
        for place, (group, key, dims) in enumerate(_ARRAYS):
            if group in given:
                array = given[group][key]
                if group == "constants" and array.ndim < len(dims):
                    array = np.broadcast_to(array[:, None], _shape(dims, sizes))
                array = np.ascontiguousarray(array).reshape(array.shape)
            elif group == "states":  # below the states their initial one
                steps, *rest = _shape(dims, sizes)
                array = self.empty(place, (steps + 1, *rest), dtype)
                array[0] = initial.get(key, 0)
                found[key] = array[1:]
            elif group == "outputs":
                array = found[key] = self.empty(place, _shape(dims, sizes), dtype)
            else:
                continue
            kept.append(array)
            pointers[place] = address_of(array)
        tape = self.tapes.take(self.bytes[0](at))
        self.run(0, at, pointers, tape[1])
        return found, (sizes, dtype, at, pointers, kept, tape)

    def backward(self, params, tape, cotangents):
        sizes, dtype, at, pointers, kept, tape = tape
        pointers, kept = type(pointers)(*pointers), list(kept)
        found = {"params": {}, "inputs": {}, "initial": {}}
        for place, (group, key, dims) in enumerate(_ARRAYS):
            if group == "cotangents" and key in cotangents:
                array = cotangents[key]
            elif group.startswith("gradients."):
                array = self.empty(place, _shape(dims, sizes), dtype)
                found[group.removeprefix("gradients.")][key] = array
            else:
                continue
            kept.append(array)
            pointers[place] = address_of(array)
        self.run(1, at, pointers, tape[1])
        return found


def _shape(dims, sizes):
    return tuple(sum(sizes.get(part, 0) for part in size.split("+")) for size in dims)


@lru_cache(maxsize=None)
def _passes(dtype):
    """The two passes in C for a dtype, built when first asked for; else those above."""
    kind = _KINDS[dtype]
    try:
        opened = ctypes.CDLL(str(library(_SOURCE, "$prefix", kind)))
    except (NoCompilerError, OSError) as problem:
        said = f"$cell: {problem}; until then its gradients are computed in NumPy, more slowly"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
        return forward, backward
    native = _Native(opened, kind)
    return native.forward, native.backward


_SOURCE = $source
'''
