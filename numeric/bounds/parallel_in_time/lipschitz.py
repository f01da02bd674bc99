"""How fast the step Jacobian changes: L_t with ‖J_t(s) − J_t(s′)‖₂ ≤ L_t ‖s − s′‖₂ over a box.

In: a derivation, its second derivatives in blocks, and enclosures of every symbol of a step over
the box, the steps side by side in columns. Out: L_t for each step; or for some columns of J_t,
and for s and s′ that differ in some states alone.

Proof. On a convex set ‖J(s) − J(s′)‖ ≤ sup ‖∂J v‖ ‖s − s′‖ over unit vectors v. By the product
rule the derivative of A B C is at most Σ ‖∂A‖ ‖B‖ ‖C‖ and so on; weights do not move; diag(d)
moves by ‖diag(∂d v)‖ = max_i |(∂d v)_i| ≤ max_i ‖row i of ∂d‖₂, and a column y by ‖∂y‖₂. Rows of a
product obey ‖row i of (A B)‖ ≤ ‖row i of A‖ ‖B‖₂, and those of diag(d) B are |d_i| times B's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import numpy as np
from sympy import Expr, MatrixExpr, MatrixSymbol, Number, Transpose, ZeroMatrix

from derive.calculus.curvature import StepCurvature
from derive.calculus.fold import Algebra, NoValueError
from derive.calculus.through_time import Derivation
from derive.language.expr import Partial, symbols_of
from derive.saying import said
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import extent_of
from numeric.numbers.intervals import Interval, gamma
from numeric.numbers.matrices import norm_bound

Array = Any
_LEAST: Final = 1e-290  # more than any product of two of these that underflows


def above(value: Array, terms: int) -> Array:
    """A number that a nonnegative one computed in so many roundings does not exceed."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = value * (1 + gamma(terms + 8)) + _LEAST
    return np.where(np.isnan(found), np.inf, found)


def length(parts: Sequence[Array]) -> Array:
    """√(a² + b² + …), rounded up."""
    return above(np.sqrt(sum(above(part * part, 1) for part in parts)), len(parts) + 2)


@dataclass(frozen=True)
class Rows:
    """Bounds of a matrix at each step: ‖row i‖₂, (rows, T), and ‖·‖₂, (T,); `flat` if diag(d)."""

    rows: Array
    whole: Array
    flat: bool = False


@dataclass
class Steps:
    """What both algebras know of the steps: enclosures, and the norms of the weights."""

    derivation: Derivation
    values: Mapping[str, Interval]
    sizes: Mapping[str, int]
    weights: dict[MatrixExpr, Rows] = field(default_factory=dict)

    def column(self, node: MatrixExpr) -> Array:
        """|v_i| at each step."""
        return enclose(node, self.values, self.sizes).magnitude

    def leaf(self, node: MatrixExpr) -> Rows:
        """A matrix of weights; or a column of the step, upright or lying.

        Raises:
            NoValueError: for a matrix that changes with time.
        """
        inner = node.args[0] if isinstance(node, Transpose) else node
        if self.derivation.timeless.issuperset(symbols_of(node)):
            if node not in self.weights:
                value = enclose(node, self.values, self.sizes)
                sizes = value.magnitude
                rows = above(np.sqrt(above((sizes * sizes).sum(axis=1), sizes.shape[1])), 1)
                self.weights[node] = Rows(rows[:, None], np.array([norm_bound(value)]))
            return self.weights[node]
        if not isinstance(inner, MatrixSymbol) or inner.shape[1] != 1:
            raise NoValueError(
                said("no Lipschitz constant for {0}, a matrix that changes with time", node)
            )
        sizes = self.column(inner)
        whole = above(np.sqrt(above((sizes * sizes).sum(axis=0), len(sizes))), 1)
        return Rows(whole[None] if inner is not node else sizes, whole)


@dataclass(frozen=True)
class _RowNorms(Algebra[Rows]):
    """Row norms of a block of second derivatives."""

    step: Steps
    named_blocks: Mapping[MatrixExpr, MatrixExpr]
    known: dict[MatrixExpr, Rows] = field(default_factory=dict)

    def is_whole(self, block: MatrixExpr) -> bool:
        return not block.has(Partial) and self.step.derivation.timeless.issuperset(
            symbols_of(block)
        )

    def zero(self, block: ZeroMatrix) -> Rows:
        return Rows(np.zeros((extent_of(block.shape[0], self.step.sizes), 1)), np.zeros(1))

    def identity(self, extent: Expr) -> Rows:
        return Rows(np.ones((extent_of(extent, self.step.sizes), 1)), np.ones(1), flat=True)

    def diagonal(self, column: MatrixExpr) -> Rows:
        sizes = self.step.column(column)
        return Rows(sizes, sizes.max(axis=0, initial=0.0), flat=True)

    def named(self, block: Partial) -> Rows:
        if block not in self.known:
            self.known[block] = self.of(self.named_blocks[block])
        return self.known[block]

    def sum(self, terms: Sequence[Rows]) -> Rows:
        rows = above(sum(term.rows for term in terms), len(terms))
        whole = above(sum(term.whole for term in terms), len(terms))
        return _smallest(rows, whole, all(term.flat for term in terms))

    def stack(self, parts: Sequence[Rows]) -> Rows:
        steps = max(part.rows.shape[1] for part in parts)
        rows = [np.broadcast_to(part.rows, (len(part.rows), steps)) for part in parts]
        return _smallest(np.concatenate(rows), length([part.whole for part in parts]), False)

    def product(self, number: Number, factors: Sequence[Rows]) -> Rows:
        found = reduce(lambda right, left: _times(left, right), reversed(factors))
        size = float(enclosed(number).magnitude)
        return Rows(above(size * found.rows, 1), above(size * found.whole, 1), found.flat)

    def matrix(self, block: MatrixExpr) -> Rows:
        return self.step.leaf(block)


def _times(a: Rows, b: Rows) -> Rows:
    whole = above(a.whole * b.whole, 1)
    rows = a.rows * b.rows if a.flat else a.rows * b.whole
    return _smallest(above(rows, 1), whole, a.flat and b.flat)


def _smallest(rows: Array, whole: Array, flat: bool) -> Rows:
    """The norm of a matrix is at most √(Σ ‖row‖²); of a diagonal, the largest row."""
    squares = above((rows * rows).sum(axis=0), len(rows))
    other = rows.max(axis=0, initial=0.0) if flat else above(np.sqrt(squares), 1)
    return Rows(rows, np.minimum(whole, other), flat)


@dataclass(frozen=True)
class Changing:
    """‖A‖₂ at each step, and how fast A moves: ‖∂A v‖₂ for unit vectors v."""

    size: Array
    speed: Array


@dataclass(frozen=True)
class _Speeds(Algebra[Changing]):
    """Norm and speed of each block of the step Jacobian."""

    step: Steps
    rows: _RowNorms
    curvature: StepCurvature
    moving: Sequence[str]
    known: dict[MatrixExpr, Changing] = field(default_factory=dict)

    def is_whole(self, block: MatrixExpr) -> bool:
        return self.rows.is_whole(block)

    def _moved(self, column: MatrixExpr) -> list[Rows]:
        return [self.rows.of(self.curvature.columns[column, state]) for state in self.moving]

    def zero(self, block: ZeroMatrix) -> Changing:
        return Changing(np.zeros(1), np.zeros(1))

    def identity(self, extent: Expr) -> Changing:
        return Changing(np.ones(1), np.zeros(1))

    def diagonal(self, column: MatrixExpr) -> Changing:
        size = self.step.column(column).max(axis=0, initial=0.0)
        return Changing(size, length([part.rows for part in self._moved(column)]).max(axis=0))

    def named(self, block: Partial) -> Changing:
        if block not in self.known:
            self.known[block] = self.of(self.rows.named_blocks[block])
        return self.known[block]

    def sum(self, terms: Sequence[Changing]) -> Changing:
        return Changing(*(above(sum(getattr(term, what) for term in terms), len(terms))
                          for what in ("size", "speed")))  # fmt: skip

    def stack(self, parts: Sequence[Changing]) -> Changing:
        return Changing(*(length([getattr(part, what) for part in parts])
                          for what in ("size", "speed")))  # fmt: skip

    def product(self, number: Number, factors: Sequence[Changing]) -> Changing:
        c = float(enclosed(number).magnitude)
        size, speed = np.full(1, c), np.zeros(1)
        for factor in factors:
            speed = above(speed * factor.size + size * factor.speed, 3)
            size = above(size * factor.size, 1)
        return Changing(size, speed)

    def matrix(self, block: MatrixExpr) -> Changing:
        leaf = self.step.leaf(block)
        inner = block.args[0] if isinstance(block, Transpose) else block
        if self.step.derivation.timeless.issuperset(symbols_of(block)):
            return Changing(leaf.whole, np.zeros(1))
        return Changing(leaf.whole, length([part.whole for part in self._moved(inner)]))


def lipschitz(
    derivation: Derivation, curvature: StepCurvature, values: Mapping[str, Interval],
    sizes: Mapping[str, int], steps: int, moving: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> Array:  # fmt: skip
    """L_t of each of the steps that the enclosures hold side by side.

    `moving` names the states that may move, `columns` those whose columns of J_t are taken: all
    where these are absent.

    Raises:
        NoValueError: for a block that has no Lipschitz constant here.
    """
    names = [state.name for state in derivation.cell.states]
    states, sources = (names if given is None else given for given in (moving, columns))
    if not states:
        return np.zeros(steps)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        step = Steps(derivation, values, sizes)
        named = {**dict(derivation.step_jacobian.named), **curvature.named}
        speeds = _Speeds(step, _RowNorms(step, named), curvature, states)
        blocks = [block for (_, source), block in derivation.step_jacobian.blocks.items()
                  if source in sources]  # fmt: skip
        whole = length([speeds.of(block).speed for block in blocks])
    return np.array(np.broadcast_to(whole, (steps,)))
