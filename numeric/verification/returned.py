"""What was returned, or given: its kind in words, and the sizes that arrays show.

In: values of somebody's code, and the names declared for the axes of arrays. Out: words, sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def sizes_in(declared: Mapping[str, Iterable[str]], arrays: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that the arrays have, by the names declared for their last axes."""
    found: dict[str, int] = {}
    for name, array in arrays.items():
        names = tuple(declared.get(name, ()))
        shape = np.shape(array)
        found.update(zip(names, shape[len(shape) - len(names) :], strict=False))
    return found


def solved(sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes, and the one that a sum of sizes leaves where it has one unknown part."""
    found = dict(sizes)
    for size, extent in sizes.items():
        parts = size.split("+")
        unknown = [part for part in parts if part not in found and not part.isdigit()]
        if len(set(unknown)) == 1:
            known = sum(extent_in(part, found) for part in parts if part not in unknown)
            found[unknown[0]] = (extent - known) // len(unknown)
    return found


def extent_in(size: str, sizes: Mapping[str, int]) -> int:
    """The number that a size name stands for, "n+m" a sum; −1 where it is unknown."""
    if size in sizes:
        return sizes[size]
    return sum(int(part) if part.isdigit() else sizes.get(part, -1) for part in size.split("+"))


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Mapping):
        return "a dict with the keys " + (", ".join(map(str, value)) or "none")
    if isinstance(value, list | tuple):  # a process of its own sends one for the other
        return f"a sequence of {len(value)}"
    return f"{type(value).__name__}"
