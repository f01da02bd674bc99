"""The determinant of the step Jacobian, for cells where it has a closed form.

In: a `Derivation`. Out: det J_t as a product of slopes and gates times det of one weight matrix:
how a step scales volumes. No other cell gets one.
"""

from __future__ import annotations

from sympy import Expr, MatAdd, MatMul, MatrixExpr, Mul
from sympy.matrices.expressions import DiagMatrix

from derive.bptt import TIME, Derivation
from derive.expr import At, Partial, hadamard, product
from derive.norms import Determinant, EntryProduct


def determinant(derivation: Derivation) -> Expr | None:
    """∏_i v_i · det W, if the step Jacobian is diag(v) W or can be reduced to such blocks.

    Two states: if the second block row is diag(d) times the first plus [0 R], then
    det J = det J_pp · det R, since adding a multiple of one block row to another changes nothing.
    """
    blocks = {
        (_name(s.equation.target.args[0]), _name(s.equation.target.args[1])): s.equation.value
        for s in derivation.part("jacobian")
    }
    names = [state.name for state in derivation.cell.states]
    if len(names) == 1:
        return _closed(blocks[names[0], names[0]], None)
    if len(names) == 2:
        for p, q in (names, reversed(names)):
            found = _reduced(derivation, blocks, p, q)
            if found is not None:
                return found
    return None


def _name(symbol: At) -> str:
    return str(symbol.args[0].name)


def _reduced(
    derivation: Derivation, blocks: dict[tuple[str, str], MatrixExpr], p: str, q: str
) -> Expr | None:
    own, corner = blocks[p, p], blocks[q, q]
    if not isinstance(own, DiagMatrix) or not isinstance(corner, MatAdd):
        return None
    states = {state.name: state for state in derivation.cell.states}
    above = Partial(At(states[p], TIME), At(states[q], TIME - 1))
    factors = [t.args[0] for t in corner.args if isinstance(t, MatMul) and t.args[1:] == (above,)]
    rest = [t for t in corner.args if not (isinstance(t, MatMul) and t.args[1:] == (above,))]
    if len(factors) != 1 or len(rest) != 1 or not isinstance(factors[0], DiagMatrix):
        return None
    if product(factors[0], own) != blocks[q, p]:
        return None
    return _closed(rest[0], own.args[0])


def _closed(block: MatrixExpr, other: MatrixExpr | None) -> Expr | None:
    """∏_i (other ⊙ d)_i det M of the block diag(d) M."""
    match block:
        case MatMul(args=(DiagMatrix(args=(vector,)), matrix)) if not matrix.has(At):
            entries = vector if other is None else hadamard(other, vector)
            return Mul(EntryProduct(entries), Determinant(matrix), evaluate=False)
    return None
