"""Weights drawn at a gain: the recurrent ones with the variance gain² over their columns.

In: a cell, sizes, a gain, a seed. Out: parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Expr, MatMul, MatrixSymbol, preorder_traversal
from sympy.matrices.expressions import HadamardProduct

from derive.cell import Cell
from derive.language.expr import Broadcast, symbols_of
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import shape_of

Array = Any


def multipliers(cell: Cell) -> dict[MatrixSymbol, bool]:
    """The vector and scalar parameters that are factors of ⊙; whether one scales a state."""
    found: dict[MatrixSymbol, bool] = {}
    states = {*cell.states, *cell.previous_states}
    for equation in cell.equations:
        for node in preorder_traversal(equation.value):
            if isinstance(node, HadamardProduct):
                factors = [f.args[0] if isinstance(f, Broadcast) else f for f in node.args]
                scales = not states.isdisjoint(factors)
                for factor in {*factors} & {*cell.parameters}:
                    if factor.shape[1] == 1:
                        found[factor] = found.get(factor, False) or scales
    return found


def of_states(cell: Cell) -> set[MatrixSymbol]:
    """The symbols that the states of a step are computed from: not what its outputs alone read."""
    found = {*cell.states}
    for equation in reversed(cell.equations):
        if equation.target in found:
            found |= {*symbols_of(equation.value)}
    return found


def multiplying_states(cell: Cell) -> set[MatrixSymbol]:
    """The symbols of factors of matrix products with a state before, or what is made of one."""
    made = {equation.target: equation.value for equation in cell.equations}
    before, found = {*cell.previous_states}, set[MatrixSymbol]()

    def behind(factor: Expr) -> set[MatrixSymbol]:
        known, ahead = set[MatrixSymbol](), [*symbols_of(factor)]
        while ahead:
            symbol = ahead.pop()
            if symbol not in known:
                known.add(symbol)
                ahead += symbols_of(made[symbol]) if symbol in made else ()
        return known

    for equation in cell.equations:
        for node in preorder_traversal(equation.value):
            if isinstance(node, MatMul):
                factors = [behind(factor) for factor in node.args]
                for place, own in enumerate(factors):
                    others = factors[:place] + factors[place + 1 :]
                    if any(before & other for other in others):
                        found |= own
    return found


def drawn_at_gain(cell: Cell) -> list[MatrixSymbol]:
    """The matrices whose variance is gain²/columns: as many columns as a state has rows."""
    own, factors = {state.shape[0] for state in cell.states}, multipliers(cell)
    return [
        p for p in cell.parameters if p.shape[1] != 1 and p.shape[1] in own and p not in factors
    ]


def drawn_by_states(cell: Cell) -> bool:
    """Whether the matrices that are drawn at the gain are those that multiply a state."""
    factors = multipliers(cell)
    meeting = {
        p for p in multiplying_states(cell).intersection(cell.parameters)
        if p.shape[1] != 1 and p not in factors
    }  # fmt: skip
    return meeting == {*drawn_at_gain(cell)}


def draw(
    cell: Cell, sizes: Mapping[str, int], gain: float, steps: int, seed: int, input_scale: float
) -> dict[str, dict[str, Array]]:
    """Matrices `drawn_at_gain` N(0, gain²/columns), others N(0, scale²/columns), biases 0.

    What multiplies a state entry by entry is N(0, gain²), or gain itself if it is one number;
    other factors of ⊙ are 1. Inputs and initial states are N(0, 1); constants are the cell's
    defaults.
    """
    rng = np.random.default_rng(seed)
    factors, at_gain = multipliers(cell), {*drawn_at_gain(cell)}

    def parameter(symbol: MatrixSymbol) -> Array:
        shape = shape_of(symbol, sizes)
        values = rng.normal(size=shape)
        if symbol in factors:
            own_gain = gain if factors[symbol] else 1.0
            return values * gain if factors[symbol] and shape else np.full(shape, own_gain)
        if len(shape) < 2:
            return np.zeros(shape)
        width = gain if symbol in at_gain else input_scale
        return values * width / math.sqrt(shape[1])

    return {
        "parameters": {s.name: parameter(s) for s in cell.parameters},
        "inputs": {
            s.name: rng.normal(size=(steps, *shape_of(s, sizes, True))) for s in cell.inputs
        },
        "initial": {s.name: rng.normal(size=shape_of(s, sizes, True)) for s in cell.states},
        "constants": default_constants(cell, {**sizes, "T": steps}, rng),
    }
