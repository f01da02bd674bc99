"""Rows of the Jacobian with a gate taken at all its values in turn: Theorem D for any cell.

In: ranges of a cell. Out: `Method`s with a rate in a weighted ∞-norm. Each row i of |J| v depends
on the pre-activation a_i of a gate through diagonals alone; so its range is cut into pieces, the
row is bounded on each, and the largest is taken. For the GRU this is the row bound
(1 − z) + z (1 − z) A_i + z K_i over z, instead of each factor at its own worst z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import (
    Expr,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    ZeroMatrix,
    preorder_traversal,
)

from derive.calculus.fold import Algebra
from derive.language.expr import Elementwise, Partial, Slope, symbols_of
from numeric.bounds.all_inputs.ranges import Box, Ranges
from numeric.bounds.growth import Method
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import extent_of
from numeric.numbers.intervals import Interval, gamma
from numeric.numbers.matrices import raised

Array = Any
NAME: Final = "gates split"
PIECES: Final = 24
_LARGEST: Final = 600
_ROUNDS: Final = 30
_FLOOR: Final = 1e-150
_FAR: Final = 40.0  # beyond, a gate is shut or open to the last digit: one piece is enough


def split_rate(ranges: Ranges, values: Box, lags: int) -> Iterator[Method]:
    """The method of rows, with the best v that a few iterations find; none for large cells."""
    setting = ranges.setting
    if setting.width > _LARGEST:
        return
    pivots = tuple(pivot_names(ranges))
    if not pivots:
        return
    jacobian = _Rows(ranges, values, pivots)
    states = [state.name for state in setting.derivation.cell.states]
    v = {name: np.ones(values[name].shape[0]) for name in states}
    best, spread = math.inf, 1.0
    for _ in range(_ROUNDS):
        rows = {name: jacobian.rows(name, v) for name in states}
        worst = max(float(np.max(rows[name] / v[name], initial=0.0)) for name in states)
        if not math.isfinite(worst):
            break
        if worst < best:
            every = np.concatenate([v[name] for name in states])
            best, spread = raised(worst), raised(float(every.max() / every.min()))
        top = max(float(rows[name].max(initial=0.0)) for name in states) or 1.0
        v = {name: rows[name] / top + 1e-6 for name in states}
    if not math.isfinite(best):
        return
    constant = math.log10(raised(math.sqrt(setting.width) * spread))
    found = (constant + lag * math.log10(max(best, _FLOOR)) for lag in range(1, lags + 1))
    yield Method(NAME, best, tuple(f + 1e-12 * (1 + abs(f)) for f in found))


def pivot_names(ranges: Ranges) -> list[str]:
    """The pre-activations of the cell: arguments of functions that are columns of their own."""
    found: dict[str, None] = {}
    widths = {state.shape for state in ranges.setting.derivation.cell.states}
    for _, value in ranges.equations:
        for node in preorder_traversal(value):
            if isinstance(node, (Elementwise, Slope)):
                argument = node.argument
                if isinstance(argument, MatrixSymbol) and argument.shape in widths:
                    found[argument.name] = None
    assigned = {target.name for target, _ in ranges.equations}
    return [name for name in found if name in assigned]


@dataclass(frozen=True)
class _Acts:
    """A bound of |block| u, entry by entry for u ≥ 0; where pieces matter, a column for each.

    The pieces of one pivot stand beside those of the next. `outer` says that row i of the block is
    row i of the Jacobian.
    """

    on: Callable[[Array, bool], Array]
    diagonal: bool = False


class _Rows(Algebra[_Acts]):
    """|J| v row by row, the range of one pre-activation after the other cut into pieces."""

    def __init__(self, ranges: Ranges, whole: Box, pivots: Sequence[str]) -> None:
        self.ranges, self.whole = ranges, whole
        self.sizes = ranges.setting.sizes
        self.pivots = {name: self.cut(name) for name in pivots}
        self.sup: dict[tuple[MatrixExpr, bool], Array] = {}
        self.weights: dict[MatrixExpr, Array] = {}
        self.held: dict[MatrixExpr, _Acts] = {}
        jacobian = ranges.setting.derivation.step_jacobian
        self.written = dict(jacobian.named)
        self.blocks = {pair: self.of(block) for pair, block in jacobian.blocks.items()}

    def cut(self, pivot: str) -> tuple[Box, set[str]]:
        """The ranges that change with the pivot's, in pieces, the others whole; and which do."""
        held = self.whole[pivot]
        low, high = (np.clip(end, -_FAR, _FAR) for end in (held.lo, held.hi))
        ends = low + (high - low) * np.linspace(0.0, 1.0, PIECES + 1)
        ends = np.clip(ends, held.lo, held.hi)
        ends[:, :1], ends[:, -1:] = held.lo, held.hi
        ends = np.maximum.accumulate(ends, axis=1)
        pieces: Box = {**self.whole, pivot: Interval(ends[:, :-1], ends[:, 1:])}
        changed = {pivot}
        for target, value in self.ranges.equations:
            if target.name == pivot or not self.local(value, changed, pivot):
                continue
            found = enclose(value, pieces, self.sizes)
            known = self.whole[target.name]
            pieces[target.name] = Interval(
                np.maximum(found.lo, known.lo), np.minimum(found.hi, known.hi)
            )
            changed.add(target.name)
        return pieces, changed

    def local(self, value: MatrixExpr, changed: set[str], pivot: str) -> bool:
        """Whether entry i of the value depends on the changed symbols through their entry i."""
        names = {symbol.name for symbol in symbols_of(value)}
        rows = extent_of(value.shape[0], self.sizes)
        if not names & changed or rows != self.whole[pivot].shape[0]:
            return False
        for node in preorder_traversal(value):
            mixes = isinstance(node, MatMul) and not (
                len(node.args) == 2 and node.args[0].is_number
            )
            known = isinstance(node, (MatAdd, MatMul, Elementwise, Slope)) or not node.args
            inner = {s.name for s in symbols_of(node)} & changed
            if inner and mixes:
                return False
            if inner and not known and type(node).__name__ not in _LOCAL:
                return False
        return True

    @np.errstate(over="ignore", invalid="ignore")
    def rows(self, state: str, v: Mapping[str, Array]) -> Array:
        """At least Σ_j |J_ij| v_j for each row i of a state, by the pivot that shows least."""
        terms = [block.on(v[by][:, None], True)
                 for (of, by), block in self.blocks.items() if of == state]  # fmt: skip
        total = _up(sum(terms), len(terms))
        if total.shape[1] > 1:
            total = total.reshape(len(total), len(self.pivots), PIECES).max(axis=2)
        return np.asarray(total.min(axis=1))

    def named(self, block: Partial) -> _Acts:
        if block not in self.held:
            self.held[block] = self.of(self.written[block])
        return self.held[block]

    def zero(self, block: ZeroMatrix) -> _Acts:
        return _Acts(lambda u, outer: np.zeros((extent_of(block.shape[0], self.sizes), 1)))

    def identity(self, extent: Expr) -> _Acts:
        return _Acts(lambda u, outer: u)

    def diagonal(self, column: MatrixExpr) -> _Acts:
        return _Acts(lambda u, outer: _up(self.bound(column, outer) * u, 1), True)

    def sum(self, terms: Sequence[_Acts]) -> _Acts:
        return _Acts(lambda u, outer: _up(sum(t.on(u, outer) for t in terms), len(terms)))

    def product(self, number: Number, factors: Sequence[_Acts]) -> _Acts:
        size = float(_up(enclosed(number).magnitude, 0))
        front = next((k for k, f in enumerate(factors) if not f.diagonal), len(factors))

        def on(u: Array, outer: bool) -> Array:
            for place in range(len(factors) - 1, -1, -1):
                u = factors[place].on(u, outer and place <= front)
            return _up(size * u, 1)

        return _Acts(on)

    def stack(self, parts: Sequence[_Acts]) -> _Acts:
        """Row i of a part is another row of the whole: no part is taken in pieces."""
        return _Acts(lambda u, outer: np.concatenate([
            np.broadcast_to(own := part.on(u, False), (len(own), u.shape[1]))
            for part in parts]))  # fmt: skip

    def matrix(self, block: MatrixExpr) -> _Acts:
        if block not in self.weights:
            self.weights[block] = _up(enclose(block, self.whole, self.sizes).magnitude, 0)
        weight = self.weights[block]
        return _Acts(lambda u, outer: _up(weight @ u, weight.shape[1]))

    def bound(self, column: MatrixExpr, outer: bool) -> Array:
        """Sup |d|, in pieces where the diagonal acts on the rows of the result."""
        if (column, outer) not in self.sup:
            found = whole = self.largest(column, self.whole)
            local = [outer and self.local(column, changed, pivot)
                     for pivot, (_, changed) in self.pivots.items()]  # fmt: skip
            if any(local):
                shape = len(whole), PIECES
                each = [
                    self.largest(column, pieces) if own else whole
                    for own, (pieces, _) in zip(local, self.pivots.values(), strict=True)
                ]
                found = np.concatenate([np.broadcast_to(one, shape) for one in each], axis=1)
            self.sup[column, outer] = found
        return self.sup[column, outer]

    def largest(self, column: MatrixExpr, values: Box) -> Array:
        """Sup |d| over those ranges."""
        return _up(enclose(column, values, self.sizes).magnitude, 0)


_LOCAL: Final = {"HadamardProduct", "Quotient", "MatrixSymbol", "Str"}


def _up(value: Array, terms: int) -> Array:
    found = np.asarray(value * (1 + gamma(terms + 8)))
    if found.min(initial=np.inf) >= _FLOOR:  # nor is any no number
        return found
    found = np.where(np.isnan(found), np.inf, found)  # 0 times no bound: nothing is known
    return np.where(found == 0, 0.0, np.maximum(found, _FLOOR))
