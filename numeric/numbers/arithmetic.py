"""An arithmetic: how the expression language computes in numbers of one kind.

Floats here; boxes of a differentiation tool, fifty digits and field elements in files of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numeric.numbers.primitives import NOT_IN_NUMPY

if TYPE_CHECKING:  # the process of a file under audit does without SymPy
    from sympy import Expr, Number

Array = Any


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """The operations that `+ − · / @` and slicing do not bring along.

    `number` reads an exact constant; `decide` gives what a comparison looks at; `constant` the
    value of an array without what differentiates it; `reciprocal` is 1 / x. `shifted` says whether
    softmax subtracts the largest entry first, `of_probabilities` whether a cross-entropy is the
    logarithm of what softmax gives, which only random exponentials and logarithms can see.
    `functions` are those that the namespace has not.
    """

    namespace: Any = np
    number: Callable[[Expr], Any] = float
    decide: Callable[[Array], Array] = np.asarray
    constant: Callable[[Array], Array] = np.asarray
    reciprocal: Callable[[Array], Array] = lambda array: 1 / array
    shifted: bool = False
    of_probabilities: bool = False
    functions: Mapping[str, Callable[[Array], Array]] = field(default_factory=lambda: NOT_IN_NUMPY)

    @property
    def differentiates(self) -> bool:
        """Whether its numbers carry derivatives."""
        return self.constant is not np.asarray

    def function(self, name: str) -> Callable[[Array], Array] | None:
        """A function of one array by NumPy's name; None if there is none."""
        return getattr(self.namespace, name, None) or self.functions.get(name)

    def full(self, rows: int, columns: int, number: Number) -> Array:
        """The matrix that holds the number everywhere."""
        value = self.number(number)
        return np.full((rows, columns), value, dtype=None if isinstance(value, float) else object)


FLOATS: Final = Arithmetic()
