"""A digest that two cells share where they are one function up to the names of their parameters.

In: a cell. Out: hexadecimal digits. The cell is run one step on elements of a prime field, so that
algebra does not matter. First all parameters of one shape hold the same numbers, and each in turn
others: what comes of it is the parameter's mark, and knows neither names nor order. Then each holds
numbers that follow from its mark. Parameters of one mark are changed by pairs besides. A field's
elements lie beyond any kink but one at 0, so that relu6 would be relu there: such kinks are part of
the digest. Cells that differ have the same digest by chance alone, and where parameters of one mark
differ in no pair.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
from sympy import OneMatrix, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise, split_coefficient
from derive.language.pairs import Maximum, Minimum
from numeric.meaning.run_cell import prepared
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
    shapes = {p.name: shape_of(p, sizes) for p in cell.parameters}
    run = prepared(cell, FIELD)

    def value(held: Mapping[str, Array]) -> str:
        states = run(held, inputs, initial)
        return ",".join(str(e.value) for s in cell.states for e in np.ravel(states[s.name][-1]))

    with random_functions(_SEED), np.errstate(all="ignore"):
        usual = {name: _from("usual", shape) for name, shape in shapes.items()}
        marks = {
            name: f"{shape}{value(usual | {name: _from('other', shape)})}"
            for name, shape in shapes.items()
        }
        own = {name: _from(mark, shapes[name]) for name, mark in marks.items()}
        changed = {name: _from(f"{mark}other", shapes[name]) for name, mark in marks.items()}
        count = Counter(marks.values())
        alike = sorted(name for name, mark in marks.items() if count[mark] > 1)
        pairs = sorted(
            value(own | {one: changed[one], two: changed[two]})
            for one, two in combinations(alike, 2)
        )
        said = repr((len(cell.states), value(usual), sorted(marks.values()), value(own), pairs,
                     *_kinks_apart(cell)))  # fmt: skip
    return _digest(said)[:16]


def _kinks_apart(cell: Cell) -> Iterator[str]:
    """What has a kink elsewhere than at 0, in order."""
    found = []
    for equation in cell.equations:
        for node in preorder_traversal(equation.value):
            if isinstance(node, Elementwise) and {*node.function.kink[1:]} - {"0"}:
                found.append(f"{node.function.name}{node.parameters}")
            elif isinstance(node, Maximum | Minimum):
                sides = [split_coefficient(side) for side in node.args]
                found += [f"{type(node).__name__} {number}" for number, rest in sides
                          if isinstance(rest, OneMatrix) and number != 0]  # fmt: skip
    yield from sorted(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return random_duals(rng, shape, 0.7)


def _from(what: str, shape: tuple[int, ...]) -> Array:
    """Numbers that depend on a text and a shape alone."""
    rng = np.random.default_rng([_SEED, int(_digest(what)[:16], 16), *shape])
    return _drawn(rng, shape or (1,)).reshape(shape)
