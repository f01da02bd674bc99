"""What no admissible sequence can forget faster than: lower bounds of growth over a box.

In: ranges of the symbols over an invariant box. Out: rates.

`carousel_rate` is Theorem E in numbers, for the kept state of an LSTM: λ with
‖∂p_t/∂p_k δ‖₂ ≥ λ^{t−k} ‖δ‖₂. Let a_lo = inf a_i > 0, ω ≥ sup|ψ_i|, β ≥ ‖J_pq‖₂, α ≥ ‖R‖₂. If
η > 0 and λ > 0 satisfy a_lo − βη ≥ λ and (η − ω) λ ≥ α η, then ‖δq‖ ≤ η ‖δp‖ at one step gives
‖δp‖ ≥ λ ‖δp before‖ and again ‖δq‖ ≤ η ‖δp‖ at the next: δp_t = a ⊙ δp + J_pq δq has the length
at least (a_lo − βη) ‖δp‖, and δq_t = ψ ⊙ δp_t + R δq at most (ω + αη/λ) ‖δp_t‖ ≤ η ‖δp_t‖. A
start with δq = 0 lies in that cone. The two inequalities are checked in rational numbers.

`floor`: r with ‖J_t y‖₂ ≥ r ‖y‖₂ for all y at every admissible step, so that
σ_min(J_t ⋯ J_{k+1}) ≥ r^{t−k}, for a cell with one state. A product diag(d) M ⋯ of square matrices
has at least inf|d_i| σ_min(M) ⋯, since σ_min(AB) ≥ σ_min(A) σ_min(B). A sum diag(d) + R has at
least inf|d_i| − ‖R‖₂ (Weyl).

`resting_rate`: ρ with ‖J^m‖ ≥ ρ^m along the sequence of zero inputs from the zero state, where
that sequence is admissible, stays there, and has values: a key of zeros over its length has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
from sympy import Identity, MatAdd, MatMul, MatrixExpr, OneMatrix, S
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import columns_in, diagonal_columns
from derive.calculus.through_time import Derivation
from derive.language.expr import add, scale, split_coefficient, symbols_of
from derive.theorems.carousel import find_carousel
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting
from numeric.bounds.all_inputs.row_stack import Sharpened
from numeric.bounds.domination import Domination, Parts, StepNorms
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number
from numeric.meaning.interpret import evaluate
from numeric.numbers.intervals import Interval, gamma
from numeric.numbers.matrices import Near, frobenius, lowered, raised, singular_values

Array = Any
_SHRINK: Final = (1e-12, 1e-9, 1e-6, 1e-3)


def carousel(setting: Setting, values: Mapping[str, Interval]) -> float | None:
    """The certified λ, or None where the cell or its ranges do not meet the theorem."""
    numbers = carousel_numbers(setting.derivation, values, setting.sizes)
    return None if numbers is None else cone_rate(*numbers)


def carousel_numbers(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> tuple[float, float, float, float] | None:
    """(a_lo, α, β, ω) over the ranges."""
    found = find_carousel(derivation)
    if found is None:
        return None
    own = diagonal_columns(derivation.step_jacobian)
    sup = {
        column: enclose(column, values, sizes).magnitude[:, 0]
        for column in (*own, *columns_in(found.rest, found.coupling))
    }
    step = StepNorms(Domination(derivation, values, Parts(sizes)), sup, values)
    alpha, beta = (float(np.max(step.of(block))) for block in (found.rest, found.coupling))
    kept = enclose(found.kept, values, sizes)
    omega = float(enclose(found.readout, values, sizes).magnitude.max())
    return float(kept.lo.min()), alpha, beta, omega


def cone_rate(low: float, alpha: float, beta: float, omega: float) -> float | None:
    """The largest λ, about, for which an η exists; proved in rational numbers."""
    if not all(map(math.isfinite, (low, alpha, beta, omega))) or low <= 0:
        return None
    s = low + alpha - omega * beta
    square = s * s - 4 * alpha * low
    if square < 0 or s <= 0:
        return None
    root = 0.5 * (s + math.sqrt(square))
    for less in _SHRINK:
        rate = root * (1 - less)
        if cone_holds(rate, low, alpha, beta, omega):
            return rate
    return None


def cone_holds(rate: float, low: float, alpha: float, beta: float, omega: float) -> bool:
    """Whether λ and η = (a_lo − λ) / β satisfy both inequalities, exactly."""
    lam, a, al, be, om = map(Fraction, (rate, low, alpha, beta, omega))
    if lam <= 0 or lam > a:
        return False
    if be == 0:
        return al < lam or al == 0
    eta = (a - lam) / be
    return eta > 0 and (eta - om) * lam >= al * eta


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
    fixed = setting.derivation.timeless
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
    others = StepNorms(Sharpened(setting.derivation, values, setting.sizes), sup, values)
    above = float(others.of(add(*rest)).max())
    kept = float(enclose(add(*columns), values, setting.sizes).mignitude.min())
    return lowered(kept) - raised(above) if kept > above else 0.0


def resting_rate(ranges: Ranges) -> float | None:
    """A lower bound of ρ(∂F/∂s) at s = 0, x = 0, where that state rests and is admissible.

    Then ‖J^m‖ ≥ ρ^m along that sequence: if it exceeds 1, gradients explode there.
    """
    setting = ranges.setting
    cell = setting.derivation.cell
    if cell.sequences or not (_holds_zero(setting.inputs()) and _holds_zero(setting.initial())):
        return None
    states = setting.box(cell.states, (0.0, 0.0))
    values = {**ranges.given, **setting.box(cell.inputs, (0.0, 0.0))}
    values |= {f"{name}_prev": value for name, value in states.items()}
    for equation in setting.derivation.forward:
        values[equation.target.name] = enclose(equation.value, values, setting.sizes)
    if any(values[state.name].magnitude.any() for state in cell.states):
        return None
    if not _defined(setting, values):
        return None
    return radius_below(rest_jacobian(setting, values))


@np.errstate(all="ignore")
def _defined(setting: Setting, values: Mapping[str, Interval]) -> bool:
    """Whether step and Jacobian have values there; an interval leaves out where 0 / 0 has none."""
    near = {name: value.middle for name, value in values.items()}
    for equation in setting.derivation.forward:
        near[equation.target.name] = evaluate(equation.value, near, setting.sizes)
    states = setting.derivation.cell.states
    blocks = (evaluate(setting.derivation.step_jacobian.expanded(of.name, by.name), near,
                       setting.sizes) for of in states for by in states)  # fmt: skip
    return all(np.all(np.isfinite(found)) for found in (*near.values(), *blocks))


def _holds_zero(box: Box) -> bool:
    return all(np.all((value.lo <= 0) & (value.hi >= 0)) for value in box.values())


def rest_jacobian(setting: Setting, values: Mapping[str, Interval]) -> Near:
    """J where every symbol has one column."""
    states = setting.derivation.cell.states
    jacobian = setting.derivation.step_jacobian
    rows = []
    for of in states:
        blocks = [enclose(jacobian.expanded(of.name, by.name), values, setting.sizes)
                  for by in states]  # fmt: skip
        rows.append(Interval(np.hstack([b.lo for b in blocks]), np.hstack([b.hi for b in blocks])))
    whole = Interval(np.vstack([r.lo for r in rows]), np.vstack([r.hi for r in rows]))
    return Near(whole.middle, frobenius(whole.radius))


def radius_below(near: Near) -> float:
    """A lower bound of ρ(J) for every J within the error.

    Let V, Λ, Y be any floats (eigenvectors, eigenvalues, inverse), YV = I + E with ‖E‖ < 1 and
    YJV = Λ + R. Then V⁻¹JV = Λ + (I + E)⁻¹(R − EΛ). Λ is diagonal, so the eigenvalues of J lie
    in discs around Λ's of radius ε = (‖R‖ + ‖E‖‖Λ‖) / (1 − ‖E‖), and a component of m discs
    holds m of them (Bauer and Fike; Geršgorin). The component of the largest reaches at most
    2dε away from its centre.
    """
    J = near.matrix
    d = len(J)
    if not np.all(np.isfinite(J)) or not math.isfinite(near.error):
        return 0.0
    try:
        values, V = np.linalg.eig(J)
        Y = np.linalg.inv(V)
    except np.linalg.LinAlgError:
        return 0.0
    vf, yf, jf = (frobenius(np.abs(matrix)) for matrix in (V, Y, J))
    error = 4 * gamma(4 * d + 16)
    E = frobenius(np.abs(Y @ V - np.eye(d))) + error * (yf * vf + d)
    JV = J @ V
    R = frobenius(np.abs(Y @ JV - np.diag(values)))
    R += error * yf * (frobenius(np.abs(JV)) + jf * vf) + yf * vf * near.error
    R += error * d * float(np.abs(values).max())
    if not E < 1:
        return 0.0
    largest = float(np.abs(values).max())
    spread = raised((R + E * largest * (1 + error)) / (1 - E), 4 * d)
    return max(0.0, largest * (1 - error) - 2 * d * spread * (1 + error))
