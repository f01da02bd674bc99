"""The check `derivation`: every line that is printed or built on, compared; what is wrong, named.

In: a cell or its derivation. Out: `Examined`, or a `Check`. The lines are what `show` and reports
print and what theorems and bounds are built on. The other side is the author's equations, run
forward on numbers that carry a tangent; no rule of differentiation is shared. What only the
derivation names, a part of an equation, means what its own forward line says, and the forward
lines must give the author's values. All numbers are drawn: a line that holds for them is an
identity, but for a chance of about its degree / 2⁶¹.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from derive.calculus.through_time import Derivation, derivation_of
from derive.cell import Cell
from derive.language.syntax import CellError
from numeric.numbers.moving import DIGITS, EXACT, Moving, NothingShownError
from numeric.verification.derivation.adjoint_lines import backward_lines, forward_lines
from numeric.verification.derivation.findings import Findings
from numeric.verification.derivation.jacobian_lines import JacobianLines
from numeric.verification.derivation.norms import undominated
from numeric.verification.derivation.trajectory import NOT_SHOWN, Trajectory, where_defined
from numeric.verification.known_to_field import unknown_to_field
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PASS, Check

_DEVIATION: Final = 0.7
_TRIES: Final = 6
_FURTHER: Final = 1000  # from one seed to the next
_SHOWN: Final = 3


class WrongDerivationError(Exception):
    """A line of a derivation of ours is wrong, so that nothing may be said of the cell."""


@dataclass(frozen=True)
class Examined:
    """How many lines were compared, in which numbers, and which are wrong."""

    lines: int
    wrong: tuple[str, ...]
    numbers: str


def examine(derivation: Derivation, seed: int = 0) -> Examined:
    """Every line of the derivation against derivatives of the cell's equations.

    Exactly over a prime field; to fifty digits where the cell does not run on its elements, where
    its functions have numbers that these do not know, or where what decides a comparison in them
    was rounded. Where a function with a kink was flat wherever it was read, other numbers are
    drawn, until what stands behind it has shown.

    Raises:
        CellError: if no numbers were found that decide of every line.
    """
    lost: list[int] = []  # seeds at whose numbers a line was between right and wrong

    def run(seed: int) -> Findings:
        try:
            return _sure(derivation, seed)
        except NothingShownError:
            lost.append(seed)
            raise

    with np.errstate(all="ignore"):
        found = where_defined(derivation.cell, run, seed)
        lines, wrong, idle = found.lines, dict(found.wrong), found.idle()
        for more in range(1, _TRIES):
            if wrong or not idle:
                break
            further = seed + _FURTHER * more
            again = where_defined(derivation.cell, run, further)
            lines, wrong, idle = lines + again.lines, dict(again.wrong), idle & again.idle()
        if lost and idle and not wrong:
            raise CellError(NOT_SHOWN, cell=derivation.cell.name)
        compared, small = undominated(derivation, seed)
    return Examined(lines + compared, (*wrong, *small), found.moving.name)


def _sure(derivation: Derivation, seed: int) -> Findings:
    """What is found exactly, or to fifty digits where that does not decide."""
    with suppress(TypeError, ZeroDivisionError):
        known = not unknown_to_field(derivation.cell)
        found, sure = _lines(derivation, EXACT if known else DIGITS, seed)
        if sure:
            return found
    return _lines(derivation, DIGITS, seed)[0]


def _lines(derivation: Derivation, moving: Moving, seed: int) -> tuple[Findings, bool]:
    """What was found, and whether no doubtful comparison can have led to it."""
    with moving.functions(seed) as functions:
        found = Findings(Trajectory(derivation, moving, seed, _DEVIATION))
        forward_lines(found)
        backward_lines(found)
        JacobianLines(found).compare()
    return found, not found.wrong or functions is None or not functions.ties


@lru_cache(maxsize=16)
def _examined(derivation: Derivation, seed: int) -> Examined:
    """`examine` of the very derivation that all stages are given, once for all of them."""
    return examine(derivation, seed)


def derivation_check(cell: Cell, ours: bool, seed: int = 0) -> Check:
    """The check as a verdict holds it; a wrong line of ours is a doubt about others' code."""
    found = _examined(derivation_of(cell), seed)
    figures = {"lines": found.lines, "numbers": found.numbers}
    if found.wrong:
        said = f"a fault of this toolkit: {'; '.join(found.wrong[:_SHOWN])}"
        return Check(FAIL if ours else INCONCLUSIVE, said, figures)
    return Check(PASS, None, figures)


def require_derivation(cell: Cell, seed: int = 0) -> None:
    """Let nothing be said of a cell whose derivation is wrong.

    Raises:
        WrongDerivationError: naming the first line that is.
        CellError: if no numbers were found that decide of every line.
    """
    found = _examined(derivation_of(cell), seed)
    if found.wrong:
        raise WrongDerivationError(f"cell {cell.name!r}: {found.wrong[0]}")
