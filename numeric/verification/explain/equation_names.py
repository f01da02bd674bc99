"""The words of a diagnosis: symbols at their times, equations by their numbers.

In: a derivation. Out: `EquationNames`, which writes a part of an equation as `bptt show` does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sympy import MatrixExpr, MatrixSymbol

from derive.calculus.through_time import TIME, Clock, Derivation
from derive.cell import timeless_symbols
from derive.language.expr import At, replace, symbols_of
from derive.saying import said
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.compiler.comments import numbered_equations
from numeric.verification.explain.change import EARLIER, LATER
from numeric.verification.verdict import listed

FEW: Final = 6  # steps that are told one by one


@dataclass
class EquationNames:
    """Writes expressions and names equations of one derivation."""

    derivation: Derivation
    equations: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Number the equations, and learn how the cell's symbols are written."""
        cell = self.derivation.cell
        self.equations = {s.name: text for s, text in numbered_equations(self.derivation)}
        plain = dataclasses.replace(cell.notation, timed=frozenset())
        self._layout, self._text = Layout(plain), Text()
        self._clock = Clock(cell, timeless_symbols(cell, self.derivation.forward))

    def __call__(self, expression: MatrixExpr) -> str:
        """The expression at time t."""
        shifted: dict[MatrixExpr, MatrixExpr] = {}
        for symbol in symbols_of(expression):
            for ending, time in ((EARLIER, TIME - 1), (LATER, TIME + 1)):
                if symbol.name.endswith(ending):
                    base = MatrixSymbol(symbol.name.removesuffix(ending), *symbol.shape)
                    shifted[At(symbol, TIME)] = At(base, time)
        timed = replace(self._clock.at(expression, TIME), shifted)
        return self._text(self._layout.of(timed))

    def bare(self, symbol: MatrixExpr) -> str:
        """The symbol without a time."""
        return self._text(self._layout.of(symbol))

    def where(self, targets: Iterable[str]) -> str:
        """The equations that give these names: number and text of few, the numbers of many."""
        texts = [self.equations[name] for name in dict.fromkeys(targets) if name in self.equations]
        split = sorted((int(t[1 : t.index(")")]), t[t.index(")") + 2 :]) for t in texts)
        if not split:
            return ""
        if len(split) == 1:
            return said("adjoint equation {0}: {1}", split[0][0], split[0][1])
        if len(split) == 2:
            first, second = (f"{number}: {text}" for number, text in split)
            return said("adjoint equations {0}; {1}", first, second)
        return said("adjoint equations {0}", listed((str(number) for number, _ in split)))


def runs(steps: Iterable[int]) -> list[str]:
    """The steps as words; of many, those that follow each other as one: 1–25."""
    found: list[list[int]] = []
    for step in steps:
        if found and step == found[-1][-1] + 1:
            found[-1].append(step)
        else:
            found.append([step])
    if sum(map(len, found)) <= FEW:
        return [str(step) for run in found for step in run]
    return [f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in found]
