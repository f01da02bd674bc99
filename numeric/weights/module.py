"""A recurrent module of a file as a value: which arrays it is made of, and what cells it may be.

In: names of arrays. Out: `Part`, `Stack` and `Module`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.weights.formats.stored import Unread
from numeric.weights.layer_weights import checked

Array = Any
Arrays = Mapping[str, Array]
CELLS_OF: Final = {1: ("rnn", "irnn"), 3: ("gru_reset_after",), 4: ("lstm",)}  # by count of gates


Computed = tuple[tuple[str, ...], str]  # the cells that a layer may be, or why it is none


@dataclass(frozen=True)
class Part:
    """An array of a stack, made of arrays of the file: rows of gates one below the other.

    `said`: what the arrays are called where more than their names is to be said.
    """

    names: tuple[str, ...]
    make: Callable[..., Array] = field(default=lambda array: array, repr=False)
    said: tuple[str, ...] = ()

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
        return " and ".join(self.said or self.names)

    def rows(self, place: int, gates: int) -> str:
        """The rows of a gate: an array of its own, or those of a larger one."""
        shown = self.said or self.names
        return shown[place] if len(shown) == gates > 1 else f"rows of {self.text}"


@dataclass(frozen=True)
class Stack:
    """One layer and direction: W (g·n, m), R (g·n, n), two biases (g·n,), peepholes (3·n,).

    With a projection (p, n) R is (g·n, p).
    """

    prefix: str
    W: Part
    R: Part
    biases: tuple[Part | None, Part | None] = (None, None)
    peepholes: Part | None = None
    projection: Part | None = None


@dataclass(frozen=True)
class Module:
    """A recurrent module of a file.

    `cells` are those of the catalogue that compute what it computes; `why_not` says of a module
    without any what it has that no cell has. `names` are its arrays. `joined` says how its two
    directions are joined where they do not stand beside each other; `unsaid` what of it the file
    does not say, so that the framework's usual is taken for it; `kept` how the file keeps their
    numbers, where they are rounded; `starts` in which states its layers begin, where not in zeros;
    `masking` is a layer of the model that may mask steps.
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
    kept: str = ""
    starts: str = ""
    masking: str = ""

    @property
    def text(self) -> str:
        """The module in a line."""
        n, m = self.sizes
        said = [
            self.framework, *([f"{self.depth} layers"] if self.depth > 1 else []),
            *(["both directions"] if self.both else []), *([f"n = {n}, m = {m}"] if n else []),
            *([self.kept] if self.kept else []),
        ]  # fmt: skip
        fits = " or ".join(self.cells) or f"no cell: {self.why_not}"
        return f"{self.name or '(no name)'} ({', '.join(said)}: {fits})"


def starts_of(layers: Sequence[Mapping[str, Any]]) -> str:
    """In words, the states that layers begin in: arrays of the file, or what the graph computes."""
    found = [
        said("{0} of {1} is computed in the graph", name, layer["prefix"]) if given is None
        else said("{0} of {1} is {2}", name, layer["prefix"], given)
        for layer in layers for name, given in layer.get("starts", {}).items()
    ]  # fmt: skip
    return reduce(lambda one, other: said("{0}; {1}", one, other), found) if found else ""


def shape_of(arrays: Arrays, name: str, axes: int) -> tuple[int, ...] | None:
    """The shape of an array with so many axes; None if there is no such array."""
    value = arrays.get(name)
    if value is None or isinstance(value, Unread) or len(value.shape) != axes:
        return None
    return tuple(value.shape)


def of_all(found: Sequence[Computed], what: str) -> Computed:
    """The cells that every layer or direction of a module may be."""
    if why := next((why for _, why in found if why), ""):
        return (), why
    cells = (
        tuple(one for one in found[0][0] if all(one in own for own, _ in found)) if found else ()
    )
    each = " and ".join(dict.fromkeys(" or ".join(own) for own, _ in found))
    return cells, "" if cells else f"its {what} are {each}"


def filled(held: Sequence[Array], places: Sequence[bool]) -> Array:
    """The arrays one below the other, zeros where a gate has none."""
    left = iter(held)
    return np.concatenate([next(left) if there else np.zeros_like(held[0]) for there in places])
