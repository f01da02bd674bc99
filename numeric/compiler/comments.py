"""The derivation's equations as numbered comments of emitted code.

In: a `Derivation`. Out: for each symbol the equation that defines it, as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import MatrixSymbol

from derive.calculus.through_time import Derivation
from derive.typeset.layout import Layout
from derive.typeset.text import Text


def numbered_equations(derivation: Derivation) -> Iterator[tuple[MatrixSymbol, str]]:
    """For each symbol that an equation of the derivation gives: its number and the equation."""
    layout, text = Layout(replace(derivation.cell.notation, timed=frozenset())), Text()
    gradients = derivation.part("gradients")
    handed = [step for step in derivation.part("recursion") if step.terms]
    for equations, steps in (
        (derivation.forward, derivation.part("forward")),
        (derivation.adjoint, derivation.part("adjoint")),
        ((*derivation.parameters, *derivation.inputs), gradients),
        (derivation.carries, handed),
    ):
        for equation, step in zip(equations, steps, strict=False):
            left, right = (
                text(layout.of(side)) for side in (step.equation.target, step.equation.value)
            )
            yield equation.target, f"({step.number}) {left} = {right}"
