"""∂F/∂θ of one step with respect to each parameter, the states before it held fixed.

In: the adjoint of one step and ranges of its symbols. Out: `Share`s. With the unit vectors as
cotangents of the states, all in one, the gradient of a matrix is a column times a row, b uᵀ, for
each of them: B and u are kept, not their product. ‖∂F/∂θ‖₂ of one share is ‖B‖₂ ‖u‖.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sympy import MatMul, MatrixExpr, MatrixSymbol, Transpose

from derive.calculus.adjoint import carry, from_loss
from derive.calculus.through_time import Derivation
from derive.language.expr import split_coefficient, symbols_of
from derive.language.syntax import BAR
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import shape_of
from numeric.numbers.intervals import Interval, interval


@dataclass(frozen=True)
class Share:
    """B and u of the share b uᵀ of one step, the sign and the orientation with it.

    Shapes: columns (rows of θ, size of the state), row (1, columns of θ); turned: of θᵀ.
    """

    columns: Interval
    row: Interval
    turned: bool = False


class NoShareError(TypeError):
    """A term of a parameter's gradient of another form than a column times a row."""


def step_shares(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int],
    wanted: set[MatrixSymbol],
) -> dict[MatrixSymbol, list[Share] | None]:  # fmt: skip
    """∂F/∂θ of one step whose symbols lie in the values; None where it has another form."""
    held = {**values}
    states = derivation.cell.states
    widths = [shape_of(state, sizes, moves=True)[0] for state in states]
    eye, ends = np.eye(sum(widths)), np.cumsum([0, *widths])
    for place, state in enumerate(states):
        held[carry(state).name] = interval(eye[ends[place] : ends[place + 1]])
        held[from_loss(state).name] = interval(np.zeros((widths[place], sum(widths))))
    for output in derivation.cell.outputs:
        rows = shape_of(output, sizes, moves=True)[0]
        held[from_loss(output).name] = interval(np.zeros((rows, sum(widths))))
    for equation in derivation.adjoint:
        held[equation.target.name] = enclose(equation.value, held, sizes)
    found: dict[MatrixSymbol, list[Share] | None] = {}
    for equation in derivation.parameters:
        if equation.of not in wanted:
            continue
        try:
            found[equation.of] = [share(term.value, held, sizes)
                                  for term in equation.terms if term.each_step]  # fmt: skip
        except NoShareError:
            found[equation.of] = None
    return found


def share(value: MatrixExpr, held: Mapping[str, Interval], sizes: Mapping[str, int]) -> Share:
    """The column and the row of one term: c b uᵀ, c u bᵀ, or a column alone.

    Raises:
        NoShareError: for a term of another form.
    """
    size, rest = split_coefficient(value)
    if rest.shape[1] == 1:
        return Share(enclose(value, held, sizes), interval(np.ones((1, 1))))
    if not isinstance(rest, MatMul) or len(rest.args) != 2:
        raise NoShareError(str(value))
    left, right = rest.args
    turned = moves(right)
    if turned == moves(left):
        raise NoShareError(str(value))
    column, row = (_transposed(right), _transposed(left)) if turned else (left, right)
    if column.shape[1] != 1 or row.shape[0] != 1:
        raise NoShareError(str(value))
    columns = enclose(column, held, sizes) * enclosed(size)
    return Share(columns, enclose(row, held, sizes), turned)


def moves(value: MatrixExpr) -> bool:
    """Whether a cotangent stands in it."""
    return any(symbol.name.endswith(BAR) for symbol in symbols_of(value))


def _transposed(value: MatrixExpr) -> MatrixExpr:
    return value.args[0] if isinstance(value, Transpose) else Transpose(value)
