"""The sums over pairs of times for one loss, written out: t = 3 and k = 3, 2, 1.

In: a `Derivation`. Out: for each parameter the terms of ∂L_t/∂θ, the latest step first; and the
gradient of a readout, which has one term alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Identity, Integer, MatrixExpr, Transpose

from derive.calculus.joins import Joined
from derive.calculus.through_time import EARLIER, TIME, Derivation
from derive.cell import Equation
from derive.language.expr import (
    Partial,
    TimeSum,
    add,
    operands,
    product,
    replace,
    scale,
    split_coefficient,
)
from derive.language.syntax import BAR, CellError
from derive.network import Network


@dataclass(frozen=True)
class Readout:
    """The output of a linear readout, and the gradient of L_t by its matrix: one step's values."""

    output: Equation
    gradient: Equation
    joined: Joined


def terms_at(pairs: MatrixExpr, step: int) -> tuple[MatrixExpr, ...]:
    """The terms of Σ_{k ≤ t} at t = step, for k = step, …, 1.

    Assumes: `pairs` is the double sum over t and k that a derivation has.
    """
    inner = pairs.args[0]
    assert isinstance(inner, TimeSum)
    body = inner.args[0]
    found = []
    for k in range(step, 0, -1):
        there: dict[MatrixExpr, MatrixExpr] = {TIME: Integer(step), EARLIER: Integer(k)}
        found.append(_without_identities(replace(body, there)))
    return tuple(found)


def _without_identities(expr: MatrixExpr) -> MatrixExpr:
    """∂s_k/∂s_k is I, and drops out of a product."""
    whole = expr.args[0] if isinstance(expr, Transpose) else expr
    if isinstance(whole, Partial) and whole.args[0] == whole.args[1]:
        return Identity(whole.shape[0])
    if not operands(expr) or isinstance(expr, Partial) or not expr.is_MatMul:
        return expr
    number, rest = split_coefficient(expr)
    factors = rest.args if rest.is_MatMul else (rest,)
    return scale(number, product(*map(_without_identities, factors)))


def written_out(derivation: Derivation, step: int) -> tuple[tuple[Expr, MatrixExpr], ...]:
    """The symbol of each parameter and the sum of its terms for the loss at one step.

    Parameters that are used once besides, before the steps, have a share that is in no such sum;
    they are left out.
    """
    symbols = {symbol.name: symbol for symbol in derivation.cell.parameters}
    return tuple(
        (symbols[name], add(*terms_at(s.equation.value, step)))
        for s in derivation.part("pairs")
        if (name := s.equation.target.name.removesuffix(BAR)) in symbols
        and isinstance(s.equation.value, TimeSum)
        and isinstance(s.equation.value.args[0], TimeSum)
    )


def readout_of(derivation: Derivation) -> Readout | None:
    """A linear readout of the cell's last state with its gradient; None where none fits."""
    try:
        joined = Joined(Network(derivation.cell))
        output = next(j.equation for j in joined.joins if j.part == "readout")
        whole = next(j.equation for j in joined.joins if j.part == "readout gradients")
    except (CellError, StopIteration):
        return None
    if not isinstance(whole.value, TimeSum):
        return None
    return Readout(output, Equation(whole.target, whole.value.args[0]), joined)
