"""Which functions of a cell a prime field can decide on: those whose slopes hold in it as written.

In: a cell. Out: the names of the others. In the field an irrational number is the simplest fraction
near it, so that √2·√2 is not 2 and √2 times 1/√π not their product. A row in which such numbers
meet in its formula, and their product stands in its slope, is right and differs there: what is
found exactly says nothing of its cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Expr, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise
from derive.language.functions import ElementwiseFunction, X, Y
from numeric.meaning.formulas import formula_of
from numeric.numbers.prime_field import FIELD, Dual, DualArray
from numeric.numbers.random_functions import PRIME, random_functions

_SHADOWS: Final = (-9.0, -2.0, -0.7, -0.1, 0.1, 0.7, 2.0, 9.0)  # on the pieces of a function
_SEED: Final = 20100811


@lru_cache(maxsize=256)
def unknown_to_field(cell: Cell) -> tuple[str, ...]:
    """The functions of the cell that differ over the field from what they are, by their names."""
    found = {
        node.function.name: node.function.at(node.parameters)
        for equation in cell.equations
        for node in preorder_traversal(equation.value)
        if isinstance(node, Elementwise)
    }
    return tuple(name for name, row in found.items() if not _holds(row))


@lru_cache(maxsize=256)
def _holds(row: ElementwiseFunction) -> bool:
    """Whether the slopes are the formula's derivative over the field; rational ones always are.

    What the field has no functions for, the check itself finds it cannot run.
    """
    if not any(map(_irrational, _forms(row))):
        return True
    rng = np.random.default_rng(_SEED)
    moving = _array([Dual(int(rng.integers(PRIME)), 1, shadow) for shadow in _SHADOWS])
    try:
        with random_functions(_SEED), np.errstate(all="ignore"):
            made = DualArray.of(_of(row.surrogate or row.formula, moving))
            slopes = [_of(row.slope, moving)]
            if row.slope_from_output is not None:
                slopes.append(_of(row.slope_from_output.subs(Y, X), made))
            want = [entry.tangent for entry in made]
            return all([e.value for e in DualArray.of(s)] == want for s in slopes)
    except (TypeError, ZeroDivisionError):
        return True


def _of(form: Expr, array: Any) -> Any:
    return np.broadcast_to(formula_of(form, FIELD)(array), array.shape)


def _array(entries: list[Dual]) -> Any:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array.view(DualArray)


def _forms(row: ElementwiseFunction) -> Iterator[Expr]:
    for form in (row.formula, row.slope, row.slope_from_output, row.surrogate):
        if form is not None:
            yield form


def _irrational(form: Expr) -> bool:
    """Whether a number of the form is no fraction."""
    return any(part.is_number and not part.is_Rational for part in preorder_traversal(form))
