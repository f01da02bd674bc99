"""The determinant of the step Jacobian, for cells where it has a closed form.

In: a `Derivation`. Out: det J_t as a product of slopes and gates times det of one weight matrix:
how a step scales volumes. No other cell gets one.
"""

from __future__ import annotations

from sympy import Expr, MatMul, MatrixExpr, Mul, OneMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.bptt import TIME, Clock, Derivation
from derive.carousel import find_carousel
from derive.cell import timeless_symbols
from derive.expr import hadamard, symbols_of
from derive.norms import Determinant, EntryProduct


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
    fixed = timeless_symbols(derivation.cell, derivation.forward)
    clock = Clock(derivation.cell, fixed)
    match block:
        case DiagMatrix(args=(vector,)):
            return EntryProduct(clock.at(hadamard(other, vector), TIME))
        case MatMul(args=(DiagMatrix(args=(vector,)), matrix)) if fixed.issuperset(
            symbols_of(matrix)
        ):
            entries = EntryProduct(clock.at(hadamard(other, vector), TIME))
            return Mul(entries, Determinant(matrix), evaluate=False)
    return None
