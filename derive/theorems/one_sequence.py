"""Step Jacobian along one trajectory → N_t, which dominates it block by block, and its theorem.

In: a `Derivation`. Out: N_ab,t = Σ ‖d_j‖_∞ ‖M_j‖₂ of each block Σ diag(d_j) M_j, and the theorem
‖∂s_t/∂s_k‖ ≤ ‖N_t ⋯ N_{k+1}‖. Norms of matrices are spectral norms ‖·‖₂ throughout.
"""

from __future__ import annotations

from typing import Final

from sympy import (
    Add,
    Expr,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    S,
    Symbol,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.language.expr import At, Partial, TimeProduct
from derive.language.norms import BlockBound, MaxAbs, Norm, Radius
from derive.theorems.claims import BONASSI, MILLER, TERZI, Bound, Line, Relation, Theorem
from derive.theorems.suprema import Dominated, letter

_A, _B, _M = (MatrixSymbol(name, 2, 2) for name in "ABM")
_D, _Y = MatrixSymbol("d", 2, 1), MatrixSymbol("y", 2, 1)


INEQUALITIES: Final = (
    Relation(Norm(MatAdd(_A, _B)), "≤", Add(Norm(_A), Norm(_B), evaluate=False)),
    Relation(Norm(MatMul(_A, _B)), "≤", Mul(Norm(_A), Norm(_B), evaluate=False)),
    Relation(Norm(DiagMatrix(_D)), "=", MaxAbs(_D)),
)


NORMS: Final = Line(
    "{0} is the spectral norm; {1} is the largest absolute value of an entry.",
    (Norm(_M), MaxAbs(_D)),
)
_ALONG: Final = Line(
    "Gates and states take the values of one trajectory at the steps {0}, …, {1}. Nothing else is "
    "assumed.", (EARLIER + 1, TIME)
)  # fmt: skip
_ONE_TRAJECTORY: Final = Line(
    "It speaks of one trajectory. For all inputs at once, the entries need bounds on the gates "
    "and states that hold for all inputs."
)
_LOOSE: Final = Line(
    "A large right side does not imply that gradients explode: each inequality of the proof may "
    "be far from equality."
)


class _AtOneStep(Dominated):
    """Norms at the step t, block by block."""

    def diagonal(self, column: MatrixExpr) -> Expr:
        return MaxAbs(column)

    def named(self, block: Partial) -> Expr:
        of, by = block.args
        return BlockBound(name_of(of), name_of(by), TIME)

    def matrix(self, block: MatrixExpr) -> Expr:
        return Norm(block)


def dominate(block: MatrixExpr) -> Expr:
    """A number that ‖block‖₂ does not exceed at the step t."""
    return _AtOneStep().of(block)


def domination(derivation: Derivation) -> tuple[Relation, ...]:
    """N_ab,t = … for every block of the step Jacobian, names before their use."""
    found = []
    for step in derivation.part("jacobian"):
        of, by = step.equation.target.args
        left = BlockBound(name_of(of), name_of(by), TIME)
        found.append(Relation(left, "=", dominate(step.equation.value)))
    return tuple(found)


def name_of(symbol: MatrixExpr) -> str:
    """The name of a state, at a time or one step earlier."""
    symbol = symbol.args[0] if isinstance(symbol, At) else symbol
    return str(symbol.name).removesuffix("_prev")


def chain_norm(derivation: Derivation) -> tuple[Expr, Partial]:
    """‖∂s_t/∂s_k‖₂ of the whole state, and the Jacobian in it."""
    target = derivation.chain.target
    return Norm(target), target


def block_domination(derivation: Derivation) -> Theorem:
    """‖∂s_t/∂s_k‖₂ ≤ ‖N_t ⋯ N_{k+1}‖₂, by blocks and as a whole."""
    states = derivation.cell.states
    order = len(states)
    norm, target = chain_norm(derivation)
    bounding, fixed = MatrixSymbol("N", order, order), MatrixSymbol("N_hat", order, order)
    whole = TimeProduct(At(bounding, FACTOR), FACTOR, TIME, EARLIER + 1)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
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
            _ALONG,
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
                 "trajectory. The condition is sufficient.", (below, fixed, small, norm, LAG)),
            Line("If {0} exceeds 1 for some pair {1}, then so does {2}. For gradients to explode "
                 "this is necessary. It is not sufficient.", (norm, pair, bounded)),
        ),
        proof=(
            Line("{0}, {1} and {2}. Applied to the blocks of the step Jacobian, up to ({3}), these "
                 "give {4}, and the like for every block.",
                 (*INEQUALITIES, step.number,
                  Relation(one_block, "≤", BlockBound(first.name, last.name, TIME)))),
            Line("A block of a product is a sum of products of blocks. By induction over the "
                 "factors of ({0}), the norm of each block of {1} is at most the entry of {2} in "
                 "its place.", (chain.number, target, whole)),
            Line("Let {0} be a vector. The norms of the parts of {1} are at most {2} applied to "
                 "the norms of the parts of {0}. The Euclidean lengths of these two vectors of "
                 "norms give the bound.", (_Y, MatMul(target, _Y), whole)),
            Line("All entries are nonnegative. So {0} at every step gives {1}, which decays "
                 "geometrically if {2}.",
                 (below, Relation(bounded, "≤", Norm(MatPow(fixed, LAG))), small)),
        ),
        silent=(_ONE_TRAJECTORY, _LOOSE, *_carousel(derivation)),
        verdict=Line("Undecided without a trajectory. Along one, it vanishes if the matrices {0} "
                     "of Theorem 1 stay below a fixed {1} with {2}, and can explode only if "
                     "their product does.", (At(bounding, TIME), fixed, small)),
        advice=_measure(norm),
        sources=(MILLER, TERZI, BONASSI),
        entries=domination(derivation),
    )  # fmt: skip


def stepwise(derivation: Derivation) -> Theorem:
    """‖∂h_t/∂h_k‖₂ ≤ N_t ⋯ N_{k+1}, numbers; for one state."""
    state = derivation.cell.states[0]
    norm, _ = chain_norm(derivation)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    entry = BlockBound(state.name, state.name, TIME)
    entry_j = BlockBound(state.name, state.name, FACTOR)
    whole = TimeProduct(entry_j, FACTOR, TIME, EARLIER + 1)
    rate = Symbol(letter(derivation, "r", "q", "kappa"))
    small = Relation(rate, "<", S.One)
    pair = Relation(EARLIER, "<", TIME)
    below = Relation(entry, "≤", rate)
    one = Norm(Partial(At(state, TIME), At(state, TIME - 1)))
    return Theorem(
        name="Step by step",
        assumptions=(
            NORMS,
            _ALONG,
        ),
        statement=(Line("Let {0} be the number below. Then for all {1},", (entry, pair)),),
        bound=Bound(norm, "upper", whole, (), "submultiplicativity of the norm"),
        consequences=(
            Line("If {0} at every step, with a fixed {1}, then {2} tends to 0 geometrically as "
                 "{3} grows: the gradient vanishes along that trajectory. The condition is "
                 "sufficient.", (below, small, norm, LAG)),
            Line("If {0} exceeds 1 for some pair {1}, then so does one of the numbers {2}. For "
                 "gradients to explode this is necessary. It is not sufficient.",
                 (norm, pair, entry)),
        ),
        proof=(
            Line("{0}, {1} and {2}. Applied to the step Jacobian ({3}) these give {4}.",
                 (*INEQUALITIES, step.number, Relation(one, "≤", entry))),
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
