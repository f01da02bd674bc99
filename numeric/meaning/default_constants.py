"""Default constants of a cell for given sizes, so that it can be run without any being given.

In: a cell and its sizes, T among them. Out: name → array in the module interface's layout:
(T, size) a sequence, else as declared. What the cell's `defaults` leave open is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.language.defaults import BLOCK_UPPER, CLOCK, LEGENDRE, rank
from numeric.meaning.sizes import extent_of

MODULES: Final = 4


def modules(units: int) -> Any:
    """The module, from 0, of each unit: min(4, n) modules of ⌈n/g⌉ or ⌊n/g⌋ units, in order.

    Shapes: (n,); integers that do not decrease. Where n mod g = r, the first r are one larger.
    """
    count = min(MODULES, units)
    sizes = [len(part) for part in np.array_split(np.arange(units), max(count, 1))]
    return np.repeat(np.arange(len(sizes)), sizes)


def clock(shape: tuple[int, ...]) -> Any:
    """Entry (t, j) is 1 where the period 2^module(j) divides t = 1…T, else 0.

    Shapes: (T, n).

    Source: after Koutník, Greff, Gomez and Schmidhuber 2014: periods 1, 2, 4, …, a step counted
    from 1 as everywhere here.
    """
    steps, units = shape
    time = np.arange(1, steps + 1)[:, None]
    return (time % 2 ** modules(units)[None, :] == 0).astype(float)


def block_upper(shape: tuple[int, ...]) -> Any:
    """Entry (i, j) is 1 where unit i's period is at most unit j's: block upper triangular.

    Shapes: (n, n), the modules in the order of increasing period.

    Source: after Koutník, Greff, Gomez and Schmidhuber 2014: a module hears the slower ones.
    """
    module = modules(shape[0])
    return (module[:, None] <= module[None, :]).astype(float)


def legendre(shape: tuple[int, ...]) -> Any:
    """A and b of θ m′ = A m + b u, whose state is the last θ of u in Legendre polynomials.

    Shapes: (d, d): A_ij = (2i + 1)(−1 if i < j else (−1)^{i−j+1}); (d,): b_i = (2i + 1)(−1)^i,
    counted from 0.

    Source: Voelker, Kajić and Eliasmith 2019, equation 2.
    """
    i = np.arange(shape[0], dtype=float)
    if len(shape) == 1:
        return (2 * i + 1) * (-1.0) ** i
    row, column = i[:, None], i[None, :]
    return (2 * row + 1) * np.where(row < column, -1.0, (-1.0) ** (row - column + 1))


_RULES: Final[Mapping[str, Callable[[tuple[int, ...]], Any]]] = {
    CLOCK: clock,
    BLOCK_UPPER: block_upper,
    LEGENDRE: legendre,
}


def default_constants(cell: Cell, sizes: Mapping[str, int], rng: Any = None) -> dict[str, Any]:
    """A constant as its cell's `defaults` say, a standard normal array where they say nothing.

    Shapes: (T, size) for a sequence, with `sizes["T"]`; else as declared.

    Raises:
        ValueError: if a size is missing, or values in the cell file are of another size.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    found = {}
    for symbol in cell.constants:
        try:
            steps = (sizes["T"],) if symbol.name in cell.sequences else ()
            extents = symbol.shape[: rank(symbol)]
            shape = (*steps, *(extent_of(extent, sizes) for extent in extents))
        except KeyError as missing:
            raise ValueError(f"sizes: {symbol.name!r} needs the size {missing}") from None
        value = cell.defaults.get(symbol.name)
        if value is None:
            found[symbol.name] = rng.normal(size=shape)
        elif isinstance(value, str):
            found[symbol.name] = _RULES[value](shape)
        else:
            found[symbol.name] = _held(symbol.name, np.asarray(value, dtype=float), shape, steps)
    return found


def _held(name: str, value: Any, shape: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    """The values at every step, or a number in every entry.

    Raises:
        ValueError: if the values are of another size.
    """
    if value.ndim and value.shape != shape[len(steps) :]:
        raise ValueError(
            f"the default of {name!r} has the shape {value.shape}, these sizes need "
            f"{shape[len(steps) :]}: pass the constant, or choose sizes that fit"
        )
    return np.broadcast_to(value, shape).copy()
