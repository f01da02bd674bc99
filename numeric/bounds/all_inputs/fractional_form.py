"""The step Jacobian as one constant matrix closed by a diagonal of what is not known.

In: the blocks of a step Jacobian, made of diag(d), weights, sums and products, and a range of
each d. Out: `Fractional`, G = [A B; C D] with

    y = A x + B p,   q = C x + D p,   p = Δ q,   Δ diagonal, |Δ| ≤ 1   ⇒   y = J x

for some Δ, whatever d is within its range. Every diag(d) is written as centre + radius ⊙ Δ, and
the Δ are pulled out: q is what a diag(d) is applied to, p what its Δ makes of it. No cell is
special: the blocks are folded form by form, from the right to the left.

Two rewritings keep what belongs together. diag(c + k s) = c I + k diag(s) for numbers c and k, and
diag(d ⊙ e) = diag(d) diag(e) where diag(d) stands in the same sum; then a sum of terms with the
same diag(d) in front has it once. So (1 − z) ⊙ a + z ⊙ b has one Δ for z, not two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
from sympy import Expr, Identity, MatAdd, MatrixExpr, Number, OneMatrix, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.fold import Algebra
from derive.calculus.through_time import Derivation
from derive.language.expr import Columns, Partial, hadamard, split_coefficient
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import extent_of
from numeric.numbers.intervals import Interval, interval, stacked

Array = Any
_TINY: Final = 1e-250


@dataclass(frozen=True)
class Unknown:
    """An entry of a diag(d): d_unit = centre + radius Δ."""

    column: MatrixExpr
    unit: int
    centre: float
    radius: float


@dataclass(frozen=True)
class Fractional:
    """G as an interval matrix, rows (y, q), columns (x, p), and which Δ are the same number.

    `width` is the size of the state, `owners` has for each row of q the place of its Δ among the
    `unknowns`: rows with the same owner share one. Every matrix in the interval is meant.
    """

    matrix: Interval
    width: int
    owners: tuple[int, ...]
    unknowns: tuple[Unknown, ...]

    @property
    def order(self) -> int:
        """The number of rows."""
        return len(self.matrix.lo)

    @cached_property
    def middle(self) -> Array:
        """About G."""
        return self.matrix.middle

    @cached_property
    def rows(self) -> list[list[int]]:
        """The rows of q of each Δ."""
        found: list[list[int]] = [[] for _ in self.unknowns]
        for row, owner in enumerate(self.owners):
            found[owner].append(row)
        return found

    def closed(self, delta: Array) -> Array:
        """About A + B Δ (I − D Δ)⁻¹ C for one Δ, a number for each owner."""
        G, k = self.middle, self.width
        each = np.asarray(delta)[list(self.owners)]
        inner, fed = G[k:, :k].copy(), self._fed
        if len(fed):  # q = C x in the other rows
            own = G[k:, k:][fed] * each
            plain = own.copy()
            plain[:, fed] = 0.0
            inner[fed] = np.linalg.solve(np.eye(len(fed)) - own[:, fed], inner[fed] + plain @ inner)
        return np.asarray(G[:k, :k] + (G[:k, k:] * each) @ inner)

    @cached_property
    def _fed(self) -> Array:
        """The rows of q that read some p."""
        return np.flatnonzero(self.middle[self.width :, self.width :].any(axis=1))


class _NoEndError(ValueError):
    """The range of a column is not finite."""


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def fractional_form(
    derivation: Derivation, values: Mapping[str, Interval], sizes: Mapping[str, int]
) -> Fractional | None:
    """The form over the ranges of a step's symbols.

    None where a range that it needs has no end, and where matrices change with time.
    """
    if derivation.has_matrices:
        return None
    states = derivation.cell.states
    widths = [extent_of(state.shape[0], sizes) for state in states]
    folded = _Pulled(derivation, values, sizes, sum(widths))
    eye, ends = np.eye(sum(widths)), np.cumsum([0, *widths])
    inputs = [interval(eye[a:b]) for a, b in pairwise(ends)]
    rows = []
    try:
        for of, width in zip(states, widths, strict=True):
            terms = [term for by, x in zip(states, inputs, strict=True)
                     for term in folded.of(folded.blocks[of.name, by.name]).on(x)]  # fmt: skip
            rows.append(folded.joined(terms, width))
    except _NoEndError:
        return None
    width = sum(widths)
    whole = _wide(_below([*rows, *folded.taken]), width + len(folded.owners))
    if not np.all(np.isfinite(whole.magnitude)):
        return None
    return Fractional(whole, width, tuple(folded.owners), tuple(folded.unknowns.values()))


@dataclass(frozen=True)
class _Term:
    """diag(d) applied to rows; the rows alone where d is None."""

    column: MatrixExpr | None
    rows: Interval


@dataclass(frozen=True)
class _Map:
    """A folded block of some height: what it makes of rows, as terms of a sum."""

    height: int
    on: Callable[[Interval], list[_Term]]


class _Pulled(Algebra[_Map]):
    """The fold; `taken` are the rows q of every Δ so far, `owners` which Δ each is."""

    def __init__(
        self,
        derivation: Derivation,
        values: Mapping[str, Interval],
        sizes: Mapping[str, int],
        width: int,
    ) -> None:
        jacobian = derivation.step_jacobian
        self.blocks, self.written = jacobian.blocks, dict(jacobian.named)
        self.values, self.sizes, self.width = values, sizes, width
        self.taken: list[Interval] = []
        self.owners: list[int] = []
        self.unknowns: dict[tuple[MatrixExpr, int], Unknown] = {}
        self._places: dict[tuple[MatrixExpr, int], int] = {}
        self._made: dict[tuple[MatrixExpr, bytes, bytes], Interval] = {}
        self._named: dict[tuple[MatrixExpr, bytes, bytes], Interval] = {}

    # ---- forms of blocks ---------------------------------------------------------------------

    def zero(self, block: ZeroMatrix) -> _Map:
        return _Map(extent_of(block.shape[0], self.sizes), lambda x: [])

    def identity(self, extent: Expr) -> _Map:
        return _Map(extent_of(extent, self.sizes), lambda x: [_Term(None, x)])

    def diagonal(self, column: MatrixExpr) -> _Map:
        height = extent_of(column.shape[0], self.sizes)
        return _Map(height, lambda x: list(_split(column, x)))

    def named(self, block: Partial) -> _Map:
        """The block that the name stands for, written once where it meets the same rows."""
        meant = self.of(self.written[block])

        def on(x: Interval) -> list[_Term]:
            key = (block, x.lo.tobytes(), x.hi.tobytes())
            if key not in self._named:
                self._named[key] = self.joined(meant.on(x), meant.height)
            return [_Term(None, self._named[key])]

        return _Map(meant.height, on)

    def sum(self, terms: Sequence[_Map]) -> _Map:
        return _Map(terms[0].height, lambda x: [made for term in terms for made in term.on(x)])

    def product(self, number: Number, factors: Sequence[_Map]) -> _Map:
        first, *rest = factors
        size = enclosed(number)

        def on(x: Interval) -> list[_Term]:
            for factor in reversed(rest):
                x = self.joined(factor.on(x), factor.height)
            return [_Term(term.column, term.rows * size) for term in first.on(x)]

        return _Map(first.height, on)

    def stack(self, parts: Sequence[_Map]) -> _Map:
        return _Map(
            sum(part.height for part in parts),
            lambda x: [_Term(None, _below([self.joined(p.on(x), p.height) for p in parts]))],
        )

    def matrix(self, block: MatrixExpr) -> _Map:
        """A matrix in its interval; what moves in it, by a diag of its entries.

        Some columns of diag(d) are diag(d) times those of I, yᵀ x is 1ᵀ diag(y) x.
        """
        if isinstance(block, Columns) and isinstance(block.args[0], DiagMatrix):
            kept = enclose(Columns(Identity(block.shape[0]), *block.args[1:]), {}, self.sizes)
            column = block.args[0].args[0]
            return _Map(kept.shape[0], lambda x: list(_split(column, kept @ x)))
        value = enclose(block, self.values, self.sizes)
        height, width = value.shape
        if value.exact or min(height, width) > 1:
            return _Map(height, lambda x: [_Term(None, value @ x)])
        ones = interval(np.ones((1, width) if height == 1 else (height, 1)))
        if height == 1:
            return _Map(1, lambda x: [_Term(None, ones @ self.channel(block.T, value.T, x))])
        return _Map(height, lambda x: [_Term(None, self.channel(block, value, ones @ x))])

    # ---- sums of diag(d) X -------------------------------------------------------------------

    def joined(self, terms: Sequence[_Term], height: int) -> Interval:
        """The sum of the terms, each diag(d) in front once, with a Δ for it."""
        found: dict[MatrixExpr | None, Interval] = {}
        for term in _complemented(terms):
            held = found.get(term.column)
            found[term.column] = term.rows if held is None else _added(held, term.rows)
        total = found.pop(None, interval(np.zeros((height, 1))))
        for column, inner in _nested({c: rows for c, rows in found.items() if c is not None}):
            value = enclose(column, self.values, self.sizes)
            total = _added(total, self.channel(column, value, self.joined(inner, height)))
        return total

    def channel(self, column: MatrixExpr, value: Interval, rows: Interval) -> Interval:
        """diag(d) X = diag(centre) X + diag(radius) p with p = Δ X, a row for each entry of d.

        Raises:
            _NoEndError: if d is not bounded.
        """
        if not np.all(np.isfinite(value.magnitude)):
            raise _NoEndError(str(column))
        centre, radius = value.middle, value.radius[:, 0]
        made = rows * interval(centre)
        size = rows.magnitude.max(axis=1, initial=0.0)
        tiny = np.where(size < _TINY, radius * size, 0.0)  # rows without end are no zero times it
        if tiny.any():  # no Δ for it: an interval holds it
            made = made + Interval(-tiny[:, None], tiny[:, None]) * 2.0
        moving = np.flatnonzero((radius > 0) & (size >= _TINY))
        if not len(moving):
            return made
        key = (column, rows.lo.tobytes(), rows.hi.tobytes())
        if key not in self._made:
            first = self.width + len(self.owners)
            self.taken.append(rows[moving])
            for k in moving.tolist():
                own = Unknown(column, k, float(centre[k, 0]), float(radius[k]))
                self.unknowns.setdefault((column, k), own)
                self.owners.append(self._places.setdefault((column, k), len(self._places)))
            p = np.zeros((len(radius), first + len(moving)))
            p[moving, first + np.arange(len(moving))] = radius[moving]
            self._made[key] = interval(p)
        return _added(made, self._made[key])


def _split(column: MatrixExpr, rows: Interval) -> Iterator[_Term]:
    """diag(d) X with numbers taken out of d; diag(1 + d) = I + diag(d)."""
    size, rest = split_coefficient(column)
    rows = rows * enclosed(size) if size != 1 else rows
    if isinstance(rest, OneMatrix):
        yield _Term(None, rows)
    else:
        yield _Term(rest, rows)


def _complement(column: MatrixExpr) -> MatrixExpr | None:
    """The s of a column 1 − s."""
    if not isinstance(column, MatAdd) or len(column.args) != 2:
        return None
    pairs = [split_coefficient(part) for part in column.args]
    one = [size for size, rest in pairs if isinstance(rest, OneMatrix)]
    other = [rest for size, rest in pairs if not isinstance(rest, OneMatrix) and size == -1]
    return other[0] if one == [1] and len(other) == 1 else None


def _factors(column: MatrixExpr) -> Counter[MatrixExpr]:
    return Counter(column.args if isinstance(column, HadamardProduct) else (column,))


def _complemented(terms: Sequence[_Term]) -> Iterator[_Term]:
    """diag(d) X = X − diag(1 − d) X, where 1 − d stands in front of others."""
    columns = {term.column for term in terms if term.column is not None}
    pairs = {f: s for column in columns for f in _factors(column)
             if (s := _complement(f)) is not None}  # fmt: skip
    products = {f for column in columns for f in _factors(column) if column != f}
    swaps = {f: s for f, s in pairs.items() if s in products or s in columns}
    swaps |= {s: f for f, s in pairs.items() if f in products and s not in products}
    for term in terms:
        other = swaps.get(term.column)
        if other is None:
            yield term
        else:
            yield _Term(None, term.rows)
            yield _Term(other, -term.rows)


def _nested(
    found: Mapping[MatrixExpr, Interval],
) -> Iterator[tuple[MatrixExpr, list[_Term]]]:
    """diag(d) X + diag(d ⊙ e) Y = diag(d) (X + diag(e) Y): each d that is in no other, and its sum.

    Of several d the one with the most factors.
    """
    inner = {column: [_Term(None, rows)] for column, rows in found.items()}
    for column in sorted(found, key=lambda c: -sum(_factors(c).values())):
        own = _factors(column)
        outer = [c for c in found if c != column and _factors(c) < own]
        if outer:
            home = max(outer, key=lambda c: sum(_factors(c).values()))
            rest = hadamard(*(own - _factors(home)).elements())
            inner[home] += [_Term(rest if t.column is None else hadamard(rest, t.column), t.rows)
                            for t in inner.pop(column)]  # fmt: skip
    for column, terms in inner.items():
        yield column, terms


def _added(a: Interval, b: Interval) -> Interval:
    """A + b, the narrower with zeros on its right."""
    width = max(a.shape[1], b.shape[1])
    return _wide(a, width) + _wide(b, width)


def _below(parts: Sequence[Interval]) -> Interval:
    """One below the other, the narrower with zeros on their right."""
    width = max(part.shape[1] for part in parts)
    return stacked([_wide(part, width) for part in parts])


def _wide(rows: Interval, width: int) -> Interval:
    more = ((0, 0), (0, width - rows.shape[1]))
    return rows if not more[1][1] else Interval(np.pad(rows.lo, more), np.pad(rows.hi, more))
