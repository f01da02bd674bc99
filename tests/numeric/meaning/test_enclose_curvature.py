"""φ″ over intervals, against SymPy's second derivative at points of them."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Piecewise, lambdify

from derive.language.functions import FUNCTIONS, X
from numeric.meaning.enclose_curvature import curvature_on
from numeric.numbers.intervals import Interval

SMOOTH = [row for row in FUNCTIONS.values() if not (row.kink or row.formula.has(Piecewise))]


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
@pytest.mark.parametrize("width", [0.0, 0.3, 4.0])
def test_it_holds_at_every_point(row, width: float) -> None:
    middles = np.linspace(0.2, 3, 9) if row.name in {"log", "sqrt"} else np.linspace(-3, 3, 9)
    low = np.maximum(middles - width, 1e-3) if row.name in {"log", "sqrt"} else middles - width
    box = Interval(low, middles + width)
    found = curvature_on(row, (), box)
    formula = lambdify(X, row.bind(row.formula.diff(X, 2), ()), "numpy")
    for share in np.linspace(0, 1, 7):
        want = np.broadcast_to(formula(low + share * (middles + width - low)), low.shape)
        slack = 1e-9 * (1 + np.abs(want))
        assert np.all(found.lo <= want + slack)
        assert np.all(want <= found.hi + slack)
    if width == 0.0:
        assert np.all(found.hi - found.lo <= 1e-9 * (1 + found.magnitude))


def test_over_all_numbers_it_is_the_largest_there_is() -> None:
    everywhere = Interval(np.array([-1e3]), np.array([1e3]))
    most = float(curvature_on(FUNCTIONS["tanh"], (), everywhere).magnitude[0])
    assert 4 / (3 * np.sqrt(3)) <= most <= 1.01 * 4 / (3 * np.sqrt(3))
