"""The state that rests at zero: a lower bound of the spectral radius of its step Jacobian.

In: ranges of a cell. Out: ρ with ‖J^m‖ ≥ ρ^m along the sequence of zero inputs from the zero
state, where that sequence is admissible and stays there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from numeric.boxes import Box, Ranges, Setting
from numeric.enclose import enclose
from numeric.intervals import Interval, gamma
from numeric.verified import Near, frobenius, raised


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
    return radius_below(rest_jacobian(setting, values))


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
    values, V = np.linalg.eig(J)
    try:
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
