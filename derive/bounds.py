"""Step Jacobian → what is certain about how ∂s_t/∂s_k grows or decays, with every assumption.

In: a `Derivation`. Out: `Theorem`: a statement, its assumptions, a proof in steps, what it does
not say; and its `Bound` as an expression. A theorem is a template whose slots hold derived
expressions. Norms of matrices are spectral norms ‖·‖₂ throughout.
"""

from __future__ import annotations

from typing import Final

from sympy import (
    Abs,
    Add,
    Basic,
    Expr,
    Identity,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    Pow,
    S,
    Symbol,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix

from derive.bptt import EARLIER, FACTOR, TIME, Derivation
from derive.cell import Equation
from derive.claims import Bound, Line, Relation, Theorem
from derive.expr import At, Concat, Partial, Slope, TimeProduct, product, split_coefficient
from derive.functions import FUNCTIONS
from derive.norms import BlockBound, Largest, MaxAbs, Norm, Radius

PASCANU: Final = (
    "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, "
    "ICML, arXiv:1211.5063"
)
TERZI: Final = (
    "Terzi, Bonassi, Farina and Scattolini 2021, Learning model predictive control with long "
    "short-term memory networks"
)
MILLER: Final = "Miller and Hardt 2019, Stable recurrent models, ICLR, arXiv:1805.10369"


BONASSI: Final = (
    "Bonassi, Farina and Scattolini 2021, On the stability properties of gated recurrent units "
    "neural networks, arXiv:2011.06806"
)
_A, _B, _M = (MatrixSymbol(name, 2, 2) for name in "ABM")
_D, _Y = MatrixSymbol("d", 2, 1), MatrixSymbol("y", 2, 1)


_INEQUALITIES: Final = (
    Relation(Norm(MatAdd(_A, _B)), "≤", Add(Norm(_A), Norm(_B), evaluate=False)),
    Relation(Norm(MatMul(_A, _B)), "≤", Mul(Norm(_A), Norm(_B), evaluate=False)),
    Relation(Norm(DiagMatrix(_D)), "=", MaxAbs(_D)),
)


_ONE_TRAJECTORY: Final = Line(
    "It speaks of one trajectory. For all inputs at once, the entries need bounds on the gates "
    "and states that hold for all inputs."
)
_LOOSE: Final = Line(
    "A large right side does not imply that gradients explode: each inequality of the proof may "
    "be far from equality."
)


def dominate(block: MatrixExpr, time: Expr = TIME) -> Expr:
    """A number that ‖block‖₂ does not exceed: Σ ‖d_j‖_∞ ‖M_j‖₂ of Σ diag(d_j) M_j.

    By ‖A + B‖ ≤ ‖A‖ + ‖B‖, ‖AB‖ ≤ ‖A‖‖B‖ and ‖diag(d)‖ = ‖d‖_∞; a named block stands for
    its own bound. The order of terms and factors is kept.
    """
    match block:
        case ZeroMatrix():
            return S.Zero
        case Identity():
            return S.One
        case DiagMatrix(args=(vector,)):
            return MaxAbs(vector)
        case Partial(args=(of, by)):
            return BlockBound(_name(of), _name(by), time)
        case MatAdd(args=terms):
            return Add(*(dominate(term, time) for term in terms), evaluate=False)
        case Concat(args=parts):
            return Add(*(dominate(part, time) for part in parts), evaluate=False)
        case MatMul():
            number, rest = split_coefficient(block)
            factors = rest.args if isinstance(rest, MatMul) else (rest,)
            bounds = [dominate(factor, time) for factor in factors]
            bounds = [bound for bound in bounds if bound != 1] or [S.One]
            lead = [] if abs(number) == 1 else [Abs(number)]
            parts = [*lead, *bounds]
            return parts[0] if len(parts) == 1 else Mul(*parts, evaluate=False)
    return Norm(block)


def domination(derivation: Derivation) -> tuple[Relation, ...]:
    """N_ab,t = … for every block of the step Jacobian, names before their use."""
    found = []
    for step in derivation.part("jacobian"):
        of, by = step.equation.target.args
        left = BlockBound(_name(of), _name(by), TIME)
        found.append(Relation(left, "=", dominate(step.equation.value)))
    return tuple(found)


def theorem(derivation: Derivation) -> Theorem:
    """The strongest statement of this module that the cell's step Jacobian admits."""
    simple = _diagonal_times_matrix(derivation)
    if simple is not None:
        return _contraction(derivation, *simple)
    return (
        _block_domination(derivation) if len(derivation.cell.states) > 1 else _stepwise(derivation)
    )


def _shifted(expr: Basic) -> MatrixExpr:
    """The expression of step t at step j."""
    if expr == TIME:
        return FACTOR
    if not expr.args or isinstance(expr, MatrixSymbol):
        return expr
    if isinstance(expr, At):
        return At(expr.args[0], expr.args[1] - TIME + FACTOR)
    return expr.func(*map(_shifted, expr.args))


def _name(symbol: MatrixExpr) -> str:
    symbol = symbol.args[0] if isinstance(symbol, At) else symbol
    return str(symbol.name).removesuffix("_prev")


def _diagonal_times_matrix(derivation: Derivation) -> tuple[Slope, MatrixExpr] | None:
    """(φ′(a), M) if the cell has one state and J = diag(φ′(a)) M with M free of time."""
    if len(derivation.cell.states) != 1:
        return None
    value = derivation.part("jacobian")[-1].equation.value
    match value:
        case MatMul(args=(DiagMatrix(args=(Slope() as slope,)), *rest)):
            matrix = product(*rest)
            bounded = FUNCTIONS[slope.function.name].slope_range
            finite = bounded.inf.is_finite and bounded.sup.is_finite
            if matrix.has(At) or slope.parameters or not finite:
                return None
            return slope, matrix
    return None


def _sup(slope: Slope) -> Expr:
    found = slope.function.slope_range
    return max(abs(found.inf), abs(found.sup))


def _chain_norm(derivation: Derivation) -> tuple[Expr, Partial]:
    target = derivation.chain.target
    return Norm(target), target


def _contraction(derivation: Derivation, slope: Slope, matrix: MatrixExpr) -> Theorem:
    """‖∂h_t/∂h_k‖₂ ≤ (γ‖W‖₂)^{t−k}."""
    state = derivation.cell.states[0]
    gamma, supremum = Largest(slope.function.name), _sup(slope)
    rate = Mul(gamma, Norm(matrix), evaluate=False)
    lag = TIME - EARLIER
    norm, _ = _chain_norm(derivation)
    step = derivation.part("jacobian")[-1]
    chain = derivation.part("chain")[-1]
    local = Equation(*(_shifted(side) for side in (step.equation.target, step.equation.value)))
    slope_j = local.value.args[0].args[0]
    any_slope = Slope(slope.args[0], MatrixSymbol("u", 1, 1))
    numbers = Relation(gamma, "=", supremum)
    bound = Bound(norm, "upper", Pow(rate, lag, evaluate=False), (), PASCANU)
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
                 (Relation(rate, "<", S.One), norm, lag)),
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
                 (chain.number, lag)),
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


def _block_domination(derivation: Derivation) -> Theorem:
    """‖∂s_t/∂s_k‖₂ ≤ ‖N_t ⋯ N_{k+1}‖₂, by blocks and as a whole."""
    states = derivation.cell.states
    order = len(states)
    norm, target = _chain_norm(derivation)
    bounding, fixed = MatrixSymbol("N", order, order), MatrixSymbol("N_hat", order, order)
    whole = TimeProduct(At(bounding, FACTOR), FACTOR, TIME, EARLIER + 1)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    lag = TIME - EARLIER
    small = Relation(Radius(fixed), "<", S.One)
    pair = Relation(EARLIER, "<", TIME)
    below = Relation(At(bounding, TIME), "≤", fixed)
    first, last = states[0], states[-1]
    block = Norm(Partial(At(first, TIME), At(last, EARLIER)))
    one_block = Norm(Partial(At(first, TIME), At(last, TIME - 1)))
    bounded = Norm(whole)
    return Theorem(
        name="Block domination",
        assumptions=(
            Line("{0} is the spectral norm, for the whole Jacobian and for each block; {1} is the "
                 "largest absolute value of an entry.", (Norm(_M), MaxAbs(_D))),
            Line("Gates and states take the values of one trajectory at the steps {0}, …, {1}. "
                 "Nothing else is assumed.", (EARLIER + 1, TIME)),
        ),
        statement=(
            Line(f"Let {{0}} be the {order} × {order} matrix with the entries below. Then for "
                 "all {1},", (At(bounding, TIME), pair)),
        ),
        bound=Bound(norm, "upper", bounded, (), "submultiplicativity of the norm"),
        consequences=(
            Line("The same holds block by block: {0} is at most the entry of {1} in the row of "
                 "{2} and the column of {3}.", (block, whole, first, last)),
            Line("If {0} entry by entry at every step, with a fixed {1} such that {2}, then {3} "
                 "tends to 0 geometrically as {4} grows: the gradient vanishes along that "
                 "trajectory. The condition is sufficient.", (below, fixed, small, norm, lag)),
            Line("If {0} exceeds 1 for some pair {1}, then so does {2}. For gradients to explode "
                 "this is necessary. It is not sufficient.", (norm, pair, bounded)),
        ),
        proof=(
            Line("{0}, {1} and {2}. Applied to the blocks of the step Jacobian, up to ({3}), these "
                 "give {4}, and the like for every block.",
                 (*_INEQUALITIES, step.number,
                  Relation(one_block, "≤", BlockBound(first.name, last.name, TIME)))),
            Line("A block of a product is a sum of products of blocks. By induction over the "
                 "factors of ({0}), the norm of each block of {1} is at most the entry of {2} in "
                 "its place.", (chain.number, target, whole)),
            Line("Let {0} be a vector. The norms of the parts of {1} are at most {2} applied to "
                 "the norms of the parts of {0}. The Euclidean lengths of these two vectors of "
                 "norms give the bound.", (_Y, MatMul(target, _Y), whole)),
            Line("All entries are nonnegative. So {0} at every step gives {1}, which decays "
                 "geometrically if {2}.",
                 (below, Relation(bounded, "≤", Norm(MatPow(fixed, lag))), small)),
        ),
        silent=(_ONE_TRAJECTORY, _LOOSE, *_carousel(derivation)),
        verdict=Line("Undecided without a trajectory. Along one, it vanishes if the matrices {0} "
                     "of Theorem 1 stay below a fixed {1} with {2}, and can explode only if "
                     "their product does.", (At(bounding, TIME), fixed, small)),
        advice=_measure(norm),
        sources=(MILLER, TERZI, BONASSI),
        entries=domination(derivation),
    )  # fmt: skip


def _stepwise(derivation: Derivation) -> Theorem:
    """‖∂h_t/∂h_k‖₂ ≤ N_t ⋯ N_{k+1}, numbers; for one state."""
    state = derivation.cell.states[0]
    norm, _ = _chain_norm(derivation)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    entry = BlockBound(state.name, state.name, TIME)
    entry_j = BlockBound(state.name, state.name, FACTOR)
    whole = TimeProduct(entry_j, FACTOR, TIME, EARLIER + 1)
    rate, lag = Symbol("r"), TIME - EARLIER
    small = Relation(rate, "<", S.One)
    pair = Relation(EARLIER, "<", TIME)
    below = Relation(entry, "≤", rate)
    one = Norm(Partial(At(state, TIME), At(state, TIME - 1)))
    return Theorem(
        name="Step by step",
        assumptions=(
            Line("{0} is the spectral norm; {1} is the largest absolute value of an entry.",
                 (Norm(_M), MaxAbs(_D))),
            Line("Gates and states take the values of one trajectory at the steps {0}, …, {1}. "
                 "Nothing else is assumed.", (EARLIER + 1, TIME)),
        ),
        statement=(Line("Let {0} be the number below. Then for all {1},", (entry, pair)),),
        bound=Bound(norm, "upper", whole, (), "submultiplicativity of the norm"),
        consequences=(
            Line("If {0} at every step, with a fixed {1}, then {2} tends to 0 geometrically as "
                 "{3} grows: the gradient vanishes along that trajectory. The condition is "
                 "sufficient.", (below, small, norm, lag)),
            Line("If {0} exceeds 1 for some pair {1}, then so does one of the numbers {2}. For "
                 "gradients to explode this is necessary. It is not sufficient.",
                 (norm, pair, entry)),
        ),
        proof=(
            Line("{0}, {1} and {2}. Applied to the step Jacobian ({3}) these give {4}.",
                 (*_INEQUALITIES, step.number, Relation(one, "≤", entry))),
            Line("The norm of the product ({0}) is at most the product of the norms.",
                 (chain.number,)),
        ),
        silent=(_ONE_TRAJECTORY, _LOOSE),
        verdict=Line("Undecided without a trajectory. Along one, it vanishes if the numbers {0} "
                     "of Theorem 1 stay below a fixed {1}, and can explode only if one of them "
                     "exceeds 1.", (entry, small)),
        advice=_measure(norm),
        sources=(BONASSI,),
        entries=domination(derivation),
    )  # fmt: skip


def _measure(norm: Expr) -> Line:
    return Line(
        "The equations exclude neither behaviour. Measure {0} on your own sequences, and clip "
        "the gradient's norm.",
        (norm,),
    )


def _carousel(derivation: Derivation) -> tuple[Line, ...]:
    """Why a gate below 1 is no proof of vanishing: the other blocks close a second path."""
    states = derivation.cell.states
    for state in states:
        blocks = derivation.step_jacobian.blocks
        own = blocks[state.name, state.name]
        others = [
            s for s in states if s != state
            and not isinstance(blocks[s.name, state.name], ZeroMatrix)
            and not isinstance(blocks[state.name, s.name], ZeroMatrix)
        ]  # fmt: skip
        if isinstance(own, DiagMatrix) and isinstance(own.args[0], MatrixSymbol) and others:
            now, before = At(state, TIME), At(state, TIME - 1)
            return (
                Line("{0} alone decides nothing: a change of {1} also returns to {2} by way of "
                     "{3}, so the Jacobian can grow although every entry of {4} is below 1.",
                     (Relation(Partial(now, before), "=", DiagMatrix(At(own.args[0], TIME))),
                      before, At(state, TIME + 1), At(others[0], TIME), At(own.args[0], TIME))),
            )  # fmt: skip
    return ()
