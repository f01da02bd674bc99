"""What the parts of the check share: the trajectory, the count of lines, and which are wrong.

In: a trajectory. Out: `Findings`, sentences that name a line by its number and its left side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from sympy import MatrixSymbol

from derive.calculus.through_time import Derivation, Step
from derive.cell import Cell, Equation, timeless_symbols
from derive.language.expr import symbols_of
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.numbers.moving import Moving
from numeric.verification.derivation.trajectory import Trajectory


@dataclass
class Findings:
    """How many lines were compared, and what is wrong with which."""

    path: Trajectory
    lines: int = 0
    wrong: dict[str, None] = field(default_factory=dict)

    @property
    def derivation(self) -> Derivation:
        """The derivation under examination."""
        return self.path.derivation

    @property
    def cell(self) -> Cell:
        """Its cell."""
        return self.derivation.cell

    @property
    def moving(self) -> Moving:
        """The kind of numbers."""
        return self.path.moving

    @cached_property
    def timeless(self) -> frozenset[MatrixSymbol]:
        """The symbols that neither time nor the batch changes."""
        return timeless_symbols(self.cell, self.derivation.forward)

    @cached_property
    def each_step(self) -> tuple[Equation, ...]:
        """The forward equations that every step computes anew."""
        return tuple(e for e in self.derivation.forward if e.target not in self.timeless)

    def hold(self, right: bool, what: Step | str, why: str) -> None:
        """Count a line; note it where it is wrong."""
        self.lines += 1
        if not right:
            name = self._called(what) if isinstance(what, Step) else what
            self.wrong[f"{name}: {why}"] = None

    def idle(self) -> set[int]:
        """The lines, forward and back, that were zero at every step, as relu of negative numbers.

        What they are made of has shown nowhere: they held whatever it is.
        """
        found = set()
        for step in (*self.derivation.part("forward"), *self.derivation.part("adjoint")):
            name = next(iter(symbols_of(step.equation.target))).name
            values = [value.ravel() for (other, t), value in self.path.timed.items()
                      if other == name and t]  # fmt: skip
            if all(self.moving.same(value, value - value) for value in values):
                found.add(step.number)
        return found

    def _called(self, step: Step) -> str:
        left = Text()(Layout(self.cell.notation).of(step.equation.target))
        return f"line ({step.number}), {left} = …"
