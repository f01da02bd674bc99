"""The pair of states that an LSTM is: s_p keeps itself, s_q is read from it.

In: a `Derivation`. Out: `Carousel`: J_pp = diag(a), J_qp = diag(ψ) J_pp, J_qq = R + diag(ψ) J_pq,
for the LSTM, its peephole form and whatever other cell has these blocks; a is 𝟙 where s_p keeps
itself whole. The cone theorem stands on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Basic, Identity, MatAdd, MatMul, MatrixExpr, OneMatrix, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.through_time import Derivation
from derive.language.expr import add, diagonal, hadamard, product, scale, split_coefficient


@dataclass(frozen=True)
class Carousel:
    """δp_t = diag(a) δp_{t−1} + C δq_{t−1} and δq_t = diag(ψ) δp_t + R δq_{t−1}."""

    keeper: str
    reader: str
    kept: MatrixExpr
    readout: MatrixExpr
    coupling: MatrixExpr
    rest: MatrixExpr


def find_carousel(derivation: Derivation) -> Carousel | None:
    """The blocks of Theorem E, if the cell has two states whose Jacobian is of that form."""
    names = [state.name for state in derivation.cell.states]
    if len(names) != 2:
        return None
    for p, q in (names, reversed(names)):
        found = _found(derivation, p, q)
        if found is not None:
            return found
    return None


def _found(derivation: Derivation, p: str, q: str) -> Carousel | None:
    jacobian = derivation.step_jacobian
    named = dict(jacobian.named)
    raw = jacobian.blocks
    own = named.get(raw[p, p], raw[p, p])
    kept = _diagonal_of(own)
    if kept is None or isinstance(raw[p, q], ZeroMatrix):
        return None
    readout: list[MatrixExpr] = []
    rest: list[MatrixExpr] = []
    for term in _terms(raw[q, q]):
        vector = _in_front_of(term, raw[p, q])
        (readout if vector is not None else rest).append(vector if vector is not None else term)
    if not readout:
        return None
    psi = add(*readout)
    if not _reads(raw[q, p], raw[p, p], kept, readout):
        return None
    corner = add(*rest) if rest else ZeroMatrix(*raw[q, q].shape)
    return Carousel(p, q, kept, psi, raw[p, q], corner)


def _terms(block: MatrixExpr) -> tuple[MatrixExpr, ...]:
    """The summands, diag(v) (A + B) written as diag(v) A + diag(v) B."""
    match block:
        case MatAdd(args=parts):
            return tuple(term for part in parts for term in _terms(part))
        case MatMul(args=(DiagMatrix() as front, MatAdd(args=parts))):
            return tuple(product(front, term) for part in parts for term in _terms(part))
    return (block,)


def _diagonal_of(block: MatrixExpr) -> MatrixExpr | None:
    """A of a block that is diag(a), a sum of diagonals taken together."""
    found = []
    for term in _terms(block):
        number, rest = split_coefficient(term)
        if not isinstance(rest, (DiagMatrix, Identity)):
            return None
        one = OneMatrix(rest.shape[0], 1)
        found.append(scale(number, rest.args[0] if isinstance(rest, DiagMatrix) else one))
    return add(*found)


def _in_front_of(term: MatrixExpr, block: MatrixExpr) -> MatrixExpr | None:
    """ψ of a term diag(ψ) block, the block written by its name."""
    number, rest = split_coefficient(term)
    match rest:
        case MatMul(args=(DiagMatrix(args=(vector,)), tail)) if tail == block:
            return scale(number, vector)
    return None


def _reads(block: MatrixExpr, own: MatrixExpr, kept: MatrixExpr, readout: list[MatrixExpr]) -> bool:
    """Whether J_qp = diag(ψ) J_pp, written as one diagonal, one product or term by term."""
    if isinstance(block, DiagMatrix):
        return _form(block.args[0]) == _form(hadamard(add(*readout), kept))
    if _form(block) == _form(product(diagonal(add(*readout)), own)):
        return True
    wanted = sorted(_form(product(diagonal(vector), own)) for vector in readout)
    return sorted(map(_form, _terms(block))) == wanted


def _form(node: Basic) -> str:
    """The expression as text in which the order of summands and of ⊙'s factors is lost."""
    if not isinstance(node, (MatAdd, HadamardProduct)):
        inner = ",".join(map(_form, node.args))
        return f"{type(node).__name__}({inner})" if node.args else repr(node)
    parts: list[Basic] = []
    todo = list(node.args)
    while todo:
        part = todo.pop()
        todo.extend(part.args) if isinstance(part, type(node)) else parts.append(part)
    return f"{type(node).__name__}({','.join(sorted(map(_form, parts)))})"
