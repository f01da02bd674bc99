"""Named quantities: the supremum of each elementwise factor, the norm of each weight.

In: a `Derivation`. Out: names for the numbers from which bounds over many steps are made, what
each of them means, and for each block of the step Jacobian a number that its norm never exceeds.
A supremum is over all admissible steps; what time does not change stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Abs, Add, Expr, Identity, MatAdd, MatMul, MatrixExpr, MatrixSymbol, Mul, S, Symbol
from sympy import ZeroMatrix as Zero
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.through_time import Derivation
from derive.cell import timeless_symbols
from derive.language.expr import Concat, Partial, Slope, split_coefficient, symbols_of
from derive.language.norms import BlockSup, MaxAbs, Norm, Supremum
from derive.theorems.claims import Relation

_UNDER_A_HAT = frozenset(("prev", "tilde"))  # a hat over a subscript would be misread
_NUMBERED = ("d", "delta", "q", "supremum")


def taken(derivation: Derivation) -> set[str]:
    """The names that the cell and its intermediates use."""
    cell = derivation.cell
    symbols = (*cell.inputs, *cell.states, *cell.parameters, *cell.constants)
    return {s.name for s in symbols} | {e.target.name for e in derivation.forward}


def letter(derivation: Derivation, *choices: str) -> str:
    """The first of the names that the cell does not use, neither alone nor under an accent.

    A cell that uses all of them gets the first one with a subscript.
    """
    used = {name.split("_")[0] for name in taken(derivation)} | taken(derivation)
    return next((c for c in choices if c not in used), f"{choices[0]}_star")


class Quantities:
    """Names for suprema: f̂ for a column that has a name, d₁, d₂, … for others.

    With `split`, the supremum of a product is bounded by the product of suprema, and that of a
    slope by its largest value: coarser, and the form in which conditions are published.
    """

    def __init__(self, derivation: Derivation, *, split: bool = False) -> None:
        self.split = split
        self.taken = taken(derivation)
        self.fixed = timeless_symbols(derivation.cell, derivation.forward)
        self.names: dict[MatrixExpr, Symbol] = {}
        self.prefix = next(
            p for p in _NUMBERED if not any(n == p or n.startswith(p + "_") for n in self.taken)
        )

    def is_fixed(self, expr: MatrixExpr) -> bool:
        """Whether time does not change the expression."""
        return self.fixed.issuperset(symbols_of(expr))

    def supremum(self, column: MatrixExpr) -> Expr:
        """A number that no entry of the column exceeds in absolute value, at any step."""
        number, rest = split_coefficient(column)
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

    def norm(self, matrix: MatrixExpr) -> Expr:
        """A number that ‖M‖₂ exceeds at no step."""
        return Norm(matrix) if self.is_fixed(matrix) else self.name(matrix)

    def name(self, expr: MatrixExpr, wanted: str = "") -> Symbol:
        """The symbol of a supremum; `wanted` if that is free."""
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
            Relation(name, "=", Supremum(MaxAbs(e) if e.shape[1] == 1 else Norm(e)))
            for e, name in self.names.items() if wanted is None or name in wanted
        )  # fmt: skip

    def dominate(self, block: MatrixExpr) -> Expr:
        """A number that ‖block‖₂ exceeds at no step, in the order of the block's terms.

        By ‖A + B‖ ≤ ‖A‖ + ‖B‖, ‖AB‖ ≤ ‖A‖‖B‖ and ‖diag(d)‖ = ‖d‖_∞; a named block stands for
        its own bound.
        """
        match block:
            case Zero():
                return S.Zero
            case Identity():
                return S.One
            case DiagMatrix(args=(column,)):
                return self.supremum(column)
            case Partial(args=(of, by)):
                return BlockSup(of.name, str(by.name).removesuffix("_prev"))
            case MatAdd(args=parts) | Concat(args=parts):
                return Add(*map(self.dominate, parts), evaluate=False)
            case MatMul():
                number, rest = split_coefficient(block)
                factors = rest.args if isinstance(rest, MatMul) else (rest,)
                found = [Abs(number), *map(self.dominate, factors)]
                kept = [factor for factor in found if factor != 1] or [S.One]
                return kept[0] if len(kept) == 1 else Mul(*kept, evaluate=False)
        return self.norm(block)
