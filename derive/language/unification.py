"""Sizes that are not known yet, and how two of them become one.

In: sizes as sums of unknowns. Out: the same sizes, tied together; `Shapes` asks for it at each
operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from derive.language.syntax import CellError


@dataclass(eq=False)
class Unknown:
    """A size not yet known; `bound` once it is tied to a sum of others, never to 1."""

    bound: tuple[Unknown, ...] | None = None
    name: str = ""


Size = tuple[Unknown, ...]
Shape = tuple[Size, Size]
MAX_PARTS: Final = 60
ONE: Final = Unknown(name="1")
SCALAR: Final[Shape] = ((ONE,), (ONE,))


def resolve(extent: Size) -> Size:
    """The size through all its bonds, as a sum of unbound unknowns; bonds are shortened.

    Raises:
        CellError: if it has too many parts: they double with each concat(a, a).
    """
    found: list[Unknown] = []
    for unknown in extent:
        parts: list[Unknown] = []
        open_ones = [unknown]
        while open_ones:
            one = open_ones.pop()
            if one.bound is None:
                parts.append(one)
            else:
                open_ones.extend(reversed(one.bound))
            if len(found) + len(parts) + len(open_ones) > MAX_PARTS:
                raise CellError(f"concat makes a size of more than {MAX_PARTS} parts")
        if unknown.bound is not None:
            unknown.bound = tuple(parts)
        found += parts
    return tuple(found)


def unify(left: Size, right: Size) -> bool:
    """Make the two sizes one; false where they cannot be."""
    left, right = resolve(left), resolve(right)
    if left == right:
        return True
    for one, other in ((left, right), (right, left)):
        if len(one) == 1 and not one[0].name and not {one[0], ONE} & {*other}:
            one[0].bound = other
            return True
    if len(left) == len(right) > 1:
        return all(unify((a,), (b,)) for a, b in zip(left, right, strict=True))
    return False
