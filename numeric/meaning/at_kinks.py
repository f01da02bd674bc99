"""Where a run stands exactly at a kink: there a function has no derivative, and a rule gives one.

In: a cell and the numbers of a call. Out: the first place, or none. The rule is that of the table
of functions, and of two equal numbers the slope is the first one's; what is computed with it is
the product that back-propagation makes, and no limit of slopes nearby.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import MatrixExpr, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise
from derive.language.pairs import Maximum, Minimum
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.run_cell import run_cell

Array = Any
Arrays = Mapping[str, Any]
FIRST: Final = ""  # the slope of two equal numbers: that of the first


@dataclass(frozen=True)
class AtKink:
    """The first step at which a function of an equation stands at a kink, in `count` of `of`.

    `slope` is what its slope is taken to be there.
    """

    function: str
    target: str
    step: int
    count: int
    of: int
    slope: str


@dataclass(frozen=True)
class _Asked:
    function: str
    target: str
    slope: str
    stands: Callable[[Step], Array]


@lru_cache(maxsize=256)
def _kinked(cell: Cell) -> tuple[_Asked, ...]:
    return tuple(
        _Asked(name, equation.target.name, slope, stands)
        for equation in cell.equations
        for name, slope, stands in _calls(equation.value)
    )


def _calls(value: MatrixExpr) -> Iterator[tuple[str, str, Callable[[Step], Array]]]:
    for node in preorder_traversal(value):
        if isinstance(node, Elementwise) and node.function.kink and not node.function.surrogate:
            slope, *places = node.function.kink
            yield node.function.name, slope, _at(compiled(node.argument), _numbers(places))
        if isinstance(node, (Maximum, Minimum)):
            yield "max" if isinstance(node, Maximum) else "min", FIRST, _tied(*node.args)


def _at(argument: Callable[[Step], Array], places: list[float]) -> Callable[[Step], Array]:
    return lambda step: np.isin(np.asarray(argument(step), float), places)


def _tied(left: MatrixExpr, right: MatrixExpr) -> Callable[[Step], Array]:
    one, other = compiled(left), compiled(right)
    return lambda step: np.asarray(one(step) == other(step))


def _numbers(places: list[str]) -> list[float]:
    """The numbers at which a table states kinks: "0", "6", "±5/2"."""
    found = [float(Fraction(place.lstrip("±"))) for place in places]
    return [*found, *(-x for x, place in zip(found, places, strict=True) if place[0] == "±")]


def first_kink(
    cell: Cell, parameters: Arrays, inputs: Arrays, initial: Arrays,
    constants: Arrays | None = None, after: int = 0,
) -> AtKink | None:  # fmt: skip
    """The first place behind the step `after` where a function stands at a kink, if there is one.

    Shapes: inputs (T, B, m), initial (B, n).
    """
    asked = _kinked(cell)
    if not asked:
        return None
    found: list[AtKink] = []

    def look(time: int, step: Step) -> None:
        for call in asked if time >= after and not found else ():
            stands = call.stands(step)
            if count := int(stands.sum()):
                found.append(AtKink(call.function, call.target, time + 1, count, stands.size,
                                    call.slope))  # fmt: skip

    with np.errstate(all="ignore"):
        run_cell(cell, parameters, inputs, initial, constants, look=look)
    return found[0] if found else None
