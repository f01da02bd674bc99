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
from typing import Any, Final

import numpy as np
from sympy import Expr, Identity, MatAdd, MatMul, MatrixExpr, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import Derivation
from derive.cell import timeless_symbols
from derive.language.expr import Concat, Partial, split_coefficient, symbols_of
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number
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
        self.fixed = timeless_symbols(derivation.cell, derivation.forward)
        names = {symbol.name for symbol in self.fixed}
        self.values = {name: value for name, value in values.items() if name in names}
        self.named, self.blocks = jacobian.named, jacobian.blocks
        self.leaves: dict[MatrixExpr, Array] = {}

    def matrix(self, sup: Mapping[MatrixExpr, Array], now: Mapping[str, Interval]) -> Array:
        """N, given a bound of |d_i| for each column d of a diag(d).

        `now` holds enclosures of the step's symbols, for what is neither diagonal nor constant.
        """
        partials: dict[MatrixExpr, Array] = {}
        for name, value in self.named:
            partials[name] = self.of(value, sup, now, partials)
        states = self.derivation.cell.states
        made = [[self.full(self.of(self.blocks[a.name, b.name], sup, now, partials))
                 for b in states] for a in states]  # fmt: skip
        return np.block(made)

    def of(
        self,
        node: MatrixExpr,
        sup: Mapping[MatrixExpr, Array],
        now: Mapping[str, Interval],
        partials: Mapping[MatrixExpr, Array],
    ) -> Array:
        """N of one expression; a vector stands for a diagonal."""
        if node in partials:
            return partials[node]
        match node:
            case DiagMatrix(args=(column,)):
                starts = self.parts.starts(node.shape[0])
                bound = _up(sup[column], 0)
                return np.maximum.reduceat(bound, starts) if len(starts) else bound
            case Identity():
                return np.ones(len(self.parts.starts(node.shape[0])))
            case ZeroMatrix():
                return np.zeros([len(self.parts.starts(extent)) for extent in node.shape])
            case MatAdd(args=terms) if not self.leaf(node):
                found = [self.of(term, sup, now, partials) for term in terms]
                if any(term.ndim == 2 for term in found):
                    found = [self.full(term) for term in found]
                return _up(sum(found), len(found))
            case MatMul() if not self.leaf(node):
                coefficient, rest = split_coefficient(node)
                factors = rest.args if isinstance(rest, MatMul) else (rest,)
                found = self.of(factors[-1], sup, now, partials)
                for factor in reversed(factors[:-1]):
                    found = _times(self.of(factor, sup, now, partials), found)
                return _up(float(number(coefficient).magnitude) * found, 1)
            case Concat(args=parts) if not self.leaf(node):
                made = [self.full(self.of(part, sup, now, partials)) for part in parts]
                if self.parts.finest:
                    return np.concatenate(made)
                total = sum if self.norm == SPECTRAL else lambda rows: np.max(list(rows), axis=0)
                return _up(total([m.sum(axis=0, keepdims=True) for m in made]), 4)
        return self.norms(node, now)

    def leaf(self, node: MatrixExpr) -> bool:
        """Whether time does not change the node, so that its norms are taken as one matrix."""
        return (
            not node.has(Partial) and not node.has(DiagMatrix)
            and self.fixed.issuperset(symbols_of(node))
        )  # fmt: skip

    def full(self, found: Array) -> Array:
        """A diagonal as a matrix."""
        return np.diag(found) if found.ndim == 1 else found

    def norms(self, node: MatrixExpr, now: Mapping[str, Interval]) -> Array:
        """The norm of each block of a matrix."""
        if node in self.leaves:
            return self.leaves[node]
        timeless = self.leaf(node)
        value = enclose(node, self.values if timeless else {**self.values, **now}, self.parts.sizes)
        rows, columns = (self.parts.starts(extent) for extent in node.shape)
        found = _up(block_norms(value, rows, columns, self.norm, self.parts.finest), 0)
        if timeless:
            self.leaves[node] = found
        return found


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
    return np.where(found == 0, 0.0, np.maximum(found, _FLOOR))
