"""The derivation's equations as numbered comments of emitted code.

In: a `Derivation`. Out: for each name of a program the equation that defines it, as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derive.calculus.through_time import Derivation
from derive.typeset.layout import Layout, Notation
from derive.typeset.text import Text
from numeric.compiler.program import AS_THEY_ARE, name_of


def numbered_equations(
    derivation: Derivation, names: Mapping[str, str] = AS_THEY_ARE
) -> Iterator[tuple[str, str]]:
    """For each array that an equation of the derivation assigns: its number and the equation."""
    layout, text = Layout(Notation(derivation.cell.latex)), Text()
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
            yield name_of(equation.target, names), f"({step.number}) {left} = {right}"
