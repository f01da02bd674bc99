"""Second derivatives of the step against the equations: how the step Jacobian's columns move.

In: a cell. Out: nothing, or an error that names the line that is wrong. What certificates of
Newton's method are built on: each column of the step Jacobian is evaluated at numbers that move
with the states before the step, and its tangent compared with the block of second derivatives.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from sympy import MatrixExpr

from derive.calculus.curvature import StepCurvature, step_curvature
from derive.calculus.through_time import Derivation, derivation_of
from derive.cell import Cell
from derive.language.expr import replace
from numeric.numbers.moving import DIGITS, EXACT, Moving
from numeric.verification.derivation.check import WrongDerivationError
from numeric.verification.derivation.trajectory import STEPS, Trajectory, where_defined

_DEVIATION = 0.7


def wrong_curvature(
    derivation: Derivation, curvature: StepCurvature, seed: int = 0
) -> tuple[str, ...]:
    """The blocks that are not the derivatives of their columns, by name."""
    with np.errstate(all="ignore"):
        try:
            found, sure = _compared(derivation, curvature, EXACT, seed)
        except (TypeError, ZeroDivisionError):
            sure = False
        if sure:
            return found
        digits = partial(_compared, derivation, curvature, DIGITS)
        return where_defined(derivation.cell, digits, seed)[0]


def _compared(
    derivation: Derivation, curvature: StepCurvature, moving: Moving, seed: int
) -> tuple[tuple[str, ...], bool]:
    written: dict[MatrixExpr, MatrixExpr] = {}
    for name, value in curvature.named.items():
        written[name] = replace(value, written)
    wrong = []
    with moving.functions(seed) as functions:
        path = Trajectory(derivation, moving, seed, _DEVIATION)
        for state in derivation.cell.states:
            way = path.direction(state)
            begin = path.before(STEPS, {state.name: path.timed[state.name, STEPS - 1] + way})
            moved = path.step(derivation.forward, begin)
            still = path.step(derivation.forward, path.before(STEPS))
            for (column, by), block in curvature.columns.items():
                if by == state.name:
                    left = path.value(replace(block, written), still) @ moving.speed(way)
                    if not moving.equal(left, moving.speed(path.value(column, moved))):
                        wrong.append(f"∂({column})/∂{by}_prev")
        sure = not wrong or functions is None or not functions.ties
    return tuple(wrong), sure


@lru_cache(maxsize=16)
def require_curvature(cell: Cell, seed: int = 0) -> None:
    """Let no certificate be built on wrong second derivatives.

    Raises:
        WrongDerivationError: naming the first block that is wrong.
    """
    derivation = derivation_of(cell)
    curvature = step_curvature(derivation)
    wrong = () if curvature.kinks else wrong_curvature(derivation, curvature, seed)
    if wrong:
        raise WrongDerivationError(f"cell {cell.name!r}: {wrong[0]} is not the derivative of the "
                                   "step Jacobian's column")  # fmt: skip
