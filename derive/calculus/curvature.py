"""The step Jacobian differentiated once more: how J_t changes with the state it is taken at.

In: a derivation. Out: ∂d/∂s_{t−1} for each d of a diag(d) in the step Jacobian, and ∂v/∂s_{t−1} for
each column v that is a factor in it, in the same blocks and names. By the product rule
(∂J v) = Σ (factors before) diag((∂d/∂s) v) (factors after): nothing else of a block moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import MatrixExpr, MatrixSymbol, Transpose, ZeroMatrix, preorder_traversal
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import derivative, diagonal_columns, partials
from derive.calculus.surrogates import declared_slopes
from derive.calculus.through_time import Derivation
from derive.language.expr import Partial, Slope, symbols_of
from derive.language.pairs import AtLeast, Below
from derive.language.syntax import CellError
from derive.saying import said


@dataclass(frozen=True)
class StepCurvature:
    """∂v/∂b_{t−1} in blocks, for every column v that the step Jacobian is made of, and state b.

    `kinks` names the functions whose slope jumps: where one is, J_t is no continuous function.
    `declared` says, where a slope is declared, that J_t is not the derivative of the step.
    `fed` names the states that a step makes of inputs alone: no state before it occurs in them.
    """

    columns: Mapping[tuple[MatrixExpr, str], MatrixExpr]
    named: Mapping[MatrixExpr, MatrixExpr]
    kinks: tuple[str, ...]
    declared: str = ""
    fed: tuple[str, ...] = ()


def step_curvature(derivation: Derivation) -> StepCurvature:
    """How every part of the step Jacobian moves with the states before the step.

    Raises:
        CellError: for a cell with matrices that change with time.
    """
    if derivation.has_matrices:
        raise CellError(
            "a matrix changes with time, and the second derivatives of a step are written for "
            "vectors alone",
            cell=derivation.cell.name,
        )
    cell, jacobian = derivation.cell, derivation.step_jacobian
    moving = [*diagonal_columns(jacobian), *_factors(derivation)]
    columns: dict[tuple[MatrixExpr, str], MatrixExpr] = {}
    named: dict[MatrixExpr, MatrixExpr] = {}
    for state, by in zip(cell.states, cell.previous_states, strict=True):
        known, names = partials(cell, derivation.forward, by)
        named.update(names)
        for column in moving:
            columns[column, state.name] = derivative(column, by, known)
    kinks = {
        part.function.name: None
        for column in moving
        for part in preorder_traversal(column)
        if isinstance(part, Slope) and part.function.kink
    }
    if any(column.has(AtLeast, Below) for column in moving):
        kinks["the choice of one of two"] = None
    declared = said("the slope of step is declared: J_t is not the derivative of the step")
    return StepCurvature(
        columns, named, tuple(kinks), declared if declared_slopes(cell) else "", _fed(derivation)
    )


def _fed(derivation: Derivation) -> tuple[str, ...]:
    """The states whose equations, all that they use included, hold no state before the step."""
    moved = {symbol.name for symbol in derivation.cell.previous_states}
    for equation in derivation.forward:
        if any(symbol.name in moved for symbol in symbols_of(equation.value)):
            moved.add(equation.target.name)
    return tuple(state.name for state in derivation.cell.states if state.name not in moved)


def _factors(derivation: Derivation) -> list[MatrixSymbol]:
    """The columns, transposed or not, that change with time and stand beside the diagonals."""
    jacobian = derivation.step_jacobian
    written = [*(value for _, value in jacobian.named), *jacobian.blocks.values()]
    found: dict[MatrixSymbol, None] = {}
    for block in written:
        walk = preorder_traversal(block)
        for part in walk:
            if isinstance(part, (DiagMatrix, Partial, ZeroMatrix)):
                walk.skip()
                continue
            inner = part.args[0] if isinstance(part, Transpose) else part
            if isinstance(inner, MatrixSymbol) and inner not in derivation.timeless:
                found[inner] = None
    return list(found)
