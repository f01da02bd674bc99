"""Letters of a theorem's own: none that the cell uses, and none with two meanings.

In: a `Derivation`, and for each thing to be named the letters it may have. Out: the first that is
free, the same whenever the same choices are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, count
from typing import Final

from sympy import MatrixSymbol, Symbol, Tuple

from derive.calculus.through_time import Derivation
from derive.typeset.layout import PLAIN
from derive.typeset.letters import heads

THETA: Final = ("theta", "w", "upsilon")  # a parameter
RATE: Final = ("r", "q", "kappa")
KEPT: Final = ("a", "kappa", "pi")  # what a state keeps of itself, where that has no name
_SPARE: Final = (
    *"yzwvuxpq", "xi", "eta", "zeta", "chi", "psi", "omega", "kappa", "nu", "mu", "epsilon",
)  # fmt: skip
"""Letters that mean nothing in every report; for a capital, their capitals."""
PLACES: Final = (("a", "l", "iota"), ("b", "w", "zeta"))  # the row of an entry, and the column


def taken(derivation: Derivation) -> set[str]:
    """The names that the cell and its intermediates use."""
    cell = derivation.cell
    symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
    return {s.name for s in symbols} | {e.target.name for e in derivation.forward}


class Letters:
    """Gives out letters, for one theorem or one page.

    Taken are the letters that the cell's symbols and sizes are read by, also under an accent or
    before a subscript, those of the cell's notation that gave way to such, and what was given.
    """

    def __init__(self, derivation: Derivation, others: Iterable[str] = ()) -> None:
        """`others` are names of symbols that stand on the page beside the cell's."""
        cell = derivation.cell
        names, notation = taken(derivation), cell.notation
        symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
        sizes = Tuple(*(extent for s in symbols for extent in s.shape)).free_symbols
        own = ({n.loss, n.length, n.norms, n.earlier, n.factor, n.index} for n in (notation, PLAIN))
        ours, usual = own
        self.used = names | heads(names, cell.latex) | set(map(str, sizes)) | (ours - usual)
        self.used |= heads(others, {})
        self.given: dict[tuple[str, ...], str] = {}

    def __call__(self, *choices: str) -> str:
        """The first name that is free; if none is, any letter of that case, or a starred one."""
        if choices not in self.given:
            first = choices[0]
            spare = _SPARE if first.islower() else [c.upper() for c in _SPARE if len(c) == 1]
            starred = (f"{first}_{'star' * times}" for times in count(1))
            found = next(c for c in chain(choices, spare, starred) if c not in self.used)
            self.used.add(found)
            self.given[choices] = found
        return self.given[choices]

    def number(self, *choices: str, **assumed: bool) -> Symbol:
        """A number with a letter of these."""
        return Symbol(self(*choices), **assumed)

    def matrix(self, *choices: str) -> MatrixSymbol:
        """Any matrix with a letter of these."""
        return MatrixSymbol(self(*choices), 2, 2)

    def column(self, *choices: str) -> MatrixSymbol:
        """Any column with a letter of these."""
        return MatrixSymbol(self(*choices), 2, 1)
