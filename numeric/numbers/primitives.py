"""The elementary functions that no arithmetic here has a construction of its own for.

In: a NumPy name. Out: a `Primitive`: what fifty digits, field elements, degrees, error bounds
and intervals need to know of a function to derive their own from it. A row is enough for all of
them; that it is the function's derivative, parity and direction is tested against SymPy.

Assumes: the function is smooth on the whole real line, and NumPy's, or Python's where NumPy has
none, errs by a few units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

_INVERSES: Final = frozenset({"asin", "acos", "atan", "asinh", "acosh", "atanh"})


@dataclass(frozen=True)
class Primitive:
    """φ by NumPy's name; φ′ on numbers of any kind; φ(−a) = −φ(a); φ′ ≥ 0.

    `slope` is made by + − · /, the functions `of.exp` and `of.sqrt`, and 1/√π: after the number it
    is handed what has the two, and the constant, where NumPy and the float will not do.
    """

    name: str
    slope: Callable[..., Any]
    is_odd: bool
    is_increasing: bool

    @property
    def short_name(self) -> str:
        """What mathematicians' libraries call it: "atan" is NumPy's "arctan"."""
        return "a" + self.name.removeprefix("arc") if self.name.startswith("arc") else self.name

    def at(self, point: float) -> float:
        """The value at a float."""
        return float(getattr(math, self.short_name)(point))

    def of_each(self, array: Any) -> Any:
        """The function of every entry, for what NumPy has none of; the dtype is kept."""
        dtype = np.asarray(array).dtype
        if dtype.kind == "O":
            return np.frompyfunc(lambda entry: getattr(entry, self.name)(), 1, 1)(array)
        return np.asarray(np.frompyfunc(getattr(math, self.short_name), 1, 1)(array), dtype)


def ufunc_name(name: str) -> str:
    """What NumPy calls the function that SymPy and `math` call so."""
    return f"arc{name[1:]}" if name in _INVERSES else name


_C: Final = 1 / math.sqrt(math.pi)
PRIMITIVES: Final[dict[str, Primitive]] = {
    row.name: row
    for row in (
        Primitive("arctan", lambda a, *_: 1 / (1 + a * a), is_odd=True, is_increasing=True),
        Primitive(
            "erf", lambda a, of=np, c=_C: 2 * c * of.exp(-(a * a)),
            is_odd=True, is_increasing=True,
        ),
    )
}  # fmt: skip
NOT_IN_NUMPY: Final = {
    name: row.of_each for name, row in PRIMITIVES.items() if name not in vars(np)
}
