"""FlatBuffers: tables whose fields are found by offsets, every one of which is checked.

In: the bytes of a file. Out: `Table`s, read field by field where somebody asks. Offsets may lead
anywhere, also to what was read before, so all that is read of one file is counted.

Source: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

Array = Any
MOST: Final = 1 << 19  # tables and numbers that are read of one file; _LETTERS are as one
_LETTERS: Final = 16
_SIZES: Final = {kind: struct.calcsize(f"<{kind}") for kind in "bBhHiIqQf"}


class Flat:
    """The bytes of a file; `left` counts down what may still be read of it."""

    def __init__(self, data: Array) -> None:
        self.data, self.left = data, MOST

    def root(self) -> Table:
        """The table that holds all others."""
        return Table(self, self.number("I", 0))

    def number(self, kind: str, at: int) -> Any:
        """The number of a kind, as `struct` names them, at a place.

        Raises:
            ValueError: if it lies outside of the file.
        """
        return struct.unpack(f"<{kind}", bytes(self.cut(at, _SIZES[kind])))[0]

    def cut(self, at: int, length: int) -> Array:
        """The bytes from a place on, where they lie.

        Raises:
            ValueError: if they lie outside of the file.
        """
        if at < 0 or length < 0 or at + length > len(self.data):
            raise ValueError("it is cut short, or an offset leads out of it")
        return self.data[at : at + length]

    def count(self, much: int) -> None:
        """Count what is read.

        Raises:
            ValueError: if it is too much.
        """
        self.left -= much
        if self.left < 0:
            raise ValueError("its tables are more than a model's, or lead to one another")


class Table:
    """A table: fields by their numbers, each there or not."""

    def __init__(self, flat: Flat, at: int) -> None:
        flat.count(1)
        self._flat, self._at = flat, at
        self._fields = at - flat.number("i", at)
        self._size = flat.number("H", self._fields)

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return self._place(field) is not None

    def number(self, field: int, kind: str, default: float = 0) -> Any:
        """A number in the table."""
        at = self._place(field)
        return default if at is None else self._flat.number(kind, at)

    def table(self, field: int) -> Table | None:
        """The table that the field leads to."""
        at = self._place(field)
        return None if at is None else Table(self._flat, at + self._flat.number("I", at))

    def tables(self, field: int) -> Iterator[Table]:
        """The tables of a list, one by one."""
        first, count = self._list(field)
        for at in range(first, first + 4 * count, 4):
            yield Table(self._flat, at + self._flat.number("I", at))

    def array(self, field: int, dtype: str) -> Array:
        """The numbers of a list, where they lie in the file."""
        first, count = self._list(field)
        kind = np.dtype(dtype)
        return self._flat.cut(first, count * kind.itemsize).view(kind)

    def numbers(self, field: int, dtype: str) -> list[Any]:
        """The numbers of a short list."""
        found = self.array(field, dtype)
        self._flat.count(len(found))
        return list(found.tolist())

    def text(self, field: int) -> str:
        """The letters that the field leads to."""
        first, count = self._list(field)
        self._flat.count(count // _LETTERS)
        return bytes(self._flat.cut(first, count)).decode(errors="replace")

    def _list(self, field: int) -> tuple[int, int]:
        """Where a list begins, and its length."""
        at = self._place(field)
        if at is None:
            return 0, 0
        start = at + self._flat.number("I", at)
        return start + 4, self._flat.number("I", start)

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return None
        offset = self._flat.number("H", self._fields + entry)
        return self._at + offset if offset else None
