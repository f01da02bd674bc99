"""The largest inequality of a fractional form, by a solver: does it decide more than the descent?

In: a `Fractional`. Out: X = diag(P, Λ) with a full P and Λ that commutes with every Δ, such that
GᵀXG ⪯ X as far as a solver can make it; and a scaling L with LᵀL = X, to be proved as any other.
The scaled norm with a full T is this inequality with P = TᵀT, so that a descent that ends where it
should leaves nothing to a solver: that is what is counted here. Needs the extra `solver`.

Source: Boyd, El Ghaoui, Feron and Balakrishnan 1994, section 5.1.
"""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from typing import Any

import numpy as np

from numeric.bounds.all_inputs.fractional_form import Fractional
from numeric.bounds.all_inputs.fractional_norm import ScaledNorm, proved

Array = Any
_LEAST = 1e-6


def solved(form: Fractional) -> tuple[float, ScaledNorm | None]:
    """The largest t with X − GᵀXG ⪰ t I, tr X the order; and what is proved with that X.

    t is below 0 where no X exists, as the solver says; what is proved does not rest on it.
    """
    cp: Any = import_module("cvxpy")
    G, order, width = form.matrix.middle, form.order, form.width
    places: dict[int, list[int]] = defaultdict(list)
    for row, owner in enumerate(form.owners):
        places[owner].append(width + row)
    parts = [list(range(width)), *places.values()]
    single = [part[0] for part in parts if len(part) == 1]
    numbers = cp.Variable(len(single))
    X = np.eye(order)[:, single] @ cp.diag(numbers) @ np.eye(order)[single]
    given = [numbers >= _LEAST]
    for part in parts:
        if len(part) > 1:
            block = cp.Variable((len(part), len(part)), symmetric=True)
            X = X + np.eye(order)[:, part] @ block @ np.eye(order)[part]
            given.append(block >> _LEAST * np.eye(len(part)))
    least = cp.Variable()
    given += [X - G.T @ X @ G >> least * np.eye(order), cp.trace(X) == order]
    cp.Problem(cp.Maximize(least), given).solve(solver=cp.CLARABEL)
    scaling = np.zeros((order, order))
    for part in parts:
        at = np.ix_(part, part)
        scaling[at] = np.linalg.cholesky(X.value[at]).T
    return float(least.value), proved(form, scaling)
