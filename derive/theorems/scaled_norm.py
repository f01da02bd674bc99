"""The step Jacobian as one matrix closed by a diagonal of unknown numbers: a rate from one norm.

In: a `Derivation`. Out: the theorem: with J_t = A + B Δ (I − D Δ)⁻¹ C for a diagonal Δ, |Δ| ≤ 1,
T invertible and S that commutes with Δ,

    ‖ [T A T⁻¹/r, T B S⁻¹; S C T⁻¹/r, S D S⁻¹] ‖₂ ≤ 1  ⇒  ‖∂s_t/∂s_k‖₂ ≤ ‖T‖₂ ‖T⁻¹‖₂ r^{t−k}.
"""

from __future__ import annotations

from sympy import Add, Integer, MatAdd, MatMul, MatPow, MatrixSymbol, Mul, Pow, S, Symbol
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import diagonal_columns
from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Blocks
from derive.language.norms import Norm
from derive.theorems.claims import BOYD, PACKARD, Bound, Display, Line, Relation, Theorem
from derive.theorems.one_sequence import chain_norm
from derive.theorems.suprema import letter


def scaled_norm(derivation: Derivation) -> Theorem | None:
    """The theorem; None where the step Jacobian has no diagonal factor, or blocks are maps."""
    if derivation.has_matrices or not diagonal_columns(derivation.step_jacobian):
        return None

    def matrix(*names: str) -> MatrixSymbol:
        return MatrixSymbol(letter(derivation, *names), 2, 2)

    def column(*names: str) -> MatrixSymbol:
        return MatrixSymbol(letter(derivation, *names), 2, 1)

    A, B, C, D = matrix("A", "K"), matrix("B", "E"), matrix("C", "F"), matrix("D", "H")
    T, scale = matrix("T", "P"), matrix("S", "Q")
    delta = DiagMatrix(column("delta", "epsilon"))
    x, y = column("v", "u"), column("w", "eta")
    p, q = column("p", "xi"), column("q", "zeta")
    rate = Symbol(letter(derivation, "r", "kappa"))
    norm, _ = chain_norm(derivation)
    jacobian = At(MatrixSymbol(letter(derivation, "J", "M"), 2, 2), TIME)
    chain = derivation.part("chain")[-1]
    back, undone, each = MatPow(T, -1), MatPow(scale, -1), Pow(rate, -1)
    scaled = Blocks(MatMul(each, T, A, back), MatMul(T, B, undone),
                    MatMul(each, scale, C, back), MatMul(scale, D, undone))  # fmt: skip

    def squared(*factors: MatrixSymbol) -> Pow:
        return Pow(Norm(MatMul(*factors)), Integer(2), evaluate=False)

    kept = Relation(
        Add(squared(T, y), squared(scale, q), evaluate=False), "≤",
        Add(Mul(rate**2, squared(T, x), evaluate=False), squared(scale, p), evaluate=False),
    )  # fmt: skip
    shorter = Relation(Norm(MatMul(scale, p)), "≤", Norm(MatMul(scale, q)))
    shrinks = Relation(Norm(MatMul(T, jacobian, x)), "≤",
                       Mul(rate, Norm(MatMul(T, x)), evaluate=False))  # fmt: skip
    constant = (Norm(T), Norm(back))
    return Theorem(
        name="scaled_norm",
        assumptions=(
            Line("scaled_norm.norm", (Norm(T),)),
            Line("scaled_norm.ranges"),
        ),
        statement=(
            Line("scaled_norm.pulled", (delta, jacobian, Relation(y, "=", MatMul(jacobian, x)))),
            Display((
                Relation(y, "=", MatAdd(MatMul(A, x), MatMul(B, p))),
                Relation(q, "=", MatAdd(MatMul(C, x), MatMul(D, p))),
                Relation(p, "=", MatMul(delta, q)),
            )),
            Line("scaled_norm.scaled", (T, scale, delta, Relation(rate, ">", S.Zero))),
            Display((Relation(Norm(scaled), "≤", S.One),)),
            Line("scaled_norm.then", (Relation(EARLIER, "<", TIME),)),
        ),
        bound=Bound(norm, "upper", Mul(*constant, Pow(rate, LAG), evaluate=False)),
        consequences=(
            Line("scaled_norm.decay", (Relation(rate, "<", S.One), norm, LAG)),
            Line("scaled_norm.search", (T, scale)),
        ),
        proof=(
            Line("scaled_norm.folded", (delta,)),
            Line("scaled_norm.commutes", (scale, delta, shorter)),
            Line("scaled_norm.two_squares", (kept, shrinks)),
            Line("scaled_norm.product", (chain.number, LAG, T, back)),
        ),
        silent=(
            Line("scaled_norm.silent_apart", (delta,)),
            Line("scaled_norm.silent_ranges"),
        ),
        sources=(PACKARD, BOYD),
    )  # fmt: skip
