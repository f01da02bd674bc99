"""Sizes by name: which a cell has, the usual ones, and what arrays say of them.

In: a cell, sizes or arrays. Out: numbers and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Add, Expr, Integer, MatrixSymbol, Symbol

from derive.cell import Cell, dimensions

Array = Any


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


def usual_sizes(cell: Cell, state: int, other: int) -> dict[str, int]:
    """The sizes of a drawn net: `state` for what states have, `other` for the rest.

    A size that the values of a constant in the cell file fix is what they fix it to.
    """
    own = {str(letter) for s in cell.states for letter in s.shape[0].free_symbols}
    sizes = {name: state if name in own else other for name in size_names(cell)}
    for symbol in cell.constants:
        value = cell.defaults.get(symbol.name)
        if isinstance(value, list):
            for extent, count in zip(symbol.shape, np.shape(value), strict=False):
                if extent.is_Symbol:
                    sizes[str(extent)] = count
    return sizes


def shape_of(symbol: MatrixSymbol, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape in the module interface: (n, m), (n,) or ()."""
    rows, columns = (extent_of(extent, sizes) for extent in symbol.shape)
    if symbol.shape[1] != 1:
        return rows, columns
    return () if symbol.shape[0] == 1 else (rows,)


def extent_of(extent: Expr, sizes: Mapping[str, int]) -> int:
    """The number that a symbolic size stands for."""
    match extent:
        case Integer():
            return int(extent)
        case Symbol():
            return sizes[extent.name]
        case Add():
            return sum(extent_of(term, sizes) for term in extent.args)
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
