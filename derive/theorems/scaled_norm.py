"""The step Jacobian as one matrix closed by a diagonal of unknown numbers: a rate from one norm.

In: a `Derivation`. Out: the theorem: with J_t = A + B Δ (I − D Δ)⁻¹ C for a diagonal Δ, |Δ| ≤ 1,
P invertible and S that commutes with Δ,

    ‖ [P A P⁻¹/r, P B S⁻¹; S C P⁻¹/r, S D S⁻¹] ‖₂ ≤ 1  ⇒  ‖∂s_t/∂s_k‖₂ ≤ ‖P‖₂ ‖P⁻¹‖₂ r^{t−k}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sympy import Add, Integer, MatAdd, MatMul, MatPow, MatrixExpr, MatrixSymbol, Mul, Pow, S
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import diagonal_columns
from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Blocks, Concat, Partial, symbols_of
from derive.language.norms import Norm
from derive.theorems.claims import BOYD, PACKARD, Bound, Display, Line, Relation, Theorem
from derive.theorems.letters import RATE, Letters
from derive.theorems.one_sequence import chain_norm, entries_of

SCALINGS: Final = "scaled_norm.search"
"""The line whose slots are P and S."""


def moves(derivation: Derivation) -> bool:
    """Whether anything of the step Jacobian but its diagonals changes with time."""
    jacobian = derivation.step_jacobian
    written = (*(value for _, value in jacobian.named), *jacobian.blocks.values())
    return any(
        not derivation.timeless.issuperset(symbols_of(part))
        for block in written for part in _beside_diagonals(block)
    )  # fmt: skip


def _beside_diagonals(block: MatrixExpr) -> Iterator[MatrixExpr]:
    """The factors and terms of a block that are no diagonal matrix and stand for themselves."""
    if isinstance(block, (MatAdd, MatMul, Concat)):
        for part in block.args:
            if isinstance(part, MatrixExpr):
                yield from _beside_diagonals(part)
    elif not isinstance(block, (DiagMatrix, Partial)):
        yield block


def scaled_norm(derivation: Derivation) -> Theorem | None:
    """The theorem; None where the step Jacobian has no diagonal factor, or blocks are maps."""
    if derivation.has_matrices or not diagonal_columns(derivation.step_jacobian):
        return None
    moving = moves(derivation)

    letters = Letters(derivation)
    matrix, column = letters.matrix, letters.column
    A, B = matrix("A", "K", "U"), matrix("B", "E", "V")
    C, D = matrix("C", "F", "X"), matrix("D", "H", "Y")
    P, scale = matrix("P", "R", "Y"), matrix("S", "Q", "Z")
    delta = DiagMatrix(column("delta", "epsilon", "theta"))
    x, y = column("v", "u", "chi"), column("w", "eta", "mu")
    p, q = column("p", "xi", "pi"), column("q", "zeta", "omega")
    d = entries_of(letters)
    rate = letters.number(*RATE)
    norm, _ = chain_norm(derivation)
    jacobian = At(matrix("J", "M", "G"), TIME)
    chain = derivation.part("chain")[-1]
    back, undone, each = MatPow(P, -1), MatPow(scale, -1), Pow(rate, -1)
    scaled = Blocks(MatMul(each, P, A, back), MatMul(P, B, undone),
                    MatMul(each, scale, C, back), MatMul(scale, D, undone))  # fmt: skip

    def squared(*factors: MatrixSymbol) -> Pow:
        return Pow(Norm(MatMul(*factors)), Integer(2), evaluate=False)

    kept = Relation(
        Add(squared(P, y), squared(scale, q), evaluate=False), "≤",
        Add(Mul(rate**2, squared(P, x), evaluate=False), squared(scale, p), evaluate=False),
    )  # fmt: skip
    shorter = Relation(Norm(MatMul(scale, p)), "≤", Norm(MatMul(scale, q)))
    shrinks = Relation(Norm(MatMul(P, jacobian, x)), "≤",
                       Mul(rate, Norm(MatMul(P, x)), evaluate=False))  # fmt: skip
    constant = (Norm(P), Norm(back))
    return Theorem(
        name="scaled_norm",
        assumptions=(
            Line("scaled_norm.norm", (Norm(P),)),
            Line("scaled_norm.ranges", (d, DiagMatrix(d))),
        ),
        statement=(
            Line("scaled_norm.pulled_moving" if moving else "scaled_norm.pulled",
                 (delta, jacobian, Relation(y, "=", MatMul(jacobian, x)))),
            Display((
                Relation(y, "=", MatAdd(MatMul(A, x), MatMul(B, p))),
                Relation(q, "=", MatAdd(MatMul(C, x), MatMul(D, p))),
                Relation(p, "=", MatMul(delta, q)),
            )),
            Line("scaled_norm.scaled_moving" if moving else "scaled_norm.scaled",
                 (P, scale, delta, Relation(rate, ">", S.Zero))),
            Display((Relation(Norm(scaled), "≤", S.One),)),
            Line("scaled_norm.then", (Relation(EARLIER, "<", TIME),)),
        ),
        bound=Bound(norm, "upper", Mul(*constant, Pow(rate, LAG), evaluate=False)),
        consequences=(
            Line("scaled_norm.decay", (Relation(rate, "<", S.One), norm, LAG)),
            Line(SCALINGS, (P, scale)),
        ),
        proof=(
            Line("scaled_norm.folded", (delta, DiagMatrix(d))),
            Line("scaled_norm.commutes", (scale, delta, shorter)),
            Line("scaled_norm.two_squares", (kept, shrinks)),
            Line("scaled_norm.product", (chain.number, LAG, P, back)),
        ),
        silent=(
            Line("scaled_norm.silent_apart", (delta,)),
            Line("scaled_norm.silent_ranges"),
        ),
        sources=(PACKARD, BOYD),
    )  # fmt: skip
