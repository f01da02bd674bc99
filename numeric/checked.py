"""Bounds of a cell whose derivation is compared with its equations first.

In: what `numeric.bounds.diagnosis` takes. Out: what it gives. Bounds and verification do not know
of each other; here, where a user calls, nothing is said of a cell whose derivation is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from derive.cell import cell_of
from numeric.bounds import diagnosis
from numeric.verification.derivation.check import require_derivation

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def _checked(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """The function, whose first argument is a cell, after every line of the cell's derivation."""

    @wraps(function)
    def checked(*given: Given.args, **named: Given.kwargs) -> Answer:
        cell: Any = given[0] if given else named["cell"]
        require_derivation(cell_of(cell))
        return function(*given, **named)

    return checked


diagnose: Final = _checked(diagnosis.diagnose)
