"""Lower bounds where the step Jacobian is a product, and where its determinant has a closed form.

In: a `Derivation`. Out: det J_t where it has a closed form; a bound of σ_min over several steps;
‖P‖₂ ≥ |det P|^{1/d}; and why no certificate σ_min > 1 over a whole box of states can exist.
"""

from __future__ import annotations

from typing import Final

from sympy import Abs, Expr, MatMul, MatrixExpr, MatrixSymbol, Mul, OneMatrix, Pow, S
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.language.expr import (
    At,
    Elementwise,
    Partial,
    add,
    hadamard,
    product,
    split_coefficient,
    symbols_of,
)
from derive.language.norms import Determinant, EntryProduct, MinAbs, Norm, SingularMin, StepProduct
from derive.theorems.carousel import find_carousel
from derive.theorems.claims import Bound, Line, Relation, Theorem
from derive.theorems.contraction import diagonal_times_matrix, shifted
from derive.theorems.letters import Letters
from derive.theorems.one_sequence import chain_norm, direction, entries_of, factors

_ANY_TRAJECTORY: Final = Line("shared.one_trajectory")


def smallest_singular_value(derivation: Derivation) -> Theorem | None:
    """σ_min(∂h_t/∂h_k) ≥ ∏_j min_i |d_j,i| · σ_min(M)^{t−k}, for J = diag(d_j) M and its like."""
    found = _product_form(derivation)
    if found is None:
        return None
    columns, matrices = found
    letters = Letters(derivation)
    A, B = factors(letters)
    d, y = entries_of(letters), direction(letters)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    norm, target = chain_norm(derivation)
    slopes = [MinAbs(shifted(column)) for column in columns]
    body = slopes[0] if len(slopes) == 1 else Mul(*slopes, evaluate=False)
    over = StepProduct(body, FACTOR, TIME, EARLIER + 1)
    powers = [Pow(SingularMin(matrix), LAG, evaluate=False) for matrix in matrices]
    lower = Mul(*powers, over, evaluate=False) if powers else over
    local = SingularMin(Partial(*(shifted(side) for side in step.equation.target.args)))
    one = Mul(*(SingularMin(matrix) for matrix in matrices), *slopes, evaluate=False) if (
        matrices) else body  # fmt: skip
    return Theorem(
        name="smallest_singular_value",
        assumptions=(
            Line("smallest_singular_value.defined", (SingularMin(A), A)),
            _ANY_TRAJECTORY,
        ),
        statement=(Line("shared.for_all", (Relation(EARLIER, "≤", TIME),)),),
        bound=Bound(SingularMin(target), "lower", lower),
        consequences=(
            Line("smallest_singular_value.growth", (norm,)),
        ),
        proof=(
            Line("smallest_singular_value.product", (Relation(SingularMin(MatMul(A, B)), "≥",
                  Mul(SingularMin(A), SingularMin(B), evaluate=False)),
                  Norm(MatMul(A, B, y)), SingularMin(A), MatMul(B, y))),
            Line("smallest_singular_value.diagonal", (
                  Relation(SingularMin(DiagMatrix(d)), "=", MinAbs(d)),)),
            Line("smallest_singular_value.one_factor", (step.number, Relation(local, "≥", one),
                  chain.number, LAG)),
        ),
        silent=(
            Line("smallest_singular_value.silent_unit"),
            *((Line("smallest_singular_value.silent_singular"),) if matrices else ()),
        ),
    )  # fmt: skip


def _product_form(
    derivation: Derivation,
) -> tuple[tuple[MatrixExpr, ...], tuple[MatrixExpr, ...]] | None:
    """The diagonals and the constant square matrices whose product the step Jacobian is."""
    if len(derivation.cell.states) != 1:
        return None
    value = derivation.part("jacobian")[-1].equation.value
    number, rest = split_coefficient(value)
    if number != 1:
        return None
    columns: list[MatrixExpr] = []
    matrices: list[MatrixExpr] = []
    fixed = derivation.timeless
    for factor in rest.args if isinstance(rest, MatMul) else (rest,):
        if isinstance(factor, DiagMatrix):
            columns.append(factor.args[0])
        elif factor.shape == value.shape and fixed.issuperset(symbols_of(factor)):
            matrices.append(factor)
        else:
            return None
    return (tuple(columns), tuple(matrices)) if columns else None


def volume(derivation: Derivation) -> Theorem | None:
    """‖∂s_t/∂s_k‖₂ ≥ ∏_j |det J_j|^{1/d}, where det J_j has a closed form."""
    found = determinant(derivation)
    if found is None:
        return None
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    norm, target = chain_norm(derivation)
    size = target.shape[0]
    single = len(derivation.cell.states) == 1
    local: MatrixExpr = (
        Partial(*(shifted(side) for side in step.equation.target.args)) if single
        else At(derivation.chain.value.args[0].args[0], FACTOR)
    )  # fmt: skip
    written = _absolute(_at(found))
    whole = StepProduct(Abs(Determinant(local), evaluate=False), FACTOR, TIME, EARLIER + 1)
    bound = Pow(whole, 1 / size, evaluate=False)
    return Theorem(
        name="volume",
        assumptions=(
            _ANY_TRAJECTORY,
        ),
        statement=(Line("shared.for_all", (Relation(EARLIER, "≤", TIME),)),),
        bound=Bound(norm, "lower", bound),
        entries=(Relation(Abs(Determinant(local), evaluate=False), "=", written),),
        consequences=(
            Line("volume.decay", (SingularMin(target),)),
        ),
        proof=(
            Line("volume.geometric_mean", (size,)),
            Line("volume.product", (chain.number,)),
            _one_step(found, single=single),
        ),
        silent=(
            Line("volume.silent"),
        ),
    )  # fmt: skip


def _at(expr: Expr) -> Expr:
    """The closed form of step t at step j."""
    if isinstance(expr, Mul):
        return Mul(*map(_at, expr.args), evaluate=False)
    return EntryProduct(shifted(expr.args[0])) if isinstance(expr, EntryProduct) else expr


def _absolute(expr: Expr) -> Expr:
    factors = expr.args if isinstance(expr, Mul) else (expr,)
    return Mul(*(Abs(factor, evaluate=False) for factor in factors), evaluate=False)


def _one_step(expr: Expr, *, single: bool) -> Line:
    """Why one step has that determinant."""
    if single:
        return Line("volume.diagonal")
    found = [determinant.args[0] for determinant in expr.atoms(Determinant)]
    return Line("volume.triangular", (found[0],)) if found else Line("volume.diagonals")


def no_uniform_explosion(derivation: Derivation) -> Theorem | None:
    """For h = φ(Mh_prev + u), φ bounded and increasing: inf σ_min(∂h_t/∂h_k) ≤ 1 over the box."""
    simple = diagonal_times_matrix(derivation)
    state = derivation.cell.states[0]
    equation = next(e for e in derivation.forward if e.target == state)
    if simple is None or not isinstance(equation.value, Elementwise) or equation.value.parameters:
        return None
    slope, matrix = simple
    function = slope.function
    low, high = function.range.inf, function.range.sup
    # A slope that is never negative and has no kink belongs to a strictly increasing function.
    increasing = function.slope_range.inf >= 0 and not function.kink
    bounded = low.is_finite and high.is_finite
    if equation.value.function != function or not (increasing and bounded):
        return None
    _, target = chain_norm(derivation)
    least = SingularMin(target)
    letters = Letters(derivation)
    unit = MatrixSymbol(letters("u", "w", "eta"), *state.shape)
    box = letters.number("B", "Q", "Z")
    map_ = Elementwise(function.name, add(product(matrix, state), unit))
    any_ = Elementwise(function.name, MatrixSymbol(letters("y", "v", "xi"), 1, 1))
    step = derivation.part("jacobian")[-1]
    return Theorem(
        name="no_uniform_explosion",
        assumptions=(
            Line("no_uniform_explosion.invertible", (matrix, Relation(least, "=", S.Zero),
                  Relation(EARLIER, "<", TIME))),
            Line("no_uniform_explosion.box", (box, low, high)),
        ),
        statement=(Line("no_uniform_explosion.statement", (Relation(EARLIER, "<", TIME),
                         At(state, EARLIER), box)),),
        bound=Bound(least, "upper", S.One),
        consequences=(
            Line("no_uniform_explosion.no_certificate", (least,)),
        ),
        proof=(
            Line("no_uniform_explosion.one_step", (map_, unit, state, any_, matrix, box,
                  LAG)),
            Line("no_uniform_explosion.integral", (Abs(Determinant(target), evaluate=False),
                  box)),
            Line("no_uniform_explosion.smallest", (step.number,)),
        ),
        silent=(
            Line("no_uniform_explosion.silent", (Norm(target),)),
        ),
    )  # fmt: skip


def determinant(derivation: Derivation) -> Expr | None:
    """∏_i v_i · det W, if the step Jacobian is diag(v) W or can be reduced to such blocks.

    Two states: if J_pp = diag(a), J_qp = diag(ψ) J_pp and J_qq = R + diag(ψ) J_pq, then
    det J = ∏_i a_i · det R, since adding a multiple of one block row to another changes nothing.
    """
    names = [state.name for state in derivation.cell.states]
    if len(names) == 1:
        block = derivation.step_jacobian.blocks[names[0], names[0]]
        named = dict(derivation.step_jacobian.named)
        return _closed(derivation, named.get(block, block), OneMatrix(block.shape[0], 1))
    found = find_carousel(derivation)
    return None if found is None else _closed(derivation, found.rest, found.kept)


def _closed(derivation: Derivation, block: MatrixExpr, other: MatrixExpr) -> Expr | None:
    """∏_i (other ⊙ d)_i det M of the block diag(d) M, at step t."""
    fixed = derivation.timeless
    clock = derivation.clock
    match block:
        case DiagMatrix(args=(vector,)):
            return EntryProduct(clock.at(hadamard(other, vector), TIME))
        case MatMul(args=(DiagMatrix(args=(vector,)), matrix)) if fixed.issuperset(
            symbols_of(matrix)
        ):
            entries = EntryProduct(clock.at(hadamard(other, vector), TIME))
            return Mul(entries, Determinant(matrix), evaluate=False)
    return None
