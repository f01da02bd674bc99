"""Named quantities: the supremum of each elementwise factor, the norm of each weight.

In: a `Derivation`. Out: names for the numbers from which bounds over many steps are made, what
each of them means, and for each block of the step Jacobian a number that its norm never exceeds.
A supremum is over all admissible steps; what time does not change stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sympy import (
    Abs,
    Add,
    Expr,
    MatAdd,
    MatrixExpr,
    MatrixSymbol,
    Max,
    Mul,
    Number,
    OneMatrix,
    S,
    Symbol,
    Transpose,
    prod,
)
from sympy import ZeroMatrix as Zero
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.fold import Algebra
from derive.calculus.lengths import erases_at_most_twice, short_columns
from derive.calculus.map_norms import norm_of_map
from derive.calculus.through_time import Derivation
from derive.language.expr import Broadcast, Partial, Slope, add, split_coefficient, symbols_of
from derive.language.maps import LinearMap
from derive.language.norms import BlockSup, MaxAbs, Norm, Supremum
from derive.language.syntax import PREVIOUS
from derive.theorems.claims import Relation
from derive.theorems.letters import taken

_UNDER_A_HAT = frozenset(("prev", "tilde"))  # a hat over a subscript would be misread
_NUMBERED = ("d", "delta", "iota", "supremum")


class Dominated(Algebra[Expr]):
    """A number that ‖block‖₂ does not exceed: Σ ‖d_j‖_∞ ‖M_j‖₂ of Σ diag(d_j) M_j.

    By ‖A + B‖ ≤ ‖A‖ + ‖B‖, also for [A; B], ‖AB‖ ≤ ‖A‖‖B‖ and ‖diag(d)‖ = ‖d‖_∞; a named block
    stands for its own bound. The order of terms and factors is kept, unless `evaluate`.
    """

    evaluate = False

    def zero(self, block: Zero) -> Expr:
        """‖0‖ = 0."""
        return S.Zero

    def identity(self, extent: Expr) -> Expr:
        """‖I‖ = 1."""
        return S.One

    def sum(self, terms: Sequence[Expr]) -> Expr:
        """‖A‖ + ‖B‖."""
        return Add(*terms, evaluate=self.evaluate)

    def stack(self, parts: Sequence[Expr]) -> Expr:
        """‖A‖ + ‖B‖."""
        return self.sum(parts)

    def product(self, number: Number, factors: Sequence[Expr]) -> Expr:
        """|c| ‖A‖ ‖B‖."""
        if self.evaluate:
            return Abs(number) * prod(factors)
        kept = [factor for factor in (Abs(number), *factors) if factor != 1] or [S.One]
        return kept[0] if len(kept) == 1 else Mul(*kept, evaluate=False)

    def linear_map(self, block: LinearMap) -> Expr:
        """Σ ‖L_j‖ ‖R_j‖ of D ↦ Σ L_j D R_j."""
        return norm_of_map(block, self)

    def erasing(self, strength: MatrixExpr) -> Expr:
        """max(1, ‖1 + d‖_∞)."""
        return Max(S.One, self.diagonal(add(OneMatrix(*strength.shape), strength)))


class Quantities(Dominated):
    """Names for suprema: f̂ for a column that has a name, d₁, d₂, … for others.

    A block's value is a number that its norm exceeds at no step. With `split`, the supremum of a
    product is bounded by the product of suprema, and that of a slope by its largest value:
    coarser, and the form in which conditions are published.
    """

    def __init__(
        self, derivation: Derivation, *, split: bool = False, evaluate: bool = False
    ) -> None:
        self.split, self.evaluate = split, evaluate
        self.taken = taken(derivation)
        self.fixed = derivation.timeless
        self.forward, self.short = derivation.forward, short_columns(derivation.forward)
        self.contracting: dict[MatrixExpr, None] = {}
        self.names: dict[MatrixExpr | Norm, Symbol] = {}
        self.prefix = next(
            p for p in _NUMBERED if not any(n == p or n.startswith(p + "_") for n in self.taken)
        )

    def is_fixed(self, expr: MatrixExpr) -> bool:
        """Whether time does not change the expression."""
        return self.fixed.issuperset(symbols_of(expr))

    def supremum(self, column: MatrixExpr) -> Expr:
        """A number that no entry of the column exceeds in absolute value, at any step."""
        number, rest = split_coefficient(column)
        if isinstance(rest, Broadcast) and rest.args[0].shape == (1, 1):
            rest = rest.args[0]  # one number in each entry has the name of that number
        if self.split and isinstance(rest, HadamardProduct):
            return Mul(Abs(number), *(self.supremum(factor) for factor in rest.args))
        if self.split and isinstance(rest, MatAdd) and rest.has(HadamardProduct):
            return Mul(Abs(number), Add(*(self.supremum(term) for term in rest.args)))
        if self.split and isinstance(rest, Slope) and not rest.parameters:
            largest = rest.function.largest_slope
            if largest.is_finite:
                return Mul(Abs(number), largest)
        if self.is_fixed(rest):
            return Mul(Abs(number), MaxAbs(rest))
        return Mul(Abs(number), self.name(rest))

    def diagonal(self, column: MatrixExpr) -> Expr:
        """Sup ‖d‖_∞."""
        return self.supremum(column)

    def erasing(self, strength: MatrixExpr) -> Expr:
        """1 where the strength lies in [−2, 0] whatever the weights, which is noted."""
        if erases_at_most_twice(strength, self.forward, self.short):
            self.contracting[strength] = None
            return S.One
        return super().erasing(strength)

    def named(self, block: Partial) -> Expr:
        """The supremum that another line bounds."""
        of, by = block.args
        return BlockSup(of.name, by.name.removesuffix(PREVIOUS))

    def matrix(self, block: MatrixExpr) -> Expr:
        """A number that ‖M‖₂ exceeds at no step; of a column another than its ‖·‖_∞."""
        if self.is_fixed(block):
            return Norm(block)
        upright = block.arg if isinstance(block, Transpose) else block
        return self.name(Norm(upright) if upright.shape[1] == 1 else block)

    def name(self, expr: MatrixExpr | Norm, wanted: str = "") -> Symbol:
        """The symbol of a supremum, of an expression's norm; `wanted` if that is free."""
        if expr not in self.names:
            given = {symbol.name for symbol in self.names.values()} | self.taken
            bare = isinstance(expr, MatrixSymbol) and _UNDER_A_HAT.issuperset(
                expr.name.split("_")[1:]
            )
            plain = f"{expr.name}_hat" if bare else ""
            count = sum(name.name.startswith(f"{self.prefix}_") for name in self.names.values())
            numbered = f"{self.prefix}_{count + 1}"
            text = next(n for n in (wanted, plain, numbered) if n and n not in given)
            self.names[expr] = Symbol(text, nonnegative=True)
        return self.names[expr]

    def relations(self, names: Iterable[Symbol] | None = None) -> tuple[Relation, ...]:
        """What each name means: the supremum of ‖v‖_∞ of a column, of ‖M‖₂ of a matrix."""
        wanted = None if names is None else set(names)
        return tuple(
            Relation(name, "=", Supremum(_measured(e)))
            for e, name in self.names.items() if wanted is None or name in wanted
        )  # fmt: skip


def contracting(derivation: Derivation) -> tuple[MatrixExpr, ...]:
    """The strengths, each in [−2, 0] whatever the weights, by which a step erases."""
    quantities, jacobian = Quantities(derivation), derivation.step_jacobian
    for block in (*(value for _, value in jacobian.named), *jacobian.blocks.values()):
        quantities.of(block)
    return tuple(quantities.contracting)


def _measured(expr: MatrixExpr | Norm) -> Expr:
    """‖v‖_∞ of a column, ‖M‖₂ of a matrix; a norm itself."""
    if isinstance(expr, Norm):
        return expr
    return MaxAbs(expr) if expr.shape[1] == 1 else Norm(expr)
