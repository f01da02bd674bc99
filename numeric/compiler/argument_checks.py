"""How code of ours checks its own arguments: Python text, the same for all targets.

The text travels with an emitted NumPy module, which depends on NumPy alone; calls into compiled
code run it as it stands. It accepts float32 and float64, and lets complex128 and object arrays
through for the complex-step and the exact check. What is not text: how constants reach samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

Array = Any
Declared = Mapping[str, Mapping[str, tuple[str, ...]]]  # group → name → size names

CHECKS: Final = '''
def _take(group, given, declared, lead, sizes, kinds, optional=False):
    """The arrays of one group by name; shapes agree with `declared`, all dtypes are one."""
    if given is None and (optional or not declared):
        given = {}
    if not hasattr(given, "keys"):
        raise ValueError(f"{group}: expected a dict of arrays, came {type(given).__name__}")
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise ValueError(f"{group}: unknown name {name!r}; expected {known}")
    arrays, shapes, extents = {}, {}, {}
    for name, dims in declared.items():
        if name not in given:
            if optional:
                continue
            raise ValueError(f"{group}[{name!r}]: expected an array, it is missing")
        if (kind := type(given[name]).__name__) in ("matrix", "MaskedArray"):
            raise ValueError(f"{group}[{name!r}]: expected an array, came {kind}")
        array = np.asanyarray(given[name])
        if array.dtype.char not in "fdDO":
            raise ValueError(
                f"{group}[{name!r}]: expected float32 or float64, came {array.dtype}; "
                "convert it with .astype"
            )
        kinds.setdefault(array.dtype, f"{group}[{name!r}]")
        if len(kinds) > 1:
            (first, where), (other, _) = list(kinds.items())[:2]
            raise ValueError(
                f"{group}[{name!r}]: expected {first} as in {where}, came {other}; "
                "give all arrays one dtype"
            )
        names = (*lead, *dims)
        if dims[:1] == ("T",):
            names = ("T", "B", *dims[1:]) if array.ndim == len(dims) + 1 else dims
        if array.ndim == len(names):
            for extent, size in zip(array.shape, names):
                if "+" not in size:
                    extents.setdefault(size, []).append(extent)
        arrays[name], shapes[name] = array, names
    for size, found in extents.items():  # what most arrays say is the size; the others are wrong
        sizes.setdefault(size, max(found, key=found.count))
    for name, names in shapes.items():
        array = arrays[name]
        if array.shape == tuple(map(sizes.get, names)):
            continue
        for extent, size in zip(array.shape, names):
            unknown = [part for part in size.split("+") if part not in sizes]
            if len(set(unknown)) > 1 and array.ndim == len(names):  # their sum is all it shows
                sizes.setdefault(size, extent)
            elif unknown and array.ndim == len(names):
                known = sum(sizes.get(part, 0) for part in size.split("+"))
                sizes[unknown[0]] = (extent - known) // len(unknown)
        expected = tuple(
            sizes[size] if size in sizes else sum(sizes.get(p, -1) for p in size.split("+"))
            for size in names
        )
        if array.shape != expected:
            spelled = ", ".join(names) + ("," if len(names) == 1 else "")
            values = "" if min(expected, default=0) < 0 else f" = {expected}"
            raise ValueError(
                f"{group}[{name!r}]: expected shape ({spelled}){values}, came {array.shape}"
            )
    for size, extent in [item for item in sizes.items() if "+" in item[0]]:
        parts = size.split("+")
        unknown = [part for part in parts if part not in sizes]
        found = sum(sizes.get(part, 0) for part in parts)
        if len(set(unknown)) == 1:
            sizes[unknown[0]] = (extent - found) // len(unknown)
        elif not unknown and found != extent:
            name = next(name for name, names in shapes.items() if {*names} & {*parts})
            raise ValueError(
                f"{group}[{name!r}]: expected {size} = {extent} as arrays before have it, "
                f"came {found}"
            )
    return arrays
'''

WHOLE_NUMBERS: Final = '''
def _whole(name, given, dims, sizes, bound=None, inside=None):
    """An array of integers of the shape its sizes say, below `bound` where `inside`."""
    array = np.asarray(given)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integers, came {array.dtype}")
    if array.ndim == len(dims):
        for extent, size in zip(array.shape, dims):
            sizes.setdefault(size, extent)
    expected = tuple(sizes.get(size, -1) for size in dims)
    if array.shape != expected:
        spelled = ", ".join(dims) + ("," if len(dims) == 1 else "")
        raise ValueError(f"{name}: expected shape ({spelled}) = {expected}, came {array.shape}")
    if bound is not None:
        array = array if inside is None else np.where(inside, array, 0)
        if ((array < 0) | (array >= bound)).any():
            raise ValueError(
                f"{name}: expected integers from 0 to {bound - 1}, "
                f"came {array.min()} to {array.max()}"
            )
    return array
'''

SHOWN: Final = '''
def _shown(sizes, needed):
    """Nothing, where these sizes are known, which initial states alone may show."""
    for size in needed:
        if size not in sizes:
            raise ValueError(
                f"initial: expected a state that has the size {size}: no input, parameter or "
                "constant shows it"
            )
'''

_CALLED: Final[dict[str, Any]] = {"np": np}  # the text itself, for calls into compiled code
exec(compile(CHECKS + WHOLE_NUMBERS + SHOWN, "<checks of arguments>", "exec"), _CALLED)
take: Final = _CALLED["_take"]
whole: Final = _CALLED["_whole"]
shown: Final = _CALLED["_shown"]


def fixed_sizes(shapes: Iterable[Sequence[str]]) -> dict[str, int]:
    """The sizes that are numbers, which no array has to show."""
    return {part: int(part) for dims in shapes for size in dims for part in size.split("+")
            if part.isdigit()}  # fmt: skip


def shown_by_states(declared: Declared) -> tuple[str, ...]:
    """The sizes of states that no parameter, input or constant shows."""
    groups = ("PARAMETERS", "INPUTS", "CONSTANTS")
    shown = [{*size.split("+")} for g in groups for dims in declared[g].values() for size in dims]
    known = {*fixed_sizes(dims for shapes in declared.values() for dims in shapes.values())}
    while more := {name for names in shown if len(names - known) == 1 for name in names - known}:
        known |= more
    sizes = (size for dims in declared["STATES"].values() for size in dims)
    return tuple(dict.fromkeys(n for size in sizes for n in size.split("+") if n not in known))


def checks_of(declared: Declared) -> str:
    """The text of the checks that a module with these arguments needs, those of integers apart."""
    return CHECKS + SHOWN if shown_by_states(declared) else CHECKS


def shown_line(declared: Declared) -> list[str]:
    """The line that refuses a call in which nothing shows a size of a state, if one is needed."""
    needed = shown_by_states(declared)
    return [f"_shown(sizes, {needed!r})".replace("'", '"')] if needed else []


def each_sample(array: Array, dims: Sequence[str], batch: int) -> Array:
    """A constant declared with these sizes; if it is a sequence, with rows for each sample."""
    if dims[:1] != ("T",) or array.ndim > len(dims):
        return array
    return np.broadcast_to(array[:, None], (array.shape[0], batch, *array.shape[1:]))
