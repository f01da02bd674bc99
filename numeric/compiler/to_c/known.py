"""What the calls of one set of sizes need to know, and the arrays as they came last.

In: arrays. Out: whether C can be handed them as they are, and whether these very ones came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, is_
from typing import Any

import numpy as np

from numeric.compiler.to_c.pools import Array, Layout, Results

_SHAPE, _DTYPE = attrgetter("shape"), attrgetter("dtype")


@dataclass(frozen=True)
class Block:
    """Results that share one block of memory: their layout, and where their pointers stand."""

    layout: Layout
    held: Results
    pointers: tuple[tuple[int, int], ...]  # place in the struct, first byte


@dataclass(frozen=True)
class Known:
    """All that the calls of one set of sizes need to know: shapes, memory, functions."""

    sizes: Mapping[str, int]
    dtype: Any
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    at: Any
    tape_bytes: int
    workspace_bytes: int
    passes: tuple[Any, Any]
    blocks: Mapping[tuple[str, ...], Block]
    work: int  # multiplications with weights of one pass forward

    def takes(self, array: Any, shape: tuple[int, ...] | None) -> bool:
        """Whether the array can be handed on as it is: right in shape, dtype and order."""
        return (
            type(array) is np.ndarray
            and array.dtype == self.dtype
            and array.shape == shape
            and bool(array.flags.c_contiguous)
        )


@dataclass(frozen=True)
class Seen:
    """The arrays of a pass as they came last, and their pointers: place in the struct, address."""

    known: Known
    kinds: tuple[type, ...]
    names: tuple[tuple[str, ...], ...]  # of each group
    arrays: tuple[Array, ...]
    told: tuple[tuple[Any, ...], tuple[Any, ...]]
    pointers: tuple[tuple[int, int], ...]

    def same(self, given: Iterable[Any]) -> bool:
        """Whether these very arrays came again under the same names."""
        if tuple(map(type, given)) != self.kinds or tuple(map(tuple, given)) != self.names:
            return False
        arrays = tuple(chain(*map(dict.values, given)))
        return all(map(is_, arrays, self.arrays)) and told(arrays) == self.told


def told(arrays: tuple[Array, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Shapes and dtypes: what may change in an array that stays where it is."""
    return tuple(map(_SHAPE, arrays)), tuple(map(_DTYPE, arrays))


@dataclass(frozen=True)
class NativeTape:
    """What the pass forward leaves for the pass back."""

    known: Known
    given: Mapping[str, Mapping[str, Array]]
    pointers: Any
    states: Array
    memory: tuple[Array, int]
    split: Any = None  # the parts of the batch, if there are several
