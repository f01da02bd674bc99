"""A step Jacobian diag(φ′(a)) M → the textbook bound (γ‖M‖₂)^{t−k} and what follows from it.

In: a `Derivation` whose step Jacobian is a slope times a matrix that time does not change. Out:
the theorem of Pascanu, Mikolov and Bengio, with γ the largest slope in absolute value.
"""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Basic, Expr, MatMul, MatrixExpr, MatrixSymbol, Mul, Pow, S, Symbol
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.cell import Equation
from derive.language.expr import At, Slope, product
from derive.language.norms import Largest, Norm
from derive.theorems.claims import PASCANU, Bound, Line, Relation, Theorem
from derive.theorems.letters import Letters
from derive.theorems.one_sequence import chain_norm


def shifted(expr: Basic) -> MatrixExpr:
    """The expression of step t at step j."""
    if expr == TIME:
        return FACTOR
    if not expr.args or isinstance(expr, MatrixSymbol):
        return expr
    if isinstance(expr, At):
        return At(expr.args[0], expr.args[1] - TIME + FACTOR)
    return expr.func(*map(shifted, expr.args))


def diagonal_times_matrix(derivation: Derivation) -> tuple[Slope, MatrixExpr] | None:
    """(φ′(a), M) if the cell has one state and J = diag(φ′(a)) M with M free of time."""
    if len(derivation.cell.states) != 1:
        return None
    value = derivation.part("jacobian")[-1].equation.value
    match value:
        case MatMul(args=(DiagMatrix(args=(Slope() as slope,)), *rest)):
            matrix = product(*rest)
            finite = slope.function.largest_slope.is_finite
            if matrix.has(At) or slope.parameters or not finite:
                return None
            return slope, matrix
    return None


def is_free(derivation: Derivation, matrix: MatrixExpr) -> bool:
    """Whether M may be any matrix: a weight that is no number.

    What is made of weights may be normal, as W − Wᵀ is: then its eigenvalues give its norm, and
    the norms of its powers are the powers of its norm.
    """
    return matrix in derivation.cell.parameters and matrix.shape[0] != 1


def _loose(derivation: Derivation, rate: Expr, slope: Slope, matrix: MatrixExpr) -> Iterator[Line]:
    """Why the bound may be far from the norm."""
    above, gamma = Relation(rate, ">", S.One), Largest(slope.function.name)
    constant = slope.function.slope_range.measure == 0
    if not is_free(derivation, matrix):
        if not constant:
            yield Line("contraction.silent_slopes_alone", (above, slope, gamma))
    elif constant:
        yield Line("contraction.silent_norms", (above, matrix))
    else:
        yield Line("contraction.silent_slopes", (above, slope, gamma, matrix))


def contraction(derivation: Derivation, slope: Slope, matrix: MatrixExpr) -> Theorem:
    """‖∂h_t/∂h_k‖₂ ≤ (γ‖W‖₂)^{t−k}."""
    state = derivation.cell.states[0]
    gamma, supremum = Largest(slope.function.name), slope.function.largest_slope
    rate = Mul(gamma, Norm(matrix), evaluate=False)
    norm, _ = chain_norm(derivation)
    step = derivation.part("jacobian")[-1]
    chain = derivation.part("chain")[-1]
    local = Equation(*(shifted(side) for side in (step.equation.target, step.equation.value)))
    slope_j = local.value.args[0].args[0]
    u = Letters(derivation)("u", "v", "xi")
    any_slope = Slope(slope.args[0], MatrixSymbol(u, 1, 1))
    numbers = Relation(gamma, "=", supremum)
    bound = Bound(norm, "upper", Pow(rate, LAG, evaluate=False))
    now = At(state, TIME)
    return Theorem(
        name="contraction",
        assumptions=(
            Line("contraction.norm", (Norm(matrix), matrix)),
            Line("contraction.slope", (any_slope, gamma, Symbol(u), numbers)),
            Line("contraction.nothing_else"),
        ),
        statement=(Line("shared.for_all", (Relation(EARLIER, "≤", TIME),)),),
        bound=bound,
        consequences=(
            Line("contraction.decay", (Relation(rate, "<", S.One), norm, LAG)),
            Line("contraction.growth", (norm, Relation(EARLIER, "<", TIME),
                  Relation(rate, ">", S.One))),
        ),
        proof=(
            Line("contraction.one_factor", (step.number, Relation(local.target, "=", local.value))),
            Line("contraction.diagonal", (Relation(Norm(DiagMatrix(slope_j)), "≤", gamma),)),
            Line("contraction.product", (Relation(Norm(local.target), "≤", rate), FACTOR)),
            Line("contraction.chain", (chain.number, LAG)),
        ),
        silent=(
            *_loose(derivation, rate, slope_j, matrix),
            *((Line("contraction.silent_eigenvalues", (matrix,)),)
              if is_free(derivation, matrix) else ()),
            Line("contraction.silent_sum", (At(state, EARLIER), now, EARLIER, TIME)),
        ),
        verdict=(
            Line("contraction.verdict", (Relation(rate, "<", S.One), Relation(rate, ">", S.One))),
            Line("contraction.undecided"),
            Line("contraction.here", (numbers, any_slope)),
        ),
        advice=(Line("contraction.advice", (rate,)),),
        sources=(PASCANU,),
        rate=rate,
        supremum=supremum,
        matrices=(matrix,),
    )  # fmt: skip
