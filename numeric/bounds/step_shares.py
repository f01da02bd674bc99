"""∂F/∂θ of one step with respect to each parameter, the states before it held fixed.

In: the adjoint of one step and ranges of its symbols. Out: `Share`s. With the unit vectors as
cotangents of the states, all in one, the gradient of a matrix is a column times a row, b uᵀ, for
each of them: B and u are kept, not their product. ‖∂F/∂θ‖₂ of one share is ‖B‖₂ ‖u‖. Where b
comes from cotangents entry by entry, as through gates, B is made of diagonal blocks, one for each
state: cotangents of ones, one for each state, give all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
from sympy import MatAdd, MatMul, MatrixExpr, MatrixSymbol, Number, Transpose
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import AdjointEquation, carry, from_loss
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
class Factor:
    """B or u over its ranges, with middles and radii; what several shares ask of it is made once.

    `starts` where B is [diag(d_1) … diag(d_S)], one for each state, which begins there, and the
    columns are the d.

    Shapes: B (rows of θ, size of the state) or, of diagonals, (rows of θ, S); u (1, columns of θ).
    """

    ranges: Interval
    middle: Array
    radius: Array
    starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, ranges: Interval) -> Factor:
        """The factor of those ranges."""
        return cls(ranges, *ranges.halves())

    def part(self, columns: slice, starts: tuple[int, ...] = ()) -> Factor:
        """Some of the columns."""
        return Factor(self.ranges[:, columns], self.middle[:, columns], self.radius[:, columns],
                      starts)  # fmt: skip

    @property
    def T(self) -> Factor:
        """The transpose."""
        return Factor(self.ranges.T, self.middle.T, self.radius.T)

    @cached_property
    def zero(self) -> bool:
        """Whether it is 0, exactly."""
        return self.ranges.exact and not self.ranges.lo.any()

    @cached_property
    def size(self) -> float:
        """At least ‖·‖_F of the middle."""
        return frobenius(self.middle)

    @cached_property
    def spread(self) -> float:
        """At least ‖·‖_F of the radius."""
        return frobenius(self.radius)

    @cached_property
    def norm(self) -> float:
        """At least ‖B‖₂; of diagonal blocks it is the longest row."""
        sizes = self.ranges.magnitude
        if not self.starts:
            return min(norm_bound(self.ranges), frobenius(sizes))
        largest = float(np.max(sizes, initial=0.0))
        if not 0 < largest < np.inf:
            return largest
        rows = np.square(sizes / largest).sum(axis=1)
        return raised(largest * math.sqrt(float(rows.max())), 2 * sizes.shape[1])

    def moved(self, product: Array, width: int) -> Array:
        """fl(P Bᵀ) at the middles; each entry errs by at most γ_width |P| |Bᵀ|.

        Shapes: product (rows, width), or None for I.
        """
        if not self.starts:
            return self.middle.T if product is None else product @ self.middle.T
        count = len(self.middle)
        found = np.zeros((width if product is None else len(product), count))
        for start, entries in zip(self.starts, self.middle.T, strict=True):
            if not entries.any():
                continue
            if product is None:
                found[start : start + count] = np.diag(entries)
            else:
                found += product[:, start : start + count] * entries
        return found


@dataclass(frozen=True)
class Share:
    """B and u of the share b uᵀ of one step, the sign with it; turned: of θᵀ."""

    columns: Factor
    row: Factor
    turned: bool = False


class NoShareError(TypeError):
    """A term of a parameter's gradient of another form than a column times a row."""


_Parts = tuple[Number, MatrixExpr, MatrixExpr | None, bool]


def step_shares(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int],
    wanted: set[MatrixSymbol], count: int = 1,
) -> Iterator[dict[MatrixSymbol, list[Share] | None]]:  # fmt: skip
    """∂F/∂θ of steps whose symbols lie in the values, the last step first; None for another form.

    Of several steps what changes with time has a column for each.
    """
    terms = {equation.of: _parted(equation) for equation in derivation.parameters
             if equation.of in wanted}  # fmt: skip
    steps = _Steps(derivation, values, sizes, count)
    steps.prepare([term for held in terms.values() for term in held or ()])
    for t in range(count - 1, -1, -1):
        step = _Step(steps, t)
        yield {symbol: None if held is None else [step.share(*term) for term in held]
               for symbol, held in terms.items()}  # fmt: skip


class _Steps:
    """Columns and rows of several steps at once: from cotangents of ones, and of what is known."""

    def __init__(
        self, derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int],
        count: int,
    ) -> None:  # fmt: skip
        self.derivation, self.values, self.sizes, self.count = derivation, values, sizes, count
        self.widths = [shape_of(state, sizes, moves=True)[0] for state in derivation.cell.states]
        self.starts = tuple(np.cumsum([0, *self.widths])[:-1].tolist())
        still = {symbol.name for symbol in derivation.timeless}
        self.moving = {name for name, value in values.items()
                       if count > 1 and value.shape[1] == count and name not in still}  # fmt: skip
        self.columns: dict[tuple[Number, MatrixExpr], Factor] = {}
        self.rows: dict[MatrixExpr, Factor] = {}

    def prepare(self, terms: Sequence[_Parts]) -> None:
        """All that can be said of all steps; of columns one for each state and step, in turn."""
        direct, count = _entrywise(self.derivation), len(self.widths)
        ones = [np.outer(np.ones(width), np.eye(count)[k]) for k, width in enumerate(self.widths)]
        every = {name: _side_by_side(value, count) if name in self.moving else value
                 for name, value in self.values.items()}  # fmt: skip
        held = _cotangents(
            self.derivation, every, self.sizes,
            [np.repeat(seed, self.count, axis=1) for seed in ones], direct,
        )  # fmt: skip
        for size, column, row, _ in terms:
            if is_entrywise(column, direct) and (size, column) not in self.columns:
                found = enclose(column, held, self.sizes) * enclosed(size)
                self.columns[size, column] = Factor.of(found)
            if isinstance(row, Transpose) and row not in self.rows:  # else steps may not stand so
                self.rows[row] = Factor.of(enclose(row.args[0], self.values, self.sizes))


class _Step:
    """The shares of one of the steps."""

    def __init__(self, steps: _Steps, t: int) -> None:
        self.steps, self.t = steps, t
        every = slice(t, None, steps.count)
        self.columns = {k: held.part(every, steps.starts) for k, held in steps.columns.items()}
        self.rows: dict[MatrixExpr | None, Factor] = {}

    @cached_property
    def now(self) -> dict[str, Interval]:
        """The values of this step alone."""
        one = slice(self.t, self.t + 1)
        return {name: value[:, one] if name in self.steps.moving else value
                for name, value in self.steps.values.items()}  # fmt: skip

    @cached_property
    def cotangents(self) -> dict[str, Interval]:
        """With the unit vectors as cotangents of the states."""
        steps = self.steps
        eye = np.split(np.eye(sum(steps.widths)), steps.starts[1:])
        return _cotangents(steps.derivation, self.now, steps.sizes, eye, None)

    def share(
        self, size: Number, column: MatrixExpr, row: MatrixExpr | None, turned: bool
    ) -> Share:
        """That of one term."""
        key = size, column
        if key not in self.columns:  # a gate's weights and its bias have the same ones
            found = enclose(column, self.cotangents, self.steps.sizes) * enclosed(size)
            self.columns[key] = Factor.of(found)
        if row not in self.rows:  # and all gates the same rows
            self.rows[row] = self.row(row)
        return Share(self.columns[key], self.rows[row], turned)

    def row(self, row: MatrixExpr | None) -> Factor:
        """Its u."""
        if row is None:
            return _ONE
        if (found := self.steps.rows.get(row)) is None:
            return Factor.of(enclose(row, self.now, self.steps.sizes))
        return (found.part(slice(self.t, self.t + 1)) if found.middle.shape[1] > 1 else found).T


_ONE: Final = Factor.of(interval(np.ones((1, 1))))


def _side_by_side(value: Interval, times: int) -> Interval:
    """All columns, so many times one after the other."""
    lo = np.tile(value.lo, times)
    return Interval(lo, lo if value.lo is value.hi else np.tile(value.hi, times))


def _parted(equation: AdjointEquation) -> list[_Parts] | None:
    """The terms that each step adds to a parameter's gradient, in parts."""
    try:
        return [_parts(term.value) for term in equation.terms if term.each_step]
    except NoShareError:
        return None


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


def _parts(value: MatrixExpr) -> _Parts:
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


def moves(value: MatrixExpr) -> bool:
    """Whether a cotangent stands in it."""
    return any(symbol.name.endswith(BAR) for symbol in symbols_of(value))


def _transposed(value: MatrixExpr) -> MatrixExpr:
    return value.args[0] if isinstance(value, Transpose) else Transpose(value)
