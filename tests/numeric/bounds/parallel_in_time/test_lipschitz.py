"""How fast the step Jacobian changes: no pair of states in the box beats the constant."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from known_cells import VECTORS
from profiles import by_day
from sympy import MatrixSymbol

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.fold import NoValueError
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Jacobians, enclosed_values, run
from numeric.bounds.parallel_in_time.lipschitz import Steps, lipschitz
from numeric.meaning.sizes import usual_sizes

SMOOTH = [n for n in by_day(VECTORS, 9, 2) if not step_curvature(derivation_of(catalogue[n])).kinks]
STEPS = 5


def setting(cell: Cell, seed: int):
    """A run at gain 1, and its second derivatives."""
    made = draw(cell, usual_sizes(cell, 4, 3), 1.0, STEPS, seed, 1.0)
    derivation = derivation_of(cell)
    found = run(derivation, made["parameters"], made["inputs"], None, made["constants"])
    return found, step_curvature(derivation)


def constants(found, curvature, radius: float):
    values = enclosed_values(found, 0, STEPS, radius)
    return lipschitz(found.derivation, curvature, values, found.sizes, STEPS)


@pytest.mark.parametrize("name", SMOOTH)
def test_no_pair_of_states_beats_it(name: str) -> None:
    found, curvature = setting(catalogue[name], 1)
    L = constants(found, curvature, 0.1)
    rng = np.random.default_rng(7)
    worst = 0.0
    for _ in range(3):
        pair = []
        for _ in range(2):
            moved = {k: v + rng.uniform(-0.1, 0.1, v.shape) for k, v in found.states.items()}
            near = [*Jacobians(dataclasses.replace(found, states=moved)).backwards()][::-1]
            pair.append((moved, np.stack([one.matrix for one in near])))
        (s, J), (r, Q) = pair
        apart = np.sqrt(sum(((s[k] - r[k])[:-1] ** 2).sum(axis=1) for k in s))
        share = np.linalg.norm(J - Q, 2, axis=(1, 2)) / (L * apart + 1e-13)
        worst = max(worst, float(share.max()))
    assert worst <= 1.0


@pytest.mark.parametrize(("name", "moving", "columns"), [
    ("qrnn", ["last"], ["c", "last"]), ("qrnn", ["c"], ["last"]), ("t_gru", ["h"], ["h"]),
    ("lstm", ["c"], ["h"]), ("lstm", ["h"], ["c"]),
])  # fmt: skip
def test_of_some_columns_and_states_alone(name: str, moving, columns) -> None:
    """No pair that differs in those states beats it in those columns; of all it is the larger."""
    found, curvature = setting(catalogue[name], 1)
    values = enclosed_values(found, 0, STEPS, 0.1)
    given = found.derivation, curvature, values, found.sizes, STEPS
    L = lipschitz(*given, moving, columns)
    assert np.all(lipschitz(*given) * (1 + 1e-12) >= L)
    widths = [found.states[state].shape[1] for state in found.states]
    taken = np.repeat([state in columns for state in found.states], widths)
    rng = np.random.default_rng(7)
    (s, J), (r, Q) = ((moved, np.stack([one.matrix for one in near])) for moved, near in (
        (moved, [*Jacobians(dataclasses.replace(found, states=moved)).backwards()][::-1])
        for moved in ({k: v + rng.uniform(-0.1, 0.1, v.shape) * (k in moving)
                       for k, v in found.states.items()} for _ in range(2))))  # fmt: skip
    apart = np.sqrt(sum(((s[k] - r[k])[:-1] ** 2).sum(axis=1) for k in s))
    turned = np.linalg.norm((J - Q)[:, :, taken], 2, axis=(1, 2))
    assert np.all(turned <= L * apart + 1e-13)
    if (name, *moving, *columns) == ("t_gru", "h", "h"):
        assert np.all(L < 1e-100)  # h stands there alone, times what knows no state
    else:
        assert turned.max() > 1e-3 * (L * apart).max() > 0


def test_of_one_unit_it_is_the_second_derivative() -> None:
    cell = Cell.parse(name="one", equations="h = tanh(w * h_prev + x)", inputs=("x",))
    derivation = derivation_of(cell)
    found = run(derivation, {"w": np.array([2.0])}, {"x": np.full((STEPS, 1), 0.3)})
    L = constants(found, step_curvature(derivation), 50.0)
    assert np.all(4 * 4 / (3 * np.sqrt(3)) <= L)
    assert np.all(1.02 * 4 * 4 / (3 * np.sqrt(3)) >= L)
    near = constants(found, step_curvature(derivation), 0.0)
    a = 2.0 * found.states["h"][:-1, 0] + 0.3
    assert near == pytest.approx(4 * np.abs(2 * np.tanh(a) * (1 - np.tanh(a) ** 2)), rel=1e-9)


def test_a_linear_cell_does_not_change() -> None:
    cell = Cell.parse(name="line", equations="h = W @ h_prev + U @ x", inputs=("x",))
    found, curvature = setting(cell, 2)
    assert np.all(constants(found, curvature, 1.0) < 1e-100)


def test_a_matrix_that_changes_with_time_is_refused() -> None:
    found, _ = setting(catalogue["rnn"], 2)
    step = Steps(found.derivation, enclosed_values(found, 0, STEPS), found.sizes)
    with pytest.raises(NoValueError, match="a matrix that changes with time"):
        step.leaf(MatrixSymbol("S", 4, 4))
