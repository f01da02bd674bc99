"""∂F/∂θ of one step with respect to each parameter, the states before it held fixed.

In: the adjoint of one step and ranges of its symbols. Out: `Share`s. With the unit vectors as
cotangents of the states, all in one, the gradient of a matrix is a column times a row, b uᵀ, for
each of them: B and u are kept, not their product. ‖∂F/∂θ‖₂ of one share is ‖B‖₂ ‖u‖. Where b
comes from cotangents entry by entry, as through gates, B is made of diagonal blocks, one for each
state: cotangents of ones, one for each state, give all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sympy import MatAdd, MatMul, MatrixExpr, MatrixSymbol, Number, Transpose
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import carry, from_loss
from derive.calculus.through_time import Derivation
from derive.language.expr import split_coefficient, symbols_of
from derive.language.syntax import BAR
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import shape_of
from numeric.numbers.intervals import Interval, interval
from numeric.numbers.matrices import frobenius, norm_bound, raised

Array = Any


@dataclass(frozen=True)
class Share:
    """B and u of the share b uᵀ of one step, the sign and the orientation with it.

    `diagonal` where B is [diag(d_1) … diag(d_S)], one for each state, and the columns are the d.

    Shapes: columns (rows of θ, size of the state) or, if diagonal, (rows of θ, S), `starts` where
    each state begins; row (1, columns of θ); turned: of θᵀ.
    """

    columns: Interval
    row: Interval
    turned: bool = False
    diagonal: bool = False
    starts: tuple[int, ...] = ()

    @property
    def zero(self) -> bool:
        """Whether it is 0, exactly."""
        return self.columns.exact and not self.columns.lo.any()

    def norm(self) -> float:
        """At least ‖B‖₂; of diagonal blocks it is the longest row."""
        if not self.diagonal:
            return min(norm_bound(self.columns), frobenius(self.columns.magnitude))
        sizes = self.columns.magnitude
        largest = float(np.max(sizes, initial=0.0))
        if not 0 < largest < np.inf:
            return largest
        rows = np.square(sizes / largest).sum(axis=1)
        return raised(largest * math.sqrt(float(rows.max())), 2 * sizes.shape[1])

    def moved(self, product: Array, width: int) -> Array:
        """fl(P Bᵀ) at the middles; each entry errs by at most γ_width |P| |Bᵀ|.

        Shapes: product (rows, width), or None for I.
        """
        middle = self.columns.middle
        if not self.diagonal:
            return middle.T if product is None else product @ middle.T
        count = len(middle)
        found = np.zeros((width if product is None else len(product), count))
        for start, entries in zip(self.starts, middle.T, strict=True):
            if not entries.any():
                continue
            if product is None:
                found[start : start + count] = np.diag(entries)
            else:
                found += product[:, start : start + count] * entries
        return found


class NoShareError(TypeError):
    """A term of a parameter's gradient of another form than a column times a row."""


def step_shares(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int],
    wanted: set[MatrixSymbol],
) -> dict[MatrixSymbol, list[Share] | None]:  # fmt: skip
    """∂F/∂θ of one step whose symbols lie in the values; None where it has another form."""
    states = derivation.cell.states
    widths = [shape_of(state, sizes, moves=True)[0] for state in states]
    starts = tuple(np.cumsum([0, *widths])[:-1].tolist())
    direct = _entrywise(derivation)
    seeds = [np.outer(np.ones(width), np.eye(len(states))[k]) for k, width in enumerate(widths)]
    narrow = _cotangents(derivation, values, sizes, seeds, direct)
    wide: dict[str, Interval] = {}
    columns: dict[MatrixExpr, Interval] = {}  # a gate's weights and its bias have the same ones

    def made(value: MatrixExpr) -> Share:
        size, column, row, turned = _parts(value)
        held, diagonal = narrow, is_entrywise(column, direct)
        if not diagonal:
            if not wide:
                eye = np.split(np.eye(sum(widths)), starts[1:])
                wide.update(_cotangents(derivation, values, sizes, eye, None))
            held = wide
        key = size * column
        if key not in columns:
            columns[key] = enclose(column, held, sizes) * enclosed(size)
        return Share(columns[key], _row(row, values, sizes), turned, diagonal, starts)

    found: dict[MatrixSymbol, list[Share] | None] = {}
    for equation in derivation.parameters:
        if equation.of not in wanted:
            continue
        try:
            found[equation.of] = [made(term.value) for term in equation.terms if term.each_step]
        except NoShareError:
            found[equation.of] = None
    return found


def _cotangents(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int],
    seeds: Sequence[Array], direct: Set[MatrixSymbol] | None,
) -> dict[str, Interval]:  # fmt: skip
    """The values with every cotangent beside them, or those of the given symbols alone."""
    held = {**values}
    count = seeds[0].shape[1]
    for state, seed in zip(derivation.cell.states, seeds, strict=True):
        held[carry(state).name] = interval(seed)
        held[from_loss(state).name] = interval(np.zeros(seed.shape))
    for output in derivation.cell.outputs:
        rows = shape_of(output, sizes, moves=True)[0]
        held[from_loss(output).name] = interval(np.zeros((rows, count)))
    for equation in derivation.adjoint:
        if direct is None or equation.target in direct:
            held[equation.target.name] = enclose(equation.value, held, sizes)
    return held


@cache
def _entrywise(derivation: Derivation) -> frozenset[MatrixSymbol]:
    """The cotangents whose entries are each made of the same entry of those of the states."""
    cell = derivation.cell
    found = {carry(state) for state in cell.states}
    found |= {from_loss(symbol) for symbol in (*cell.states, *cell.outputs)}
    for equation in derivation.adjoint:
        if is_entrywise(equation.value, found):
            found.add(equation.target)
    return frozenset(found)


def is_entrywise(value: MatrixExpr, known: Set[MatrixSymbol]) -> bool:
    """Whether each entry is a sum of multiples of the same entry of known cotangents."""
    _, rest = split_coefficient(value)
    if isinstance(rest, MatrixSymbol):
        return rest in known
    if isinstance(rest, MatAdd):
        return all(is_entrywise(term, known) for term in rest.args)
    if isinstance(rest, HadamardProduct):
        moving = [part for part in rest.args if not known.isdisjoint(symbols_of(part))]
        others = {symbol for part in rest.args if part not in moving for symbol in symbols_of(part)}
        still = not any(symbol.name.endswith(BAR) for symbol in others)
        return still and len(moving) == 1 and is_entrywise(moving[0], known)
    return False


def _parts(value: MatrixExpr) -> tuple[Number, MatrixExpr, MatrixExpr | None, bool]:
    """c, the column and the row of one term: c b uᵀ, c u bᵀ, or a column alone; which of the two.

    Raises:
        NoShareError: for a term of another form.
    """
    size, rest = split_coefficient(value)
    if rest.shape[1] == 1:
        return size, rest, None, False
    if not isinstance(rest, MatMul) or len(rest.args) != 2:
        raise NoShareError(str(value))
    left, right = rest.args
    turned = moves(right)
    if turned == moves(left):
        raise NoShareError(str(value))
    column, row = (_transposed(right), _transposed(left)) if turned else (left, right)
    if column.shape[1] != 1 or row.shape[0] != 1:
        raise NoShareError(str(value))
    return size, column, row, turned


def _row(
    row: MatrixExpr | None, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> Interval:  # fmt: skip
    return interval(np.ones((1, 1))) if row is None else enclose(row, values, sizes)


def moves(value: MatrixExpr) -> bool:
    """Whether a cotangent stands in it."""
    return any(symbol.name.endswith(BAR) for symbol in symbols_of(value))


def _transposed(value: MatrixExpr) -> MatrixExpr:
    return value.args[0] if isinstance(value, Transpose) else Transpose(value)
