"""Step Jacobian along one trajectory → N_t, which dominates it block by block, and its theorem.

In: a `Derivation`. Out: N_ab,t = Σ ‖d_j‖_∞ ‖M_j‖₂ of each block Σ diag(d_j) M_j, and the theorem
‖∂s_t/∂s_k‖ ≤ ‖N_t ⋯ N_{k+1}‖. Norms of matrices are spectral norms ‖·‖₂ throughout.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

from sympy import (
    Abs,
    Add,
    Expr,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    MatrixSymbol,
    Max,
    Mul,
    Pow,
    S,
    Symbol,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.jacobian import change_of
from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.language.expr import At, Partial, TimeProduct, symbols_of
from derive.language.maps import Vec
from derive.language.norms import BlockBound, MaxAbs, Norm, Radius
from derive.theorems.claims import BONASSI, MILLER, TERZI, Bound, Line, Relation, Theorem
from derive.theorems.letters import RATE, Letters
from derive.theorems.suprema import Dominated
from derive.typeset.scalars import INDEX

_ALONG: Final = Line("shared.along", (EARLIER + 1, TIME))
_ONE_TRAJECTORY: Final = Line("shared.silent_one_trajectory")
_LOOSE: Final = Line("shared.silent_loose")


def factors(letters: Letters) -> tuple[MatrixSymbol, MatrixSymbol]:
    """A and B: any matrices."""
    return letters.matrix("A", "F", "P"), letters.matrix("B", "G", "Q")


def entries_of(letters: Letters) -> MatrixSymbol:
    """The column d of any diagonal matrix."""
    return letters.column("d", "delta", "epsilon")


def direction(letters: Letters) -> MatrixSymbol:
    """Any vector y."""
    return letters.column("y", "zeta", "eta")


def inequalities(letters: Letters) -> tuple[Relation, ...]:
    """‖A + B‖ ≤ ‖A‖ + ‖B‖, ‖AB‖ ≤ ‖A‖‖B‖ and ‖diag(d)‖ = ‖d‖_∞."""
    A, B = factors(letters)
    d = entries_of(letters)
    return (
        Relation(Norm(MatAdd(A, B)), "≤", Add(Norm(A), Norm(B), evaluate=False)),
        Relation(Norm(MatMul(A, B)), "≤", Mul(Norm(A), Norm(B), evaluate=False)),
        Relation(Norm(DiagMatrix(d)), "=", MaxAbs(d)),
    )


def norms(letters: Letters, key: str = "shared.norms") -> Line:
    """What the two norms are."""
    return Line(key, (Norm(letters.matrix("M", "Y", "Phi")), MaxAbs(entries_of(letters))))


def of_maps(derivation: Derivation, letters: Letters) -> tuple[Line, ...]:
    """What a norm is where states are matrices, and how it passes products with a change."""
    if not derivation.has_matrices:
        return ()
    change, left = letters.matrix("D", "X", "P", "K"), letters.matrix("L", "U", "F", "E")
    right, whole = letters.matrix("R", "V", "G", "S"), letters.matrix("H", "Z", "Q", "O")
    key, weight = letters.column("k", "xi", "kappa"), letters.column("b", "beta", "nu")
    one = Symbol(f"{weight.name}_{derivation.cell.notation.index}")
    shrunk = Mul(S.NegativeOne, one, Pow(Norm(key), 2, evaluate=False), evaluate=False)
    factor = Max(S.One, Abs(Add(S.One, shrunk, evaluate=False), evaluate=False), evaluate=False)
    erased = MatAdd(change, MatMul(-1, HadamardProduct(weight, MatMul(change, key)),
                                   Transpose(key)))  # fmt: skip
    return (
        Line("shared.maps", (
            Relation(Norm(Vec(MatMul(left, change, right))), "≤",
                     Mul(Norm(left), Norm(Vec(change)), Norm(right), evaluate=False)),
            Relation(Norm(Vec(HadamardProduct(whole, change))), "≤",
                     Mul(MaxAbs(Vec(whole)), Norm(Vec(change)), evaluate=False)),
            change)),
        *((Line("shared.erasing", (erased, change, factor, INDEX)),)
          if any(r.right.has(Max) for r in domination(derivation)) else ()),
    )  # fmt: skip


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


def _moved_by(derivation: Derivation) -> set[MatrixSymbol]:
    """The symbols that the step Jacobian depends on."""
    jacobian, cell = derivation.step_jacobian, derivation.cell
    found = (symbols_of(jacobian.expanded(*pair)) for pair in jacobian.blocks)
    return {*chain(*found)} - {*map(change_of, cell.previous_states)}


def is_constant(derivation: Derivation) -> bool:
    """Whether the step Jacobian is the same at every step, whatever the inputs."""
    return derivation.timeless.issuperset(_moved_by(derivation))


def _undecided(derivation: Derivation, along: Line, constant: Line) -> tuple[Line, ...]:
    """What a verdict needs, and how it then comes out: along a trajectory, or of a constant J."""
    if not is_constant(derivation):
        return Line("shared.undecided"), along
    needs = "shared.undecided_weights" if _moved_by(derivation) else "shared.undecided_norms"
    return Line(needs), constant


def bounding_matrix(derivation: Derivation) -> MatrixSymbol:
    """N of the matrices N_t."""
    order = len(derivation.cell.states)
    return MatrixSymbol(derivation.cell.notation.norms, order, order)


def block_domination(derivation: Derivation) -> Theorem:
    """‖∂s_t/∂s_k‖₂ ≤ ‖N_t ⋯ N_{k+1}‖₂, by blocks and as a whole."""
    states = derivation.cell.states
    order = len(states)
    norm, target = chain_norm(derivation)
    bounding = bounding_matrix(derivation)
    fixed = MatrixSymbol(f"{bounding.name}_hat", order, order)
    whole = TimeProduct(At(bounding, FACTOR), FACTOR, TIME, EARLIER + 1)
    step, whole_chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    small = Relation(Radius(fixed), "<", S.One)
    pair = Relation(EARLIER, "<", TIME)
    below = Relation(At(bounding, TIME), "≤", fixed)
    first, last = states[0], states[-1]
    block = Norm(Partial(At(first, TIME), At(last, EARLIER)))
    one_block = Norm(Partial(At(first, TIME), At(last, TIME - 1)))
    bounded = Norm(whole)
    letters = Letters(derivation)
    y = direction(letters)
    return Theorem(
        name="block_domination",
        assumptions=(
            norms(letters, "block_domination.norms"),
            *of_maps(derivation, letters),
            _ALONG,
        ),
        statement=(
            Line("block_domination.statement", (At(bounding, TIME), pair, str(order))),
        ),
        bound=Bound(norm, "upper", bounded),
        consequences=(
            Line("block_domination.each_block", (block, whole, first, last)),
            Line("block_domination.decay", (below, fixed, small, norm, LAG)),
            Line("block_domination.growth", (norm, pair, bounded)),
        ),
        proof=(
            Line("block_domination.blocks", (*inequalities(letters), step.number,
                  Relation(one_block, "≤", BlockBound(first.name, last.name, TIME)))),
            Line("block_domination.product", (whole_chain.number, target, whole)),
            Line("block_domination.lengths", (y, MatMul(target, y), whole)),
            Line("block_domination.nonnegative", (below,
                  Relation(bounded, "≤", Norm(MatPow(fixed, LAG))), small)),
        ),
        silent=(_ONE_TRAJECTORY, _LOOSE, *_carousel(derivation)),
        verdict=_undecided(
            derivation,
            Line("block_domination.along", (At(bounding, TIME), fixed, small)),
            Line("block_domination.constant", (At(bounding, TIME),)),
        ),
        advice=(Line("block_domination.advice", (norm,)),),
        sources=(MILLER, TERZI, BONASSI),
        entries=domination(derivation),
    )  # fmt: skip


def stepwise(derivation: Derivation) -> Theorem:
    """‖∂h_t/∂h_k‖₂ ≤ N_t ⋯ N_{k+1}, numbers; for one state."""
    state = derivation.cell.states[0]
    norm, _ = chain_norm(derivation)
    step, whole_chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    entry = BlockBound(state.name, state.name, TIME)
    entry_j = BlockBound(state.name, state.name, FACTOR)
    whole = TimeProduct(entry_j, FACTOR, TIME, EARLIER + 1)
    letters = Letters(derivation)
    rate = letters.number(*RATE)
    small = Relation(rate, "<", S.One)
    pair = Relation(EARLIER, "<", TIME)
    below = Relation(entry, "≤", rate)
    one = Norm(Partial(At(state, TIME), At(state, TIME - 1)))
    return Theorem(
        name="stepwise",
        assumptions=(
            norms(letters),
            *of_maps(derivation, letters),
            _ALONG,
        ),
        statement=(Line("stepwise.statement", (entry, pair)),),
        bound=Bound(norm, "upper", whole),
        consequences=(
            Line("stepwise.decay", (below, small, norm, LAG)),
            Line("stepwise.growth", (norm, pair, entry)),
        ),
        proof=(
            Line("stepwise.step", (*inequalities(letters), step.number,
                  Relation(one, "≤", entry))),
            Line("stepwise.product", (whole_chain.number,)),
        ),
        silent=(_ONE_TRAJECTORY, _LOOSE),
        verdict=_undecided(
            derivation,
            Line("stepwise.along", (entry, small)),
            Line("stepwise.constant", (Relation(entry, "<", S.One),)),
        ),
        advice=(Line("stepwise.advice", (norm,)),),
        sources=(BONASSI,),
        entries=domination(derivation),
    )  # fmt: skip


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
                Line("block_domination.other_path", (
                      Relation(Partial(now, before), "=", DiagMatrix(At(own.args[0], TIME))),
                      before, At(state, TIME + 1), At(others[0], TIME), At(own.args[0], TIME))),
            )  # fmt: skip
    return ()
