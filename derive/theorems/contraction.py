"""A step Jacobian diag(φ′(a)) M → the textbook bound (γ‖M‖₂)^{t−k} and what follows from it.

In: a `Derivation` whose step Jacobian is a slope times a matrix that time does not change. Out:
the theorem of Pascanu, Mikolov and Bengio, with γ the largest slope in absolute value.
"""

from __future__ import annotations

from sympy import Basic, MatMul, MatrixExpr, MatrixSymbol, Mul, Pow, S, Symbol
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.cell import Equation
from derive.language.expr import At, Slope, product
from derive.language.norms import Largest, Norm
from derive.theorems.claims import PASCANU, Bound, Line, Relation, Theorem
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
    any_slope = Slope(slope.args[0], MatrixSymbol("u", 1, 1))
    numbers = Relation(gamma, "=", supremum)
    bound = Bound(norm, "upper", Pow(rate, LAG, evaluate=False), (), PASCANU)
    now = At(state, TIME)
    return Theorem(
        name="Contraction",
        assumptions=(
            Line("The norm is the spectral norm: {0} is the largest singular value of {1}.",
                 (Norm(matrix), matrix)),
            Line("The absolute value of {0} is at most {1} for every real {2}; here {3}.",
                 (any_slope, gamma, Symbol("u"), numbers)),
            Line("Nothing is assumed of the inputs, the initial state or the other parameters."),
        ),
        statement=(Line("For all {0},", (Relation(EARLIER, "≤", TIME),)),),
        bound=bound,
        consequences=(
            Line("If {0}, then {1} tends to 0 at least geometrically as {2} grows, whatever the "
                 "inputs: the gradient vanishes. The condition is sufficient.",
                 (Relation(rate, "<", S.One), norm, LAG)),
            Line("If {0} exceeds 1 for some pair {1}, then {2}. For gradients to explode this "
                 "is necessary. It is not sufficient.",
                 (norm, Relation(EARLIER, "<", TIME), Relation(rate, ">", S.One))),
        ),
        proof=(
            Line("By ({0}), one factor is {1}.",
                 (step.number, Relation(local.target, "=", local.value))),
            Line("The norm of a diagonal matrix is its largest entry in absolute value, so {0}.",
                 (Relation(Norm(DiagMatrix(slope_j)), "≤", gamma),)),
            Line("The norm of a product is at most the product of the norms, so {0} for each {1}.",
                 (Relation(Norm(local.target), "≤", rate), FACTOR)),
            Line("The chain ({0}) has {1} such factors. Apply the same inequality to it.",
                 (chain.number, LAG)),
        ),
        silent=(
            Line("{0} does not imply that gradients explode: the slopes {1} may lie far below "
                 "{2}, and a product of {3} may be much smaller than the product of its norms.",
                 (Relation(rate, ">", S.One), slope_j, gamma, matrix)),
            Line("The condition is on the largest singular value of {0}. A bound on its "
                 "eigenvalues, or on its entries, does not imply it.", (matrix,)),
            Line("It bounds the influence of {0} on {1}. The gradient of a parameter sums such "
                 "terms over all pairs, and the terms with {2} near {3} need not be small.",
                 (At(state, EARLIER), now, EARLIER, TIME)),
        ),
        verdict=Line("Vanishes if {0}, for all inputs; can explode only if {1}. Above 1, "
                     "Theorem 1 leaves it undecided. Here {2}, which {3} never exceeds.",
                     (Relation(rate, "<", S.One), Relation(rate, ">", S.One), numbers,
                      any_slope)),
        advice=Line("Watch {0} during training. While it stays below 1, no input lets this cell "
                    "carry a gradient over many steps; above 1, clip the gradient's norm.",
                    (rate,)),
        sources=(PASCANU,),
        rate=rate,
        supremum=supremum,
        matrices=(matrix,),
    )  # fmt: skip
