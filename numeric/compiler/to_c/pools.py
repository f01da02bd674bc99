"""Memory that one call after another uses: what nobody holds any more is taken again.

In: sizes, or the shapes of results. Out: arrays and their addresses. Asking an array for its
address and cutting a block into a dozen arrays takes longer than the gradients of a small cell.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from threading import Lock
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]
Made = dict[str, dict[str, Array]]
_LINE: Final = 64  # bytes: no two results share a line of the cache


def lines_of(size: int) -> int:
    """So many bytes, or more that are whole lines of the cache.

    Raises:
        ValueError: if C says by a negative number that the sizes are too large.
    """
    if size < 0:
        raise ValueError("sizes: expected arrays that fit in memory, came larger ones")
    return -(-size // _LINE) * _LINE


def address_of(array: Any) -> int:
    """Where the array's numbers begin."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):  # empty, or only to be read
        return int(array.ctypes.data)


@dataclass
class Memory:
    """Bytes for one call after another."""

    pieces: list[tuple[Array, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self, size: int) -> tuple[Array, int]:
        """So many bytes or more, nobody else's, and their address.

        Raises:
            ValueError: if the sizes are too large.
        """
        size = lines_of(size)
        with self.lock:
            for held in self.pieces:
                if size <= held[0].size <= 4 * size and sys.getrefcount(held[0]) <= _UNSHARED:
                    return held[0], held[1]  # a tuple of the caller's own, that holds the piece
            piece = np.empty(size, np.uint8)
            address = address_of(piece)
            self.pieces = [(piece, address), *self.pieces[:1]]
            return piece, address


_UNSHARED: Final = 2  # references: of the tuple, and the question's argument
_IN_DICT: Final = 3  # of the dict, the loop's variable, and the question's argument


@dataclass(frozen=True)
class Layout:
    """Where each result of a call begins in their one block: (group, name) → bytes; `size` all."""

    shapes: Mapping[tuple[str, str], tuple[int, ...]]
    dtype: Any
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay them out, each on a line of its own."""
        end = 0
        for key, shape in self.shapes.items():
            self.places[key] = end
            end += lines_of(prod(shape) * self.dtype.itemsize)
        self.places["", ""] = end

    def made(self) -> tuple[Array, Made]:
        """A new block, and the arrays in it by group and name."""
        size = self.dtype.itemsize
        block = np.empty(self.places["", ""] // size, self.dtype)
        made: Made = {}
        for (group, name), shape in self.shapes.items():
            start = self.places[group, name] // size
            made.setdefault(group, {})[name] = block[start : start + prod(shape)].reshape(shape)
        return block, made


@dataclass
class Results:
    """Blocks of results: one whose arrays nobody holds any more is taken again."""

    held: list[tuple[Array, int, Made]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self, layout: Layout) -> tuple[Array, int, Made]:
        """A block, its address, and the arrays in it in dicts of the caller's own."""
        with self.lock:
            for one in self.held:
                if _is_free(one, len(layout.shapes)):
                    break
            else:
                block, made = layout.made()
                one = (block, address_of(block), made)
                self.held = [one, *self.held[:1]]
            block, address, made = one
            return block, address, {group: dict(arrays) for group, arrays in made.items()}


def _is_free(one: tuple[Array, int, Made], count: int) -> bool:
    """Whether nobody else holds the block, any of its arrays, or a view of one."""
    if sys.getrefcount(one[0]) != _UNSHARED + count:  # each array in it holds the block
        return False
    for arrays in one[2].values():
        for array in arrays.values():
            if sys.getrefcount(array) > _IN_DICT:
                return False
    return True
