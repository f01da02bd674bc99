"""What printed mathematics comes to: columns, rows, matrices, multiples of I, linear maps.

Columns are (n, 1), rows (1, n), scalars (1, 1) or plain numbers. A sum or a product of shapes that
do not fit is an error, as it is to a person who reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
Value = Any


class UnreadableError(ValueError):
    """A line that says nothing, or two things."""


class AtKinkError(ValueError):
    """A slope was asked for at the kink of a function."""


@dataclass(frozen=True)
class Eye:
    """A multiple of I, of a size that what stands beside it tells."""

    times: Value = 1.0


@dataclass(frozen=True)
class Stack:
    """Blocks one below the other, of which a 0 takes what height the matrix before leaves."""

    parts: tuple[Value, ...]

    def of(self, height: int) -> Array:
        """The column, or columns, of that height."""
        zeros = sum(np.ndim(part) == 0 for part in self.parts)
        known = [part for part in self.parts if np.ndim(part)]
        each, left = divmod(height - sum(map(len, known)), zeros)
        if left or each < 0:
            raise UnreadableError(f"blocks of {[np.shape(p) for p in self.parts]} below {height}")
        empty = np.zeros((each, known[0].shape[1]))
        return np.concatenate([part if np.ndim(part) else empty for part in self.parts])


@dataclass(frozen=True)
class Map:
    """A linear map, and the shape of what it is of."""

    of: Callable[[Array], Value]
    shape: tuple[int, ...]

    @property
    def matrix(self) -> Array:
        """What becomes of each change of one entry, row by row."""
        changes = np.eye(int(np.prod(self.shape)))
        made = [np.ravel(dense(self.of(c.reshape(self.shape)))) for c in changes]
        return np.stack(made, axis=1)


def dense(value: Value) -> Array:
    """A number as a scalar."""
    if isinstance(value, Eye):
        raise UnreadableError("I without a size")
    return np.asarray(value, dtype=float).reshape((1, 1)) if np.ndim(value) == 0 else value


def _is_scalar(value: Value) -> bool:
    return not isinstance(value, Eye) and not isinstance(value, Map) and np.size(value) == 1


def scaled(number: Value, value: Value) -> Value:
    """A number times a value."""
    if isinstance(value, Eye):
        return Eye(number * value.times)
    if isinstance(value, Map):
        return Map(lambda change: number * value.of(change), value.shape)
    return number * value


def plus(a: Value, b: Value) -> Value:
    """A sum; scalars are added to every entry, multiples of I to square matrices."""
    if isinstance(a, Eye) and isinstance(b, Eye):
        return Eye(a.times + b.times)
    if isinstance(a, Eye):
        a, b = b, a
    if isinstance(b, Eye):
        if _is_scalar(a) and np.all(np.asarray(a) == 0):
            return b
        if a.shape[0] != a.shape[1]:
            raise UnreadableError(f"{a.shape} + I")
        return a + b.times * np.eye(len(a))
    if not (_is_scalar(a) or _is_scalar(b)) and np.shape(a) != np.shape(b):
        raise UnreadableError(f"{np.shape(a)} + {np.shape(b)}")
    return a + b


def times(a: Value, b: Value) -> Value:
    """What stands side by side: a matrix product, or a scalar that scales."""
    if isinstance(a, Map) and isinstance(b, Map):
        return Map(lambda change: a.of(np.reshape(b.of(change), a.shape)), b.shape)
    if isinstance(b, Stack) and np.ndim(a) == 2:
        return a @ b.of(a.shape[1])
    if isinstance(a, Eye):
        return scaled(a.times, b)
    if isinstance(b, Eye):
        return Eye(a * b.times) if _is_scalar(a) else scaled(b.times, a)
    if _is_scalar(a):
        return scaled(np.asarray(a).reshape(()).item(), b)
    if _is_scalar(b):
        return scaled(np.asarray(b).reshape(()).item(), a)
    if np.ndim(a) != 2 or np.ndim(b) != 2 or a.shape[1] != b.shape[0]:
        raise UnreadableError(f"{np.shape(a)} beside {np.shape(b)}")
    return a @ b


def entrywise(a: Value, b: Value) -> Value:
    """⊙ of equal shapes, or with a scalar."""
    if isinstance(a, Eye) or isinstance(b, Eye):
        raise UnreadableError("I ⊙")
    if not (_is_scalar(a) or _is_scalar(b)) and np.shape(a) != np.shape(b):
        raise UnreadableError(f"{np.shape(a)} ⊙ {np.shape(b)}")
    return a * b


def over(a: Value, b: Value) -> Value:
    """Entry by entry."""
    if isinstance(a, Eye):
        return Eye(a.times / np.asarray(b).reshape(()).item())
    if not (_is_scalar(a) or _is_scalar(b)) and np.shape(a) != np.shape(b):
        raise UnreadableError(f"{np.shape(a)} / {np.shape(b)}")
    return a / b


def blocks(rows: list[list[Value]]) -> Value:
    """The matrix of blocks; 0 and multiples of I take the size of the others."""
    column = [row[0] for row in rows]
    zero = any(np.ndim(v) == 0 and not isinstance(v, Eye) for v in column)
    if zero and len(rows[0]) == 1 and not any(isinstance(v, Eye) for v in column):
        return Stack(tuple(column))
    height = [next((len(v) for v in row if np.ndim(v) == 2 and not isinstance(v, Eye)), 0)
              for row in rows]  # fmt: skip
    width = [next((row[k].shape[1] for row in rows if np.ndim(row[k]) == 2), 0)
             for k in range(len(rows[0]))]  # fmt: skip

    def filled(value: Value, rows: int, columns: int) -> Array:
        if isinstance(value, Eye):
            return value.times * np.eye(rows or columns)
        if np.ndim(value) == 0:
            return np.full((rows or columns, columns or rows), value)
        return value

    return np.block([[filled(v, height[i] or width[i], width[k] or height[k])
                      for k, v in enumerate(row)] for i, row in enumerate(rows)])  # fmt: skip


def sized(value: Value, shape: tuple[int, ...]) -> Array:
    """A value as a matrix of a shape, where it is a multiple of I, or a number."""
    if isinstance(value, Eye):
        return value.times * np.eye(shape[0])
    if _is_scalar(value):
        return np.full(shape, np.asarray(value).reshape(()).item())
    return np.asarray(value)
