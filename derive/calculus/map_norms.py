"""The norm of a map D ↦ body, by its form: ‖L D R‖ ≤ ‖L‖₂ ‖D‖_F ‖R‖₂, ‖H ⊙ D‖ ≤ max|H| ‖D‖_F.

In: a `LinearMap` and an algebra of norms. Out: a number, in that algebra, which
‖vec(body)‖₂ / ‖vec(D)‖₂ never exceeds. One form is met exactly: in D + (b ⊙ D k) kᵀ row i of D is
multiplied by the symmetric I + bᵢ k kᵀ, whose norm is max(1, |1 + bᵢ ‖k‖²|).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from sympy import MatAdd, MatMul, MatrixExpr, Number, OneMatrix, S, Transpose
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import (
    Broadcast,
    Concat,
    Quotient,
    broadcast,
    hadamard,
    product,
    quotient,
    scale,
    split_coefficient,
    transpose,
)
from derive.language.maps import LinearMap, Vec

if TYPE_CHECKING:
    from derive.calculus.fold import Algebra

Value = TypeVar("Value")


def norm_of_map(block: LinearMap, norms: Algebra[Value]) -> Value:
    """A bound of the norm of the map, from the norms of its factors.

    Raises:
        TypeError: for a body of another form.
    """
    body, change = block.args
    return _of(body, change, norms)


def _of(body: MatrixExpr, change: MatrixExpr, norms: Algebra[Value]) -> Value:
    if body == change:
        return norms.identity(S.One)
    number, rest = split_coefficient(body)
    if number != 1 and not isinstance(rest, MatMul):
        return norms.product(number, [_of(rest, change, norms)])
    match rest:
        case MatAdd(args=terms):
            return _sum(list(terms), change, norms)
        case MatMul(args=factors):
            parts = [
                _of(factor, change, norms) if factor.has(change) else norms.of(_upright(factor))
                for factor in factors
            ]
            return norms.product(number, parts)
        case HadamardProduct(args=factors):
            (moving,) = (factor for factor in factors if factor.has(change))
            held = [factor for factor in factors if not factor.has(change)]
            return norms.product(S.One, [*_largest(held, norms), _of(moving, change, norms)])
        case Quotient(args=(top, bottom)):
            inverse = quotient(OneMatrix(*bottom.shape), bottom)
            return norms.product(S.One, [*_largest([inverse], norms), _of(top, change, norms)])
        case Transpose(args=(inner,)) | DiagMatrix(args=(inner,)):
            return _of(inner, change, norms)
        case Broadcast(args=(scalar, rows, cols)):
            sides = [norms.of(OneMatrix(extent, 1)) for extent in (rows, cols) if extent != 1]
            return norms.product(S.One, [*sides, _of(scalar, change, norms)])
        case Concat(args=parts):
            moving_parts = [part for part in parts if part.has(change)]
            return norms.sum([_of(part, change, norms) for part in moving_parts])
    raise TypeError(f"no norm for a map through {type(rest).__name__}: add a case to map_norms")


def _upright(factor: MatrixExpr) -> MatrixExpr:
    """A matrix of the same norm, not transposed."""
    return factor.arg if isinstance(factor, Transpose) else factor


def _largest(factors: Sequence[MatrixExpr], norms: Algebra[Value]) -> list[Value]:
    """The largest entry of factors of ⊙: of numbers one by one, of the rest together."""
    numbers = [factor.args[0] for factor in factors if isinstance(factor, Broadcast)]
    rest = [factor for factor in factors if not isinstance(factor, Broadcast)]
    columns = [hadamard(*rest)] if rest else []
    return [norms.diagonal(flat(column)) for column in (*numbers, *columns)]


def flat(matrix: MatrixExpr) -> MatrixExpr:
    """The entries as a column."""
    number, rest = split_coefficient(matrix)
    if 1 not in matrix.shape:
        return scale(number, Vec(rest))
    return matrix if matrix.shape[1] == 1 else transpose(matrix)


def _sum(terms: list[MatrixExpr], change: MatrixExpr, norms: Algebra[Value]) -> Value:
    """‖A + B‖ ≤ ‖A‖ + ‖B‖, terms and what erases of their sum taken together.

    What is erased may itself be terms and what erases of them: two steps of a delta rule in one.
    """
    left = list(terms)
    found: list[Value] = []
    while left:
        for term in left:
            taken = _erased_by(term, [other for other in left if other is not term])
            if taken is not None:
                kept, strength = taken
                left = [t for t in left if t is not term and not any(t is own for own in kept)]
                both = [norms.erasing(strength), _sum(kept, change, norms)]
                found.append(norms.product(S.One, both))
                break
        else:
            found.append(_of(left.pop(0), change, norms))
    return found[0] if len(found) == 1 else norms.sum(found)


def _erased_by(
    term: MatrixExpr, others: list[MatrixExpr]
) -> tuple[list[MatrixExpr], MatrixExpr] | None:
    """Which of the others add up to X, and c ‖k‖² b, where the term is c (b ⊙ X k) kᵀ; else None.

    Of several such terms that one is taken whose X holds the others.
    """
    number, rest = split_coefficient(term)
    if not isinstance(rest, MatMul):
        return None
    *left, row = rest.args
    if not isinstance(row, Transpose) or row.arg.shape[1] != 1 or not left:
        return None
    key = row.arg
    factors: tuple[MatrixExpr, ...] = ()
    if len(left) == 1 and isinstance(left[0], HadamardProduct):
        more, inner = split_coefficient(hadamard(*left[0].args))
        *weights, last = inner.args if isinstance(inner, HadamardProduct) else (inner,)
        number, left, factors = number * more, [last], tuple(weights)
    further, applied = split_coefficient(product(*left))
    if not isinstance(applied, MatMul) or applied.args[-1] != key:
        return None
    whole = product(*applied.args[:-1])
    wanted = list(whole.args) if isinstance(whole, MatAdd) else [whole]
    kept: list[MatrixExpr] = []
    for part in wanted:
        own = next((t for t in others if t == part and not any(t is k for k in kept)), None)
        if own is None:
            return None
        kept.append(own)
    if any(_reads(other, term) for other in others if not any(other is k for k in kept)):
        return None
    return kept, _strength(number * further, factors, key, whole.shape[0])


def _reads(other: MatrixExpr, term: MatrixExpr) -> bool:
    """Whether a term erases of a sum that this one is part of: then that one comes first."""
    return bool(other != term and other.has(term))


def _strength(
    number: Number, factors: tuple[MatrixExpr, ...], key: MatrixExpr, rows: MatrixExpr
) -> MatrixExpr:
    length = product(transpose(key), key)
    if all(isinstance(factor, Broadcast) for factor in factors):  # a number for all rows
        numbers = [factor.args[0] for factor in factors]
        return scale(number, hadamard(*numbers, length))
    shape = (rows, S.One)
    return scale(number, hadamard(*factors, broadcast(length, shape)))
