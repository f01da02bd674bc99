"""The norm-domination matrix N of any cell, for a partition given, and its closed conditions.

In: a `Derivation`, and into how many modules each state is split. Out: `Domination`: N with
entries in named quantities, the supremum of each diagonal factor and the norm of each weight, and
the condition ρ(N) < 1 where it has a closed form. Numbers for them are `numeric`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import (
    Abs,
    Add,
    Expr,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    MatrixExpr,
    Max,
    Mul,
    Pow,
    S,
    Symbol,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import Derivation
from derive.language.expr import Columns, Concat, Partial, Rows, split_coefficient
from derive.theorems.claims import Relation
from derive.theorems.suprema import Quantities

Entries = tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True)
class Domination:
    """‖J_ab‖ ≤ N_ab for the parts a, b of the state, at every admissible step.

    `parts` names each part: the state and, where it is split, the number of the module.
    `quantities` says what each named number is: the supremum over all admissible steps.
    """

    parts: tuple[tuple[str, int], ...]
    entries: Entries
    quantities: tuple[Relation, ...]

    @property
    def order(self) -> int:
        """How many parts there are."""
        return len(self.parts)

    def characteristic_polynomial(self, unknown: Symbol) -> Expr | None:
        """det(λI − N), λ² − (N₁₁ + N₂₂) λ + N₁₁N₂₂ − N₁₂N₂₁ for two parts; None beyond two."""
        N = self.entries
        if self.order == 1:
            return Add(unknown, -N[0][0])
        if self.order == 2:
            trace = Add(N[0][0], N[1][1])
            return unknown**2 - trace * unknown + (N[0][0] * N[1][1] - N[0][1] * N[1][0]).expand()
        return None

    def conditions(self) -> tuple[Relation, ...]:
        """Relations that hold together if and only if ρ(N) < 1; none beyond two parts.

        A nonnegative 2×2 matrix has ρ < 1 iff I − N is a nonsingular M-matrix, iff its leading
        minors 1 − N₁₁ and (1 − N₁₁)(1 − N₂₂) − N₁₂N₂₁ are positive. Where N₂₁ = ωN₁₁ and
        N₂₂ = α + ωN₁₂ the second is (1 − N₁₁)(1 − α) − ωN₁₂.
        """
        N = self.entries
        if self.order == 1:
            return (Relation(N[0][0], "<", S.One),)
        if self.order != 2:
            return ()
        first = Relation(N[0][0], "<", S.One)
        omega = self._ratio()
        if omega is not None:
            alpha = (N[1][1] - omega * N[0][1]).expand()
            left, right = omega * N[0][1], Mul(1 - N[0][0], 1 - alpha, evaluate=False)
            return first, Relation(alpha, "<", S.One), Relation(left, "<", right)
        right = Mul(1 - N[0][0], 1 - N[1][1], evaluate=False)
        return first, Relation(N[1][1], "<", S.One), Relation(N[0][1] * N[1][0], "<", right)

    def _ratio(self) -> Expr | None:
        """ω with N₂₁ = ωN₁₁, if N₂₂ − ωN₁₂ is a sum of nonnegative terms."""
        N = self.entries
        if N[0][0] == 0 or not (omega := N[1][0] / N[0][0]).is_polynomial():
            return None
        rest = (N[1][1] - omega * N[0][1]).expand()
        terms = rest.args if isinstance(rest, Add) else (rest,)
        return omega if all(term.is_nonnegative for term in terms) else None


def domination_matrix(
    derivation: Derivation, modules: Mapping[str, int] | None = None, *, split: bool = False
) -> Domination:
    """N for the states, or for modules of equal size within the states that `modules` names.

    With `split`, the supremum of a product is bounded by the product of suprema, and that of a
    slope by its largest value: coarser, and the form in which conditions are published.

    Raises:
        ValueError: if `modules` names no state, or a count is below 1.
    """
    states = derivation.cell.states
    counts = dict.fromkeys((s.name for s in states), 1) | dict(modules or {})
    for name, count in (modules or {}).items():
        if name not in {s.name for s in states} or count < 1:
            raise ValueError(f"modules: expected states of the cell with counts from 1, came "
                             f"{name!r}: {count}")  # fmt: skip
    by_size = {s.shape[0]: counts[s.name] for s in states if counts[s.name] > 1}
    namer = Quantities(derivation, split=split)
    jacobian = derivation.step_jacobian
    rows: list[tuple[Expr, ...]] = []
    parts = tuple((s.name, i) for s in states for i in range(by_size.get(s.shape[0], 1)))
    written = {(a.name, b.name): _norms(jacobian.expanded(a.name, b.name), by_size, namer)
               for a in states for b in states}  # fmt: skip
    for a in states:
        for i in range(by_size.get(a.shape[0], 1)):
            rows.append(tuple(entry for b in states for entry in written[a.name, b.name][i]))
    return Domination(parts, tuple(rows), namer.relations())


def _norms(block: MatrixExpr, by_size: Mapping[Expr, int], namer: Quantities) -> list[list[Expr]]:
    """A bound of the norm of each part of a block, by parts of its rows and columns.

    Raises:
        TypeError: for a block that is only a name.
    """
    rows, columns = (by_size.get(extent, 1) for extent in block.shape)

    def square(entry: Expr) -> list[list[Expr]]:
        return [[entry if i == j else S.Zero for j in range(columns)] for i in range(rows)]

    match block:
        case ZeroMatrix():
            return [[S.Zero] * columns for _ in range(rows)]
        case Identity():
            return square(S.One)
        case DiagMatrix(args=(column,)):
            found = square(S.One)
            for i in range(rows):
                found[i][i] = namer.supremum(_rows(column, i, rows))
            return found
        case MatAdd(args=terms):
            made = [_norms(term, by_size, namer) for term in terms]
            return [[Add(*(m[i][j] for m in made)) for j in range(columns)] for i in range(rows)]
        case MatMul():
            number, rest = split_coefficient(block)
            factors = rest.args if isinstance(rest, MatMul) else (rest,)
            total = _norms(factors[0], by_size, namer)
            for factor in factors[1:]:
                right = _norms(factor, by_size, namer)
                total = [[Add(*(a * b for a, b in zip(row, column, strict=True)))
                          for column in zip(*right, strict=True)] for row in total]  # fmt: skip
            return [[Abs(number) * entry for entry in row] for row in total]
        case Concat(args=parts):
            made = [_norms(part, by_size, namer) for part in parts]
            return [[Add(*(row[j] for m in made for row in m)) for j in range(columns)]]
        case Partial():
            raise TypeError(f"no norm of the bare name {block}")
    return [[namer.norm(_part(block, i, j, rows, columns)) for j in range(columns)]
            for i in range(rows)]  # fmt: skip


def _rows(column: MatrixExpr, i: int, count: int) -> MatrixExpr:
    """Module i of a column."""
    if count == 1:
        return column
    size = column.shape[0] / Integer(count)
    return Rows(column, i * size, size)


def _part(matrix: MatrixExpr, i: int, j: int, rows: int, columns: int) -> MatrixExpr:
    if rows > 1:
        size = matrix.shape[0] / Integer(rows)
        matrix = Rows(matrix, i * size, size)
    if columns > 1:
        size = matrix.shape[1] / Integer(columns)
        matrix = Columns(matrix, j * size, size)
    return matrix


def hyper_period_rate(gamma: Expr, norms: tuple[Expr, ...], periods: tuple[int, ...]) -> Expr:
    """max_i (γ‖W_ii‖)^(1/T_i) of a clockwork whose periods divide the last one.

    N(t) is block upper triangular with rows (γ‖W_ij‖)_j where T_i divides t and e_i elsewhere. So
    is its product over T_g steps, with (γ‖W_ii‖)^(T_g/T_i) on the diagonal, its eigenvalues.
    """
    return Max(*(Pow(gamma * norm, Integer(1) / T) for norm, T in zip(norms, periods, strict=True)))
