"""Step Jacobian → what is certain about how ∂s_t/∂s_k grows or decays, with every assumption.

In: a `Derivation`. Out: `Theorem`: a statement, its assumptions, a proof in steps, what it does
not say; and its `Bound` as an expression. A theorem is a template whose slots hold derived
expressions. Norms of matrices are spectral norms ‖·‖₂ throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sympy import (
    Abs,
    Add,
    Basic,
    Expr,
    Identity,
    MatAdd,
    MatMul,
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
from derive.expr import At, Concat, Partial, Slope, product, split_coefficient
from derive.functions import FUNCTIONS
from derive.norms import BlockBound, Largest, MaxAbs, Norm

PASCANU: Final = (
    "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, "
    "ICML, arXiv:1211.5063"
)
TERZI: Final = (
    "Terzi, Bonassi, Farina and Scattolini 2021, Learning model predictive control with long "
    "short-term memory networks"
)
MILLER: Final = "Miller and Hardt 2019, Stable recurrent models, ICLR, arXiv:1805.10369"


@dataclass(frozen=True)
class Relation:
    """Two expressions and the sign between them."""

    left: Basic
    sign: str
    right: Basic


@dataclass(frozen=True)
class Line:
    """A sentence whose slots {0}, {1}, … hold expressions, relations or step numbers."""

    text: str
    slots: tuple[Basic | Relation | int, ...] = ()


@dataclass(frozen=True)
class Bound:
    """`quantity ≤ expression` (upper) or `≥` (lower), under the assumptions."""

    quantity: Expr
    side: str
    expression: Expr
    assumptions: tuple[Line, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse a side that is neither.

        Raises:
            ValueError: if `side` is not "upper" or "lower".
        """
        if self.side not in {"upper", "lower"}:
            raise ValueError(f"side is 'upper' or 'lower', came {self.side!r}")

    @property
    def relation(self) -> Relation:
        """The bound as an inequality."""
        return Relation(self.quantity, "≤" if self.side == "upper" else "≥", self.expression)


@dataclass(frozen=True)
class Theorem:
    """A claim on the product of step Jacobians: assumptions, proof, and its limits.

    `verdict` is one sentence for page one; `constants` are symbol → value pairs to print;
    `entries` define the matrix N_t where the theorem uses one.
    """

    name: str
    assumptions: tuple[Line, ...]
    statement: tuple[Line, ...]
    bound: Bound | None
    consequences: tuple[Line, ...]
    proof: tuple[Line, ...]
    silent: tuple[Line, ...]
    verdict: Line
    advice: Line
    sources: tuple[str, ...]
    entries: tuple[Relation, ...] = ()


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
    return _block_domination(derivation)


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
            if matrix.has(At) or slope.parameters or not bounded.is_subset(_FINITE):
                return None
            return slope, matrix
    return None


_FINITE: Final = FUNCTIONS["sin"].slope_range


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
    norm, target = _chain_norm(derivation)
    step = derivation.part("jacobian")[-1]
    chain = derivation.part("chain")[-1]
    local = _at(step.equation, FACTOR)
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
            Line("{0} is the least upper bound of {1} over all real {2}; here {3}.",
                 (gamma, any_slope, Symbol("u"), numbers)),
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
        verdict=Line("Vanishes if {0}, for all inputs; can explode only if {1}. "
                     "Otherwise this bound leaves it undecided.",
                     (Relation(rate, "<", S.One), Relation(rate, ">", S.One))),
        advice=Line("Watch {0} during training. While it stays below 1, no input lets this cell "
                    "carry a gradient over many steps; above 1, clip the gradient's norm.",
                    (rate,)),
        sources=(PASCANU,),
    )  # fmt: skip


def _block_domination(derivation: Derivation) -> Theorem:
    """‖∂s_t/∂s_k‖₂ ≤ ‖N_t ⋯ N_{k+1}‖₂ entry by entry and as a whole."""
    entries = domination(derivation)
    states = derivation.cell.states
    norm, target = _chain_norm(derivation)
    order = len(states)
    bounding = MatrixSymbol("N", order, order)
    fixed = MatrixSymbol("N_hat", order, order)
    whole = _n_product(bounding)
    step = derivation.part("jacobian")[-1]
    chain = derivation.part("chain")[-1]
    bound = Bound(norm, "upper", Norm(whole), (), "submultiplicativity of the norm")
    radius = _Radius(fixed)
    lag = TIME - EARLIER
    several = order > 1
    block = Partial(At(states[0], TIME), At(states[-1], EARLIER))
    return Theorem(
        name="Block domination" if several else "Step by step",
        assumptions=(
            Line("The norm is the spectral norm {0}, for the whole Jacobian and for each block; "
                 "{1} is the largest absolute value of an entry.",
                 (Norm(MatrixSymbol("M", 1, 1)), MaxAbs(MatrixSymbol("d", 1, 1)))),
            Line("The values of the gates and states are those of one trajectory at the steps "
                 "{0}; nothing else is assumed.",
                 (Relation(FACTOR, "=", _Steps(EARLIER + 1, TIME)),)),
        ),
        statement=(
            Line("Let {0} be the {1} matrix with the entries below. Then for all {2},"
                 if several else "Let {0} be the number below. Then for all {2},",
                 (At(bounding, TIME), Symbol(f"{order}×{order}"), Relation(EARLIER, "<", TIME))),
        ),
        bound=bound,
        consequences=(
            *((Line("The same holds for each block: {0} is at most the entry of {1} in the row "
                    "of {2} and the column of {3}.",
                    (Norm(block), whole, states[0], states[-1])),) if several else ()),
            Line("If {0} entry by entry at every step, with a fixed {1} of spectral radius {2}, "
                 "then {3} tends to 0 geometrically as {4} grows: the gradient vanishes along "
                 "that trajectory. The condition is sufficient.",
                 (Relation(At(bounding, TIME), "≤", fixed), fixed,
                  Relation(radius, "<", S.One), norm, lag)),
            Line("If {0} is unbounded as {1} grows, then so is {2}. For gradients to explode "
                 "this is necessary. It is not sufficient.", (norm, lag, Norm(whole))),
        ),
        proof=(
            Line("{0} and {1}, and {2}. Applied to the blocks up to ({3}) these give {4} "
                 "for each block.",
                 (Relation(Norm(_plus("A", "B")), "≤", _norms("A", "B", Add)),
                  Relation(Norm(_times("A", "B")), "≤", _norms("A", "B", Mul)),
                  Relation(Norm(DiagMatrix(MatrixSymbol("d", 2, 1))), "=",
                           MaxAbs(MatrixSymbol("d", 2, 1))),
                  step.number,
                  Relation(Norm(Partial(At(states[0], TIME), At(states[-1], TIME - 1))), "≤",
                           BlockBound(states[0].name, states[-1].name, TIME)))),
            Line("A block of a product is a sum of products of blocks. By induction over the "
                 "factors of ({0}), each block of {1} is bounded by the entry of {2} in its "
                 "place.", (chain.number, target, whole)),
            Line("For a vector {0}, the norms of the parts of its image under {1} are at most "
                 "{2} applied to the norms of the parts of {0}. Euclidean norms of these "
                 "vectors of norms give the bound.", (MatrixSymbol("y", 2, 1), target, whole)),
            Line("All entries are nonnegative, so {0} implies {1}, and "
                 "the right side decays geometrically if {2}.",
                 (Relation(At(bounding, FACTOR), "≤", fixed),
                  Relation(Norm(whole), "≤", Norm(_Power(fixed, lag))),
                  Relation(radius, "<", S.One))),
        ) if several else (
            Line("{0}, {1} and {2} bound the Jacobian ({3}) of each step by {4}.",
                 (Relation(Norm(_plus("A", "B")), "≤", _norms("A", "B", Add)),
                  Relation(Norm(_times("A", "B")), "≤", _norms("A", "B", Mul)),
                  Relation(Norm(DiagMatrix(MatrixSymbol("d", 2, 1))), "=",
                           MaxAbs(MatrixSymbol("d", 2, 1))), step.number, At(bounding, FACTOR))),
            Line("The norm of the product ({0}) is at most the product of the norms.",
                 (chain.number,)),
        ),
        silent=(
            Line("It speaks of one trajectory. For all inputs at once, the entries need bounds "
                 "on the gates and states that hold for all inputs."),
            Line("A large right side does not imply that gradients explode: each inequality of "
                 "the proof may be far from equality."),
            *_carousel(derivation),
        ),
        verdict=Line("Undecided without a trajectory. Along one, it vanishes if the matrices {0} "
                     "of the bound stay below a fixed {1} with {2}; it can explode only if their "
                     "product does." if several else
                     "Undecided without a trajectory. Along one, it vanishes if the numbers {0} "
                     "of the bound stay below a fixed {1} with {2}.",
                     (At(bounding, TIME), fixed, Relation(radius, "<", S.One))),
        advice=Line("Gates do not exclude either behaviour. Measure {0} on your own sequences, "
                    "and clip the gradient's norm.", (norm,)),
        sources=(MILLER, TERZI),
        entries=entries,
    )  # fmt: skip


def _carousel(derivation: Derivation) -> tuple[Line, ...]:
    """Why a gate below 1 is no proof of vanishing: the other blocks close a second path."""
    states = derivation.cell.states
    for state in states:
        own = derivation.step_jacobian.blocks[state.name, state.name]
        others = [s for s in states if s != state]
        if isinstance(own, DiagMatrix) and isinstance(own.args[0], MatrixSymbol) and others:
            now, before = At(state, TIME), At(state, TIME - 1)
            return (
                Line("{0} alone decides nothing: a change of {1} also returns to {2} by way of "
                     "{3}, so the Jacobian can grow although every entry of {4} is below 1.",
                     (Relation(Partial(now, before), "=", DiagMatrix(At(own.args[0], TIME))),
                      before, At(state, TIME + 1), At(others[0], TIME), At(own.args[0], TIME))),
            )  # fmt: skip
    return ()
