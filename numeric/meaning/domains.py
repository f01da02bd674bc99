"""Where a cell is not defined: log or root of a number that is not positive, division by 0.

In: a cell and the numbers of a call. Out: the first place where a function is asked outside of its
domain, in words, or nothing. A root counts as undefined at 0, where it has no slope.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import MatrixExpr, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Broadcast, Elementwise, Quotient
from derive.saying import said
from derive.typeset.layout import Layout, Notation
from derive.typeset.text import Text
from numeric.meaning.interpret import Step, Valued, compiled
from numeric.meaning.run_cell import run_cell

Arrays = Mapping[str, Any]


class UndefinedError(ValueError):
    """Values for which a cell is not defined: says which function, where, and of which number."""


@dataclass(frozen=True)
class _Asked:
    """One call of a function, or one division, that not every number has a value of."""

    target: str
    node: Elementwise | Quotient
    argument: Valued


@lru_cache(maxsize=256)
def _restricted(cell: Cell) -> tuple[_Asked, ...]:
    return tuple(
        _Asked(equation.target.name, node, compiled(argument))
        for equation in cell.equations
        for node, argument in _calls(equation.value)
    )


def _calls(value: MatrixExpr) -> Iterator[tuple[Elementwise | Quotient, MatrixExpr]]:
    for node in preorder_traversal(value):
        if isinstance(node, Elementwise) and node.function.needs:
            yield node, node.argument
        if isinstance(node, Quotient):
            below = node.args[1].args[0] if isinstance(node.args[1], Broadcast) else node.args[1]
            if not (isinstance(below, Elementwise) and below.function.needs):  # it is asked itself
                yield node, below


def undefined(
    cell: Cell, parameters: Arrays, inputs: Arrays, initial: Arrays, constants: Arrays | None = None
) -> str:
    """The first place where the cell is not defined; empty if there is none.

    Shapes: inputs (T, B, m), initial (B, n).
    """
    asked = _restricted(cell)
    if not asked:
        return ""
    found: list[str] = []

    def look(time: int, step: Step) -> None:
        for call in asked if not found else ():
            value = np.asarray(call.argument(step), float)
            divides = isinstance(call.node, Quotient)
            outside = value == 0 if divides else value <= 0  # nan is of what overflowed before
            if outside.any():
                found.append(_sentence(cell, call, float(value[outside][0]), time + 1))

    with np.errstate(all="ignore"):
        run_cell(cell, parameters, inputs, initial, constants, look=look)
    return found[0] if found else ""


def _sentence(cell: Cell, call: _Asked, value: float, time: int) -> str:
    text = Text()(Layout(Notation(cell.latex)).of(call.node))
    if isinstance(call.node, Quotient):
        return said("in the equation of {0}, {1} divides by 0 at step {2}", call.target, text, time)
    return said(
        "in the equation of {0}, {1} is asked at {2:.3g} at step {3}: {4} needs a positive number",
        call.target, text, value, time, call.node.function.name,
    )  # fmt: skip
