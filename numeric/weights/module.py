"""A recurrent module of a file as a value: which arrays it is made of, and what cells it may be.

In: names of arrays. Out: `Part`, `Stack` and `Module`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from numeric.weights.formats.stored import Unread
from numeric.weights.layer_weights import checked

Array = Any
Arrays = Mapping[str, Array]
CELLS_OF: Final = {1: ("rnn", "irnn"), 3: ("gru_reset_after",), 4: ("lstm",)}  # by count of gates


@dataclass(frozen=True)
class Part:
    """An array of a stack, made of arrays of the file: rows of gates one below the other."""

    names: tuple[str, ...]
    make: Callable[..., Array] = field(default=lambda array: array, repr=False)

    def read(self, arrays: Arrays) -> Array:
        """The array in float64.

        Raises:
            ValueError: if a number of it is none, or the shapes do not go together.
        """
        held = [checked(name, arrays[name]) for name in self.names]
        try:
            return self.make(*held)
        except (ValueError, IndexError, TypeError):
            came = ", ".join(str(array.shape) for array in held)
            raise ValueError(
                f"{self.text}: the shape{'s'[: len(held) > 1]} {came} cannot be those of a layer"
            ) from None

    @property
    def text(self) -> str:
        """The names."""
        return " and ".join(self.names)


@dataclass(frozen=True)
class Stack:
    """One layer and direction: W (g·n, m), R (g·n, n), two biases (g·n,), peepholes (3·n,)."""

    prefix: str
    W: Part
    R: Part
    biases: tuple[Part | None, Part | None] = (None, None)
    peepholes: Part | None = None


@dataclass(frozen=True)
class Module:
    """A recurrent module of a file.

    `cells` are those of the catalogue that compute what it computes; `why_not` says of a module
    without any what it has that no cell has. `names` are its arrays. `joined` says how its two
    directions are joined where they do not stand beside each other; `unsaid` what of it the file
    does not say, so that the framework's usual is taken for it.
    """

    name: str
    framework: str
    cells: tuple[str, ...]
    sizes: tuple[int, int]
    depth: int
    both: bool
    names: frozenset[str]
    stacks: tuple[Stack, ...] = field(default=(), repr=False)
    why_not: str = ""
    joined: str = ""
    unsaid: str = ""

    @property
    def text(self) -> str:
        """The module in a line."""
        n, m = self.sizes
        layers = f"{self.depth} layers, " if self.depth > 1 else ""
        both = "both directions, " if self.both else ""
        fits = " or ".join(self.cells) or f"no cell: {self.why_not}"
        return (
            f"{self.name or '(no name)'} ({self.framework}, {layers}{both}n = {n}, m = {m}: {fits})"
        )


def shape_of(arrays: Arrays, name: str, axes: int) -> tuple[int, ...] | None:
    """The shape of an array with so many axes; None if there is no such array."""
    value = arrays.get(name)
    if value is None or isinstance(value, Unread) or len(value.shape) != axes:
        return None
    return tuple(value.shape)
