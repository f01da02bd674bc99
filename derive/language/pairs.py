"""Functions of two arguments of one shape, entry by entry: one of two numbers, or which it is.

In: expressions of the language. Out: nodes beside those of `expr`.
"""

from __future__ import annotations

from typing import ClassVar, Final, Self, cast

from sympy import Basic, MatrixExpr

from derive.language.expr import Shape


class _Pair(MatrixExpr):  # type: ignore[misc]
    """A function of two arguments of one shape, entry by entry; `name` is how it is written."""

    name: ClassVar[str]

    def __new__(cls, left: MatrixExpr, right: MatrixExpr) -> Self:
        return cast("Self", Basic.__new__(cls, left, right))

    @property
    def shape(self) -> Shape:
        return cast("Shape", self.args[0].shape)


class Maximum(_Pair):
    """max(a, b): entry by entry the larger."""

    name = "maximum"


class Minimum(_Pair):
    """min(a, b): entry by entry the smaller."""

    name = "minimum"


class AtLeast(_Pair):
    """[a ≥ b]: 1 where it holds, else 0."""

    name = "at_least"


class Below(_Pair):
    """[a < b]: 1 where it holds, else 0."""

    name = "below"


PAIR_FUNCTIONS: Final[dict[str, type[_Pair]]] = {node.name: node for node in (Maximum, Minimum)}
