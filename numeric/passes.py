"""Program → Program: each pass keeps the meaning and improves one thing.

In: the plain program of `lower`. Out: the program a careful person would have written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from numeric.program import Program

Pass = Callable[[Program], Program]


def optimise(program: Program, passes: Sequence[Pass]) -> Program:
    """The program after all the passes, in order."""
    for improve in passes:
        program = improve(program)
    return program


READABLE: Final[tuple[Pass, ...]] = ()
FUSED: Final[tuple[Pass, ...]] = ()
