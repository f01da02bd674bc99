"""A digest that two cells share where they are one function up to the names of their parameters.

In: a cell. Out: hexadecimal digits. The cell is run one step on elements of a prime field, so that
algebra does not matter; all parameters of one shape hold the same numbers, then one of them others,
then two of them: the multiset of results does not depend on names or order. Cells that differ have
the same digest by chance alone, and where no pair of parameters shows the difference.
"""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import shape_of, size_names
from numeric.numbers.prime_field import FIELD, random_duals
from numeric.numbers.random_functions import random_functions

Array = Any
_SEED: Final = 20150706
_SIZES: Final = (3, 2)


def digest_of(cell: Cell) -> str:
    """The digest.

    Raises:
        TypeError: if the cell does not run on field elements.
        ZeroDivisionError: if it divides by zero there.
    """
    names = size_names(cell)
    sizes = {name: _SIZES[min(place, 1)] for place, name in enumerate(names)}
    rng = np.random.default_rng(_SEED)
    inputs = {x.name: _drawn(rng, (1, 1, *shape_of(x, sizes, True))) for x in cell.inputs}
    initial = {s.name: _drawn(rng, (1, *shape_of(s, sizes, True))) for s in cell.states}
    usual = {p.name: _by_shape(shape_of(p, sizes), 0) for p in cell.parameters}
    other = {p.name: _by_shape(shape_of(p, sizes), 1) for p in cell.parameters}

    def value(*changed: str) -> str:
        held = {**usual, **{name: other[name] for name in changed}}
        with random_functions(_SEED), np.errstate(all="ignore"):
            states = run_cell(cell, held, inputs, initial, {}, FIELD)
        return ",".join(str(e.value) for s in cell.states for e in np.ravel(states[s.name][-1]))

    parameters = sorted(usual)
    singles = sorted((value(name), str(np.shape(usual[name]))) for name in parameters)
    pairs = sorted(value(*pair) for pair in combinations(parameters, 2))
    said = repr((len(cell.states), value(), singles, pairs))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return random_duals(rng, shape, 0.7)


def _by_shape(shape: tuple[int, ...], which: int) -> Array:
    """Numbers that depend on the shape alone."""
    return _drawn(np.random.default_rng([_SEED, which, *shape]), shape or (1,)).reshape(shape)
