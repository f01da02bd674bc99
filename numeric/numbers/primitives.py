"""The elementary functions that no arithmetic here has a construction of its own for.

In: a NumPy name. Out: a `Primitive`: what fifty digits, field elements, degrees, error bounds
and intervals need to know of a function to derive their own from it. A row is enough for all of
them; that it is the function's derivative, parity and direction is tested against SymPy.

Assumes: the function is smooth on the whole real line, and NumPy's errs by a few units in the
last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_INVERSES: Final = frozenset({"asin", "acos", "atan", "asinh", "acosh", "atanh"})


@dataclass(frozen=True)
class Primitive:
    """φ by NumPy's name; φ′ by + − · / on numbers of any kind; φ(−a) = −φ(a); φ′ ≥ 0."""

    name: str
    slope: Callable[[Any], Any]
    is_odd: bool
    is_increasing: bool

    @property
    def short_name(self) -> str:
        """What mathematicians' libraries call it: "atan" is NumPy's "arctan"."""
        return "a" + self.name.removeprefix("arc") if self.name.startswith("arc") else self.name

    def at(self, point: float) -> float:
        """The value at a float."""
        return float(getattr(math, self.short_name)(point))


def ufunc_name(name: str) -> str:
    """What NumPy calls the function that SymPy and `math` call so."""
    return f"arc{name[1:]}" if name in _INVERSES else name


PRIMITIVES: Final[dict[str, Primitive]] = {
    row.name: row
    for row in (Primitive("arctan", lambda a: 1 / (1 + a * a), is_odd=True, is_increasing=True),)
}
