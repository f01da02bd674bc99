"""Functions whose slope is declared: what follows from them is a surrogate of a gradient.

In: a cell. Out: those of its functions. Let s be the function whose derivative is declared as the
slope of φ, and a° the argument's value where the gradient is asked for. All that is derived for the
cell is the derivative, there, of the same equations with φ(a°) + s(a) − s(a°) in the place of φ(a):
not of the equations as they stand, whose step has the derivative 0 or none.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise
from derive.language.functions import ElementwiseFunction, slope_name
from derive.saying import said


@lru_cache(maxsize=256)
def declared_slopes(cell: Cell) -> tuple[ElementwiseFunction, ...]:
    """The functions in the cell's equations whose slope is declared, in the order of reading."""
    found = {
        node.function.name: node.function
        for equation in cell.equations
        for node in preorder_traversal(equation.value)
        if isinstance(node, Elementwise) and node.function.surrogate is not None
    }
    return tuple(found.values())


def surrogate_note(cell: Cell) -> str:
    """That what is called a gradient is of a surrogate, and why; "" where no slope is declared."""
    names = ", ".join(map(slope_name, declared_slopes(cell)))
    return names and said(
        "step has a declared slope ({0}): gradients, Jacobians and norms are of a surrogate with "
        "this slope; the derivative of step itself is 0 or none", names
    )  # fmt: skip
