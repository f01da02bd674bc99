"""The norm-domination matrix in numbers: N_ab ≥ ‖J_ab‖ for any partition, rounded upwards.

In: the step Jacobian's blocks Σ diag(d) M (…), a bound of each entry of each d, and a partition.
Out: N with a row and a column for each part of the state. With one part for each state the norm
of a block is ‖·‖₂ (or ‖·‖_∞); with one part for each unit N is Ĵ = Σ diag|d| |M| (…) ≥ |J|.

The proof is one line for each node: ‖A + B‖ ≤ ‖A‖ + ‖B‖ and ‖(AB)_ab‖ ≤ Σ_c ‖A_ac‖ ‖B_cb‖ for
blocks, ‖diag(d)_a‖ = max |d_i| over the part. Rounding: all terms are nonnegative, so a computed
sum of products errs by at most a factor 1 ± γ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import numpy as np
from sympy import Expr, MatrixExpr, MatrixSymbol, Number, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.fold import Algebra
from derive.calculus.lengths import erases_at_most_twice, short_columns, squared_lengths
from derive.calculus.map_norms import norm_of_map
from derive.calculus.through_time import Derivation
from derive.language.expr import Partial, hadamard, replace, symbols_of
from derive.language.maps import LinearMap
from derive.language.reductions import total
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import extent_of
from numeric.numbers.intervals import Interval, gamma
from numeric.numbers.matrices import norm_bound

Array = Any
Partition = Mapping[str, Sequence[int]]
SPECTRAL: Final = "2"
ROWS: Final = "inf"
_FLOOR: Final = 1e-150  # what is not zero stays above: no product of two underflows


@dataclass(frozen=True)
class Parts:
    """How each size is split: the lengths of its parts; one part where nothing is said."""

    sizes: Mapping[str, int]
    lengths: Partition = field(default_factory=dict)
    finest: bool = False

    def __post_init__(self) -> None:
        """Refuse parts that do not add up.

        Raises:
            ValueError: naming the size.
        """
        for name, lengths in self.lengths.items():
            if name not in self.sizes:
                raise ValueError(f"partition: the cell has no size {name!r}; it has "
                                 + ", ".join(self.sizes))  # fmt: skip
            if sum(lengths) != self.sizes[name] or min(lengths, default=0) < 1:
                raise ValueError(
                    f"partition of {name}: expected lengths from 1 that add up to "
                    f"{self.sizes[name]}, came {tuple(lengths)}"
                )

    def starts(self, extent: Expr) -> Array:
        """The first place of each part of an axis of that size."""
        count = extent_of(extent, self.sizes)
        if self.finest:
            return np.arange(count)
        if not self.lengths:
            return np.zeros(min(count, 1), dtype=int)
        lengths = self.lengths.get(str(extent), (count,))
        return np.cumsum([0, *lengths])[:-1] if count else np.zeros(0, dtype=int)


class Domination:
    """Evaluates N; the norms of what neither time nor the trajectory changes are taken once."""

    def __init__(
        self,
        derivation: Derivation,
        values: Mapping[str, Interval],
        parts: Parts,
        norm: str = SPECTRAL,
    ) -> None:
        jacobian = derivation.step_jacobian
        self.derivation, self.parts, self.norm = derivation, parts, norm
        self.fixed = derivation.timeless
        self.short = short_columns(derivation.forward)
        names = {symbol.name for symbol in self.fixed}
        self.values = {name: value for name, value in values.items() if name in names}
        self.written: dict[MatrixExpr, MatrixExpr] = dict(jacobian.named)
        self.blocks = jacobian.blocks
        self.leaves: dict[MatrixExpr, Array] = {}
        self.whatever: dict[MatrixExpr, bool] = {}
        self.strengths: dict[MatrixExpr, tuple[MatrixExpr, dict[str, MatrixSymbol]]] = {}
        self.still: dict[MatrixExpr, bool] = {}

    def matrix(self, sup: Mapping[MatrixExpr, Array], now: Mapping[str, Interval]) -> Array:
        """N, given a bound of |d_i| for each column d of a diag(d).

        `now` holds enclosures of the step's symbols, for what is neither diagonal nor constant.
        """
        step = StepNorms(self, sup, now)
        states = self.derivation.cell.states
        made = [[_full(step.of(self.blocks[a.name, b.name])) for b in states] for a in states]
        return np.block(made)

    def sharpened(self, node: MatrixExpr, plain: Array, step: StepNorms) -> Array:
        """A bound of the block beside the plain one; here the plain one."""
        return plain

    def leaf(self, node: MatrixExpr) -> bool:
        """Whether time does not change the node, so that its norms are taken as one matrix."""
        if node not in self.still:
            moving = node.has(Partial, DiagMatrix) or not self.fixed.issuperset(symbols_of(node))
            self.still[node] = not moving
        return self.still[node]

    def enclosed(self, column: MatrixExpr, now: Mapping[str, Interval]) -> Array:
        """A bound of each |d_i| of a column of the step."""
        values = {**self.values, **now}
        return enclose(column, values, self.parts.sizes).magnitude[:, 0]

    def contracts(self, strength: MatrixExpr) -> bool:
        """Whether what is erased lies in [−2, 0] whatever the weights."""
        if strength not in self.whatever:
            self.whatever[strength] = erases_at_most_twice(
                strength, self.derivation.forward, self.short
            )
        return self.whatever[strength]

    def strength(self, expression: MatrixExpr, now: Mapping[str, Interval]) -> Interval:
        """What is erased, its kᵀk a sum of squares that is at most 1 where k is a short column."""
        values = {**self.values, **now}
        if expression not in self.strengths:
            squares = squared_lengths(expression)
            names = {square: MatrixSymbol(f"‖{key}‖²", 1, 1) for square, key in squares.items()}
            whole = replace(expression, names)
            self.strengths[expression] = whole, {names[s].name: key for s, key in squares.items()}
        whole, keys = self.strengths[expression]
        for name, key in keys.items():
            found = enclose(total(hadamard(key, key)), values, self.parts.sizes)
            if key in self.short:
                found = found.meet(Interval(np.zeros((1, 1)), np.ones((1, 1))))
            values[name] = found
        return enclose(whole, values, self.parts.sizes)

    def norms(self, node: MatrixExpr, now: Mapping[str, Interval]) -> Array:
        """The norm of each block of a matrix."""
        if node in self.leaves:
            return self.leaves[node]
        timeless = self.leaf(node)
        value = enclose(node, self.values if timeless else {**self.values, **now}, self.parts.sizes)
        rows, columns = (self.parts.starts(extent) for extent in node.shape)
        found = _up(block_norms(value, rows, columns, self.norm, self.parts.finest), 0)
        if node in self.short:
            found = np.minimum(found, 1.0)
        if timeless:
            self.leaves[node] = found
        return found


@dataclass(frozen=True)
class StepNorms(Algebra[Array]):
    """N of a block, given the bounds of one step; a vector stands for a diagonal."""

    home: Domination
    sup: Mapping[MatrixExpr, Array]
    now: Mapping[str, Interval]
    partials: dict[MatrixExpr, Array] = field(default_factory=dict)

    def of(self, block: MatrixExpr) -> Array:
        """N of the block, the smallest that is known."""
        return self.home.sharpened(block, super().of(block), self)

    def is_whole(self, block: MatrixExpr) -> bool:
        """Whether the norms of the block are taken as one matrix."""
        return self.home.leaf(block)

    def diagonal(self, column: MatrixExpr) -> Array:
        """Max |d_i| over each part."""
        starts = self.home.parts.starts(column.shape[0])
        bound = self.sup.get(column)
        bound = _up(self.home.enclosed(column, self.now) if bound is None else bound, 0)
        return np.maximum.reduceat(bound, starts) if len(starts) else bound

    def linear_map(self, block: LinearMap) -> Array:
        """The norm of a map by its form; entry by entry where every unit is a part."""
        if self.home.parts.finest:
            return self.home.norms(block, self.now)
        return norm_of_map(block, self)

    def erasing(self, strength: MatrixExpr) -> Array:
        """max(1, |1 + d_i|) over the rows: exactly 1 where every d_i lies in [−2, 0]."""
        if self.home.contracts(strength):
            return np.ones(1)
        found = self.home.strength(strength, self.now)
        if np.all(found.lo >= -2) and np.all(found.hi <= 0):
            return np.ones(1)
        return np.maximum(1.0, _up((found + 1.0).magnitude.max(initial=0.0, keepdims=True)[0], 0))

    def identity(self, extent: Expr) -> Array:
        """1 for each part."""
        return np.ones(len(self.home.parts.starts(extent)))

    def zero(self, block: ZeroMatrix) -> Array:
        """0 for each pair of parts."""
        return np.zeros([len(self.home.parts.starts(extent)) for extent in block.shape])

    def named(self, block: Partial) -> Array:
        """N of what the name stands for."""
        if block not in self.partials:
            self.partials[block] = self.of(self.home.written[block])
        return self.partials[block]

    def sum(self, terms: Sequence[Array]) -> Array:
        """‖A‖ + ‖B‖."""
        if any(term.ndim == 2 for term in terms):
            terms = [_full(term) for term in terms]
        return _up(sum(terms), len(terms))

    def product(self, number: Number, factors: Sequence[Array]) -> Array:
        """|c| Σ_c ‖A_ac‖ ‖B_cb‖."""
        found = reduce(lambda right, left: _times(left, right), reversed(factors))
        if abs(number) == 1:
            return found
        return _up(float(_up(enclosed(number).magnitude, 0)) * found, 1)

    def stack(self, parts: Sequence[Array]) -> Array:
        """‖A‖ + ‖B‖ over the parts of the columns; in the ∞-norm the larger one."""
        made = [_full(part) for part in parts]
        if self.home.parts.finest:
            return np.concatenate(made)
        rows = [m.sum(axis=0, keepdims=True) for m in made]
        return _up(sum(rows) if self.home.norm == SPECTRAL else np.max(rows, axis=0), 4)

    def matrix(self, block: MatrixExpr) -> Array:
        """The norm of each part of a matrix."""
        return self.home.norms(block, self.now)


def _full(found: Array) -> Array:
    """A diagonal as a matrix."""
    return np.diag(found) if found.ndim == 1 else found


def block_norms(value: Interval, rows: Array, columns: Array, norm: str, finest: bool) -> Array:
    """An upper bound of the norm of each block, the blocks by their first row and column."""
    if finest:
        return value.magnitude
    found = np.zeros((len(rows), len(columns)))
    row_ends, column_ends = [*rows[1:], value.shape[0]], [*columns[1:], value.shape[1]]
    for i, (top, bottom) in enumerate(zip(rows, row_ends, strict=True)):
        for j, (left, right) in enumerate(zip(columns, column_ends, strict=True)):
            block = value[top:bottom, left:right]
            if not block.magnitude.any():
                continue
            if norm == ROWS:
                found[i, j] = _up(block.magnitude.sum(axis=1).max(), right - left)
            else:
                found[i, j] = norm_bound(block)
    return found


def _times(a: Array, b: Array) -> Array:
    """The product of two nonnegative matrices, rounded up; vectors stand for diagonals."""
    if a.ndim == 1 and np.all(a == 1):
        return b  # nothing is rounded
    if b.ndim == 1 and np.all(b == 1):
        return a
    if a.ndim == 1:
        return _up(a[:, None] * b if b.ndim == 2 else a * b, 1)
    if b.ndim == 1:
        return _up(a * b, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        found = a @ b
    return _up(np.where(np.isnan(found), np.inf, found), a.shape[1])


def _up(value: Array, terms: int) -> Array:
    with np.errstate(over="ignore"):
        found = np.asarray(value * (1 + gamma(terms + 8)))
    if found.min(initial=np.inf) >= _FLOOR:
        return found
    return np.where(found == 0, 0.0, np.maximum(found, _FLOOR))
