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
    pivots = [_Rows(ranges, values, name) for name in pivot_names(ranges)]
    if not pivots:
        return
    states = [state.name for state in setting.derivation.cell.states]
    v = {name: np.ones(values[name].shape[0]) for name in states}
    best, spread = math.inf, 1.0
    for _ in range(_ROUNDS):
        rows = {name: np.min([pivot.rows(name, v) for pivot in pivots], axis=0) for name in states}
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
    yield Method("gates split", best, tuple(f + 1e-12 * (1 + abs(f)) for f in found))


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
    """A bound of |block| u, entry by entry for u ≥ 0; a column for each piece where that matters.

    `outer` says that row i of the block is row i of the Jacobian.
    """

    on: Callable[[Array, bool], Array]
    diagonal: bool = False


@dataclass
class _Rows(Algebra[_Acts]):
    """|J| v row by row, the range of one pre-activation cut into pieces."""

    ranges: Ranges
    whole: Box
    pivot: str

    def __post_init__(self) -> None:
        setting = self.ranges.setting
        self.sizes = setting.sizes
        held = self.whole[self.pivot]
        low, high = (np.clip(end, -_FAR, _FAR) for end in (held.lo, held.hi))
        ends = low + (high - low) * np.linspace(0.0, 1.0, PIECES + 1)
        ends = np.clip(ends, held.lo, held.hi)
        ends[:, :1], ends[:, -1:] = held.lo, held.hi
        ends = np.maximum.accumulate(ends, axis=1)
        self.shape = held.shape
        self.pieces: Box = {**self.whole, self.pivot: Interval(ends[:, :-1], ends[:, 1:])}
        changed = {self.pivot}
        for target, value in self.ranges.equations:
            if target.name == self.pivot or not self.local(value, changed):
                continue
            found = enclose(value, self.pieces, self.sizes)
            known = self.whole[target.name]
            self.pieces[target.name] = Interval(
                np.maximum(found.lo, known.lo), np.minimum(found.hi, known.hi)
            )
            changed.add(target.name)
        self.sup: dict[tuple[MatrixExpr, bool], Array] = {}
        self.weights: dict[MatrixExpr, Array] = {}
        self.held: dict[MatrixExpr, _Acts] = {}
        jacobian = setting.derivation.step_jacobian
        self.written = dict(jacobian.named)
        self.blocks = {pair: self.of(block) for pair, block in jacobian.blocks.items()}

    def local(self, value: MatrixExpr, changed: set[str]) -> bool:
        """Whether entry i of the value depends on the changed symbols through their entry i."""
        names = {symbol.name for symbol in symbols_of(value)}
        if not names & changed or value.shape != (self.whole_shape(value)):
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

    def whole_shape(self, value: MatrixExpr) -> Any:
        """The value's shape if its columns are as long as the pivot's, else None."""
        return value.shape if extent_of(value.shape[0], self.sizes) == self.shape[0] else None

    @np.errstate(over="ignore", invalid="ignore")
    def rows(self, state: str, v: Mapping[str, Array]) -> Array:
        """At least Σ_j |J_ij| v_j for each row i of a state."""
        terms = [block.on(v[by][:, None], True)
                 for (of, by), block in self.blocks.items() if of == state]  # fmt: skip
        total = _up(sum(terms), len(terms))
        return np.asarray(total.max(axis=1))

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
            local = outer and self.local(column, {self.pivot, *self._changed()})
            values = self.pieces if local else self.whole
            self.sup[column, outer] = _up(enclose(column, values, self.sizes).magnitude, 0)
        return self.sup[column, outer]

    def _changed(self) -> set[str]:
        return {name for name, value in self.pieces.items() if value is not self.whole[name]}


_LOCAL: Final = {"HadamardProduct", "Quotient", "MatrixSymbol", "Str"}


def _up(value: Array, terms: int) -> Array:
    found = np.asarray(value * (1 + gamma(terms + 8)))
    if found.min(initial=np.inf) >= _FLOOR:  # nor is any no number
        return found
    found = np.where(np.isnan(found), np.inf, found)  # 0 times no bound: nothing is known
    return np.where(found == 0, 0.0, np.maximum(found, _FLOOR))
