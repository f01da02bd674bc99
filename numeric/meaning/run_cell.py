"""A cell over time by its author's own equations, in any arithmetic.

In: a cell and the arrays of a call. Out: its states and outputs at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Integer

from derive.cell import Cell, previous, timeless_symbols
from derive.language.maps import has_moving_matrix
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.sizes import as_columns, of_step, sizes_of
from numeric.numbers.arithmetic import FLOATS, Arithmetic

Array = Any


Run = Callable[..., dict[str, list[Array]]]


def run_cell(
    cell: Cell,
    parameters: Mapping[str, Array],
    inputs: Mapping[str, Array],
    initial: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    arithmetic: Arithmetic = FLOATS,
    look: Callable[[int, Step], None] | None = None,
) -> dict[str, list[Array]]:
    """s_t = F(s_{t−1}, x_t; θ) for t = 1…T by the author's own equations.

    `look` is shown each step, all of its values known.

    Where a matrix of a step changes with time, samples have an axis in front: (B, n, 1) and
    (B, n, k); else vectors lie side by side, (n, B).

    Shapes: inputs (T, B, m), initial (B, n) or (B, n, k), parameters as in the module interface;
    the result is a list over time of (B, n), or (B, n, k), for each state and each output.
    """
    return prepared(cell, arithmetic)(parameters, inputs, initial, constants, look)


def prepared(cell: Cell, arithmetic: Arithmetic = FLOATS) -> Run:
    """`run_cell` of one cell for many calls: what depends on the cell alone is made once."""
    still = timeless_symbols(cell, cell.equations)
    apart = has_moving_matrix((e.value for e in cell.equations), still)
    returned = {symbol.name: symbol for symbol in cell.returned}
    equations = [(e.target.name, compiled(e.value, arithmetic)) for e in cell.equations]
    before = {symbol.name: previous(symbol).name for symbol in cell.states}

    def run(
        parameters: Mapping[str, Array],
        inputs: Mapping[str, Array],
        initial: Mapping[str, Array],
        constants: Mapping[str, Array] | None = None,
        look: Callable[[int, Step], None] | None = None,
    ) -> dict[str, list[Array]]:
        constants = constants or {}
        sizes = sizes_of(cell, {**constants, **initial, **inputs, **parameters})
        fixed = {name: as_columns(value) for name, value in parameters.items()}
        fixed |= {n: as_columns(v) for n, v in constants.items() if n not in cell.sequences}
        given = {s.name: s for s in (*cell.inputs, *cell.constants) if s.name not in fixed}
        timed = {**{n: v for n, v in constants.items() if n not in fixed}, **inputs}
        state = {s.name: of_step(s, initial[s.name], apart) for s in cell.states}
        steps, batch = np.shape(inputs[cell.inputs[0].name])[:2]
        over_time: dict[str, list[Array]] = {name: [] for name in returned}
        ones = arithmetic.full(1, batch, Integer(1))
        ones = ones.reshape((-1, 1, 1)) if apart else ones
        for t in range(steps):
            values = {**fixed, **{n: of_step(given[n], v[t], apart) for n, v in timed.items()}}
            values |= {earlier: state[name] for name, earlier in before.items()}
            step = Step(values, sizes)
            for name, equation in equations:
                values[name] = equation(step)
            if look is not None:
                look(t, step)
            for name, symbol in returned.items():
                value = values[name]
                axes = (len(value.shape), batch) if apart else (3, value.shape[1])
                if axes != (3, batch):  # the same for all samples: n may be as many as they are
                    value = value * ones
                state[name] = value
                column = symbol.shape[1] == 1
                over_time[name].append((value[..., 0] if column else value) if apart else value.T)
        return over_time

    return run
