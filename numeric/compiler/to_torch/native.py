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
from numeric.compiler.to_c import build, pools, threads
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
from itertools import pairwise
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
        *(f"{name} = {getattr(pools, name)!r}" for name in ("_UNSHARED", "_LINE")),
        *(f"{name} = {getattr(threads, name)!r}" for name in ("LEAST", "FEWEST")),
        "Array = np.ndarray",
        "\n\nclass NoCompilerError(RuntimeError):",
        '    """There is no C compiler, or it refuses the code."""',
    ]
    taken = (build.compiler, build._version, build.cache_folder, build.library,
             pools.address_of, pools.lines_of, pools.Memory, threads.shares)  # fmt: skip
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

    A batch is split over PyTorch's own threads, which wait busily after their work: others would
    have to share the cores with them. Memory of results is used again once nobody holds it.
    """

    def __init__(self, opened, kind):
        words = ("tape_bytes", "workspace_bytes", "forward", "backward")
        found = [getattr(opened, f"${prefix}_{kind}_{word}") for word in words]
        for size in found[:2]:
            size.restype, size.argtypes = ctypes.c_ssize_t, [ctypes.c_void_p]
        for run in found[2:]:
            run.restype, run.argtypes = None, [ctypes.c_void_p] * 4
        self.bytes, self.runs = found[:2], found[2:]
        self.together = getattr(opened, f"${prefix}_{kind}_together", None)
        self.held, self.process = {}, os.getpid()

    def memory(self, *use):
        """The memory of one use in one part."""
        return self.held.setdefault(use, Memory())

    def empty(self, part, place, shape, dtype):
        """An array for a result of a part, by its place among all."""
        size = prod(shape) * dtype.itemsize
        return self.memory(part, place).take(size)[0][:size].view(dtype).reshape(shape)

    def run(self, number, calls):
        """One pass of every part: each its sizes, pointers and the address of its tape."""
        rooms = [self.memory(part, "room").take(self.bytes[1](at))
                 for part, (at, *_) in enumerate(calls)]
        if len(calls) == 1:
            self.runs[number](*calls[0], rooms[0][1])
            return
        words = (ctypes.c_void_p * (4 * len(calls)))()
        for part, ((at, pointers, tape), room) in enumerate(zip(calls, rooms)):
            words[4 * part : 4 * part + 4] = (
                ctypes.addressof(at), ctypes.addressof(pointers), tape, room[1])
        self.together(number, len(calls), words)

    def forward(self, params, inputs, initial=None, constants=None):
        sizes, kinds = $fixed, {}
        given = {
            "params": _take("params", params, PARAMETERS, (), sizes, kinds),
            "inputs": _take("inputs", inputs, INPUTS, ("T", "B"), sizes, kinds),
        }
        initial = _take("initial", initial, STATES, ("B",), sizes, kinds, optional=True)
        given["constants"] = _take("constants", constants, CONSTANTS, (), sizes, kinds)$shown
        (dtype,) = kinds
        for group, key, dims in _ARRAYS:  # a constant of all samples, for each of them
            if group == "constants" and given[group][key].ndim < len(dims):
                array = given[group][key][:, None]
                given[group][key] = np.broadcast_to(array, _shape(dims, sizes))
        work = sizes["T"] * sizes["B"] * sum(a.size for a in params.values() if a.ndim == 2)
        own = self.together and os.getpid() == self.process  # a fork has none of its threads
        most = torch.get_num_threads() if own else 1
        tapes = [
            self.asked(number, part, {**sizes, "B": part.stop - part.start}, dtype, given, initial)
            for number, part in enumerate(shares(sizes["B"], work, most))
        ]
        self.run(0, [call for _, call, *_ in tapes])
        found = tapes[0][-1]
        if len(tapes) > 1:
            found = {
                key: self.empty(None, place, _shape(dims, sizes), dtype)
                for place, (group, key, dims) in enumerate(_ARRAYS)
                if group in ("states", "outputs")
            }
            for part, *_, own in tapes:
                for key, array in own.items():
                    np.copyto(found[key][:, part], array)
        return found, (sizes, dtype, tapes)

    def asked(self, number, part, sizes, dtype, given, initial):
        """What the pass forward of a part is called with, and where its results will stand."""
        at = (ctypes.c_ssize_t * len(_SIZES))(*(sizes.get(name, 0) for name in _SIZES))
        pointers, kept, found = (ctypes.c_void_p * len(_ARRAYS))(), [], {}
        given = {group: _cut(group, arrays, part) for group, arrays in given.items()}
        initial = _cut("gradients.initial", initial, part)
        for place, (group, key, dims) in enumerate(_ARRAYS):
            if group in given:
                array = given[group][key]
                array = np.ascontiguousarray(array).reshape(array.shape)
            elif group == "states":  # below the states their initial one
                steps, *rest = _shape(dims, sizes)
                array = self.empty(number, place, (steps + 1, *rest), dtype)
                array[0] = initial.get(key, 0)
                found[key] = array[1:]
            elif group == "outputs":
                array = found[key] = self.empty(number, place, _shape(dims, sizes), dtype)
            else:
                continue
            kept.append(array)
            pointers[place] = address_of(array)
        tape = self.memory(number, "tape").take(self.bytes[0](at))
        return part, (at, pointers, tape[1]), sizes, (kept, tape), found

    def backward(self, params, tape, cotangents):
        sizes, dtype, tapes = tape
        calls, results, kept = [], [], []
        for number, (part, (at, pointers, address), own, *_) in enumerate(tapes):
            pointers, found = type(pointers)(*pointers), self.gradients(number, own, dtype)
            bars = _cut("cotangents", cotangents, part)
            for place, (group, key, _) in enumerate(_ARRAYS):
                if group == "cotangents" and key in bars:
                    array = np.ascontiguousarray(bars[key])
                elif group.startswith("gradients."):
                    array = found[group.removeprefix("gradients.")][key]
                else:
                    continue
                kept.append(array)
                pointers[place] = address_of(array)
            calls.append((at, pointers, address))
            results.append(found)
        self.run(1, calls)
        if len(tapes) == 1:
            return results[0]
        whole = self.gradients(None, sizes, dtype)
        for key, total in whole["params"].items():
            np.add(results[0]["params"][key], results[1]["params"][key], out=total)
            for found in results[2:]:
                total += found["params"][key]
        for (part, *_), found in zip(tapes, results):
            for group in ("inputs", "initial"):
                there = _cut(f"gradients.{group}", whole[group], part)
                for key, array in found[group].items():
                    np.copyto(there[key], array)
        return whole

    def gradients(self, part, sizes, dtype):
        """Room for all gradients of a part."""
        found = {"params": {}, "inputs": {}, "initial": {}}
        for place, (group, key, dims) in enumerate(_ARRAYS):
            if group.startswith("gradients."):
                array = self.empty(part, place, _shape(dims, sizes), dtype)
                found[group.removeprefix("gradients.")][key] = array
        return found


def _cut(group, arrays, part):
    """A group's arrays for the samples of a part."""
    axes = {key: dims.index("B") for own, key, dims in _ARRAYS if own == group and "B" in dims}
    return {
        key: array[(slice(None),) * axes[key] + (part,)] if key in axes else array
        for key, array in arrays.items()
    }


def _shape(dims, sizes):
    return tuple(sum(sizes.get(part, 0) for part in size.split("+")) for size in dims)


@lru_cache(maxsize=None)
def _passes(dtype):
    """The two passes in C for a dtype, built when first asked for; else those above."""
    kind = _KINDS[dtype]
    try:
        try:
            built = library(_SOURCE + _TOGETHER, "$prefix", kind, (*FLAGS, "-fopenmp"))
            opened = ctypes.CDLL(str(built))
        except (NoCompilerError, OSError):  # a compiler without GCC's OpenMP: one thread
            opened = ctypes.CDLL(str(library(_SOURCE, "$prefix", kind)))
    except (NoCompilerError, OSError) as problem:
        said = f"$cell: {problem}; until then its gradients are computed in NumPy, more slowly"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
        return forward, backward
    native = _Native(opened, kind)
    return native.forward, native.backward


_SOURCE = $source
_TOGETHER = """
#ifdef __clang__
#error "its OpenMP is another one than PyTorch's, and may not meet Intel's in one process"
#endif
/* One pass of several parts of a batch, each on a thread of its own. */
void NAME(together)(int pass, int count, void *const *words)
{
    #pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int k = 0; k < count; k++) {
        void *const *at = words + 4 * k;
        if (pass)
            NAME(backward)(at[0], at[1], at[2], at[3]);
        else
            NAME(forward)(at[0], at[1], at[2], at[3]);
    }
}
"""
'''
