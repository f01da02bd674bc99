"""Sizes by name: which a cell has, the usual ones, what arrays say of them; arrays as columns.

In: a cell, sizes or arrays. Out: numbers, shapes, and arrays as the interpreter has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Add, Expr, Integer, MatrixSymbol, Pow, Symbol

from derive.cell import Cell, dimensions

Array = Any
ROWS: Final = 16  # of a drawn matrix state


@lru_cache(maxsize=256)
def size_names(cell: Cell) -> tuple[str, ...]:
    """The names of the cell's sizes, the state's first."""
    symbols = (*cell.states, *cell.inputs, *cell.parameters, *cell.constants, *cell.outputs)
    names = [
        str(symbol)
        for matrix in symbols
        for extent in matrix.shape
        for symbol in sorted(extent.free_symbols, key=str)
    ]
    return tuple(dict.fromkeys(names))


def require_shown_sizes(cell: Cell) -> None:
    """Every size of a state must be one that a call without initial states knows.

    A sum of sizes shows the last of them that nothing else does.

    Raises:
        ValueError: naming the first that no input, parameter or constant shows.
    """
    given = (*cell.inputs, *cell.parameters, *cell.constants)
    extents = [extent.free_symbols for symbol in given for extent in symbol.shape]
    shown: set[Symbol] = set()
    while more := {size for sizes in extents if len(sizes - shown) == 1 for size in sizes - shown}:
        shown |= more
    for state in cell.states:
        for extent in state.shape:
            if missing := sorted(map(str, extent.free_symbols - shown)):
                raise ValueError(
                    f"no input, parameter or constant shows the size {missing[0]} of the "
                    f"state {state.name}: a call without initial states cannot know it; expected "
                    "one of that size, a bias perhaps"
                )


def usual_sizes(cell: Cell, state: int, other: int) -> dict[str, int]:
    """The sizes of a drawn net: `state` for what states have, `other` for the rest.

    A matrix among the states has at most `ROWS` rows: its Jacobian has the square of its entries.
    A size that the values of a constant in the cell file fix is what they fix it to.
    """
    own = {str(letter) for s in cell.states for letter in s.shape[0].free_symbols}
    if any(s.shape[1] != 1 for s in cell.states):
        state = min(state, ROWS)
    sizes = {name: state if name in own else other for name in size_names(cell)}
    for symbol in cell.constants:
        value = cell.defaults.get(symbol.name)
        if isinstance(value, list):
            for extent, count in zip(symbol.shape, np.shape(value), strict=False):
                if extent.is_Symbol:
                    sizes[str(extent)] = count
    return sizes


def shape_of(
    symbol: MatrixSymbol, sizes: Mapping[str, int], moves: bool = False
) -> tuple[int, ...]:
    """The shape in the module interface: (n, m), (n,) or (); a number that moves is (1,)."""
    rows, columns = (extent_of(extent, sizes) for extent in symbol.shape)
    if symbol.shape[1] != 1:
        return rows, columns
    return () if symbol.shape[0] == 1 and not moves else (rows,)


def extent_of(extent: Expr, sizes: Mapping[str, int]) -> int:
    """The number that a symbolic size stands for."""
    match extent:
        case Integer():
            return int(extent)
        case Symbol():
            return sizes[extent.name]
        case Add():
            return sum(extent_of(term, sizes) for term in extent.args)
        case Pow(args=(base, power)):  # n² entries of a square matrix
            return int(extent_of(base, sizes) ** int(power))
    return int(np.prod([extent_of(factor, sizes) for factor in extent.args]))


def sizes_of(cell: Cell, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The sizes that the arrays have, by name.

    Shapes: parameters and constants as the module has them; the rest with its own size last.
    """
    found: dict[str, int] = {}
    last = {*cell.inputs, *cell.states, *(c for c in cell.constants if c.name in cell.sequences)}
    for symbol in (*cell.parameters, *cell.constants, *cell.inputs, *cell.states):
        if symbol.name in arrays:
            shape, names = np.shape(arrays[symbol.name]), dimensions(symbol)
            own = shape[len(shape) - len(names) :] if symbol in last else shape
            found.update(zip(names, own, strict=True))
    return found


def as_columns(value: Array) -> Array:
    """A parameter or fixed constant as a matrix: a vector (n,) one column, a number (1, 1)."""
    return value if np.ndim(value) == 2 else value.reshape((-1, 1))


def of_step(symbol: MatrixSymbol, now: Array, by_samples: bool) -> Array:
    """A value of one step, one for all samples or one for each: columns side by side, or apart."""
    own = 2 if symbol.shape[1] != 1 else 1 if symbol.shape[0] != 1 else 0
    if np.ndim(now) == own:  # of one number: an entry of an array, which is no array itself
        return np.reshape(now, (1, 1)) if own == 0 else now.reshape((-1, 1)) if own == 1 else now
    if by_samples:
        return now if own == 2 else now.reshape((len(now), -1, 1))
    return now.T if own else np.reshape(now, (1, -1))
