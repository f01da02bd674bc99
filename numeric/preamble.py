"""The part of an emitted module that is the same in all: how it checks its own arguments.

The text travels with the module, which depends on NumPy alone. It accepts float32 and float64,
and lets complex128 and object arrays through for the complex-step and the exact check.
"""

from __future__ import annotations

from typing import Final

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
    arrays = {}
    for name, dims in declared.items():
        if name not in given:
            if optional:
                continue
            raise ValueError(f"{group}[{name!r}]: expected an array, it is missing")
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
                    sizes.setdefault(size, extent)
                elif sum(part not in sizes for part in set(size.split("+"))) == 1:
                    parts = size.split("+")
                    known = sum(sizes[part] for part in parts if part in sizes)
                    unknown = [part for part in parts if part not in sizes]
                    sizes[unknown[0]] = (extent - known) // len(unknown)
        expected = tuple(sum(sizes.get(p, -1) for p in size.split("+")) for size in names)
        if array.shape != expected:
            spelled = ", ".join(names) + ("," if len(names) == 1 else "")
            values = "" if min(expected, default=0) < 0 else f" = {expected}"
            raise ValueError(
                f"{group}[{name!r}]: expected shape ({spelled}){values}, came {array.shape}"
            )
        arrays[name] = array
    return arrays
'''
