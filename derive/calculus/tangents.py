"""One rule per node: how a small change of its operands changes its value.

In: a node and the changes of its operands. Out: the change of its value, linear in them: the
directional derivative, for matrices as for columns. A Jacobian between columns is a matrix
(`rules.JACOBIAN_RULES`); between matrices it is this map, written out and never as a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from sympy import Identity, MatAdd, MatMul, MatrixExpr, Number, S, Transpose, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.rules import JACOBIAN_RULES
from derive.language.expr import (
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    Slope,
    add,
    broadcast,
    diagonal,
    hadamard,
    negate,
    operands,
    product,
    quotient,
    scale,
    split_coefficient,
    transpose,
)

Node: TypeAlias = MatrixExpr
Tangent = Callable[[Node, Node, tuple[Node, ...]], Node]


def tangent_sum(y: Node, node: Node, dots: tuple[Node, ...]) -> Node:
    """(Σ aᵢ)˙ = Σ ȧᵢ, equal terms put together."""
    counts: dict[Node, Number] = {}
    total = add(*dots)
    for term in total.args if isinstance(total, MatAdd) else (total,):
        number, rest = split_coefficient(term)
        counts[rest] = counts.get(rest, S.Zero) + number
    return add(*(scale(number, rest) for rest, number in counts.items()))


def tangent_product(y: Node, node: Node, dots: tuple[Node, ...]) -> Node:
    """(c A B)˙ = c Ȧ B + c A Ḃ."""
    number, parts = split_coefficient(node)[0], operands(node)
    if len(parts) == 1:
        return scale(number, dots[0])
    (a, b), (a_dot, b_dot) = parts, dots
    return scale_sum(number, add(product(a_dot, b), product(a, b_dot)))


def scale_sum(number: Number, total: Node) -> Node:
    """The number times each term of a sum."""
    terms = total.args if isinstance(total, MatAdd) else (total,)
    return add(*(scale(number, term) for term in terms))


def tangent_hadamard(y: Node, node: Node, dots: tuple[Node, ...]) -> Node:
    """(a ⊙ b)˙ = b ⊙ ȧ + a ⊙ ḃ."""
    parts = node.args
    terms = (hadamard(*parts[:place], *parts[place + 1 :], dot) for place, dot in enumerate(dots))
    return tangent_sum(y, node, tuple(terms))


def tangent_quotient(y: Node, node: Node, dots: tuple[Node, ...]) -> Node:
    """(a ⊘ b)˙ = ȧ ⊘ b − y ⊙ ḃ ⊘ b."""
    b = node.args[1]
    return add(quotient(dots[0], b), negate(quotient(hadamard(y, dots[1]), b)))


TANGENT_RULES: Final[dict[type, Tangent]] = {
    MatAdd: tangent_sum,
    MatMul: tangent_product,
    HadamardProduct: tangent_hadamard,
    Quotient: tangent_quotient,
    Elementwise: lambda y, node, dots: hadamard(Slope(*node.args), dots[0]),
    Transpose: lambda y, node, dots: transpose(dots[0]),
    DiagMatrix: lambda y, node, dots: diagonal(dots[0]),
    Broadcast: lambda y, node, dots: broadcast(dots[0], node.shape),
    Concat: lambda y, node, dots: Concat(*dots),
}


def tangent(y: Node, node: Node, dots: tuple[Node, ...]) -> Node:
    """The change of a node's value; of a function of whole columns its Jacobian times theirs.

    Raises:
        KeyError: if the node has neither rule.
    """
    if all(isinstance(dot, ZeroMatrix) for dot in dots):
        return ZeroMatrix(*node.shape)
    rule = TANGENT_RULES.get(type(node))
    if rule is not None:
        return rule(y, node, dots)
    parts = operands(node)
    terms = []
    for place, dot in enumerate(dots):
        width = dot.shape[0]
        seeds = [ZeroMatrix(part.shape[0], width) for part in parts]
        seeds[place] = Identity(width)
        terms.append(product(JACOBIAN_RULES[type(node)](y, node, tuple(seeds)), dot))
    return tangent_sum(y, node, tuple(terms))


def as_matrix(body: Node, change: Node) -> Node | None:
    """The matrix M with body = M · change, both columns, if the body says it; else None."""
    match body:
        case _ if body == change:
            return Identity(change.shape[0])
        case _ if not body.has(change):
            return ZeroMatrix(body.shape[0], change.shape[0])
        case MatAdd(args=terms):
            found = [as_matrix(term, change) for term in terms]
            return None if None in found else add(*found)
        case MatMul():
            number, rest = split_coefficient(body)
            *factors, last = rest.args if isinstance(rest, MatMul) else (rest,)
            if last.shape[1] != 1 or any(factor.has(change) for factor in factors):
                return None
            inner = as_matrix(last, change)
            return None if inner is None else scale(number, product(*factors, inner))
        case HadamardProduct(args=factors):
            moving = [factor for factor in factors if factor.has(change)]
            inner = as_matrix(moving[0], change) if len(moving) == 1 else None
            others = [factor for factor in factors if factor not in moving]
            return None if inner is None else product(diagonal(hadamard(*others)), inner)
        case Concat(args=parts):
            found = [as_matrix(part, change) for part in parts]
            return None if None in found else Concat(*found)
    return None
