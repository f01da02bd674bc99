"""A lower bound of every step Jacobian's smallest singular value, where its form gives one.

In: ranges of the symbols over an invariant box. Out: r with ‖J_t y‖₂ ≥ r ‖y‖₂ for all y at every
admissible step, so that σ_min(J_t ⋯ J_{k+1}) ≥ r^{t−k}: no part of the state is forgotten faster.

Two forms, for a cell with one state. A product diag(d) M ⋯ of square matrices has at least
inf|d_i| σ_min(M) ⋯, since σ_min(AB) ≥ σ_min(A) σ_min(B). A sum diag(d) + R has at least
inf|d_i| − ‖R‖₂ (Weyl).
"""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Identity, MatAdd, MatMul, MatrixExpr, OneMatrix, S
from sympy.matrices.expressions import DiagMatrix

from derive.cell import timeless_symbols
from derive.expr import add, scale, split_coefficient, symbols_of
from numeric.boxes import Box, Setting
from numeric.enclose import enclose, number
from numeric.intervals import Interval
from numeric.jacobians import columns_in
from numeric.sharpen import Sharpened
from numeric.verified import frobenius, lowered, raised, singular_values


def least_rate(setting: Setting, values: Box) -> float | None:
    """The certified r > 0, or None where the cell has several states or r would be 0."""
    states = setting.derivation.cell.states
    if len(states) != 1:
        return None
    name = states[0].name
    block = setting.derivation.step_jacobian.expanded(name, name)
    found = max(_product(setting, block, values), _sum(setting, block, values))
    return found if found > 0 else None


def _product(setting: Setting, block: MatrixExpr, values: Mapping[str, Interval]) -> float:
    """inf|c| ∏ inf|d_i| ∏ σ_min(M) of c diag(d) M ⋯; 0 if the block is none."""
    coefficient, rest = split_coefficient(block)
    fixed = timeless_symbols(setting.derivation.cell, setting.derivation.forward)
    found = float(number(coefficient).mignitude)
    for factor in rest.args if isinstance(rest, MatMul) else (rest,):
        if isinstance(factor, DiagMatrix):
            column = enclose(factor.args[0], values, setting.sizes)
            found = lowered(found * float(column.mignitude.min(initial=float("inf"))))
        elif fixed.issuperset(symbols_of(factor)) and factor.shape[0] == factor.shape[1]:
            matrix = enclose(factor, values, setting.sizes)
            error = 0.0 if matrix.exact else frobenius(matrix.radius)
            found = lowered(found * singular_values(matrix.middle, error)[0])
        elif not isinstance(factor, Identity):
            return 0.0
    return found


def _sum(setting: Setting, block: MatrixExpr, values: Mapping[str, Interval]) -> float:
    """inf|d_i| − ‖R‖₂ of diag(d) + R, all diagonal terms taken together; 0 if there is no sum."""
    columns, rest = [], []
    for term in block.args if isinstance(block, MatAdd) else (block,):
        coefficient, inner = split_coefficient(term)
        if isinstance(inner, DiagMatrix):
            columns.append(scale(coefficient, inner.args[0]))
        elif isinstance(inner, Identity):
            columns.append(scale(coefficient, OneMatrix(inner.shape[0], S.One)))
        else:
            rest.append(term)
    if not columns or not rest:
        return 0.0
    sup = {column: enclose(column, values, setting.sizes).magnitude[:, 0]
           for column in columns_in(*rest)}  # fmt: skip
    others = Sharpened(setting.derivation, values, setting.sizes)
    above = float(others.of(add(*rest), sup, values, {}).max())
    kept = float(enclose(add(*columns), values, setting.sizes).mignitude.min())
    return lowered(kept) - raised(above) if kept > above else 0.0
