"""Columns whose length is at most 1, read from their equations: a / √(aᵀa + ε), and a softmax.

In: the named forward equations of a cell. Out: the symbols of such columns, and whether a step
that erases along one of them can enlarge anything. The length of the first
is 1 where ε = 0 and below 1 where ε > 0; the entries of the second are positive and add up to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sympy import (
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    OneMatrix,
    S,
    Transpose,
    prod,
)
from sympy.matrices.expressions import HadamardProduct

from derive.cell import Equation
from derive.language.expr import (
    SCALAR,
    Broadcast,
    Elementwise,
    Quotient,
    Softmax,
    split_coefficient,
)

Definitions = Mapping[MatrixExpr, MatrixExpr]


def short_columns(forward: tuple[Equation, ...]) -> frozenset[MatrixSymbol]:
    """The symbols of columns whose Euclidean length is at most 1 wherever they have a value."""
    meant = {e.target: e.value for e in forward}
    return frozenset(
        e.target for e in forward
        if e.target.shape[1] == 1 and e.target.shape != SCALAR
        and (isinstance(e.value, Softmax) or _is_normalised(e.value, meant))
    )  # fmt: skip


def squared_lengths(expression: MatrixExpr) -> dict[MatrixExpr, MatrixSymbol]:
    """Each kᵀk of the expression, and its k."""
    return {
        node: node.args[1]
        for node in expression.atoms(MatMul)
        if len(node.args) == 2 and isinstance(node.args[1], MatrixSymbol)
        and isinstance(node.args[0], Transpose) and node.args[0].arg == node.args[1]
        and node.args[1].shape[1] == 1
    }  # fmt: skip


def _is_normalised(value: MatrixExpr, meant: Definitions) -> bool:
    """Whether the value is a column over the root of its own square and of what is added to it."""
    number, rest = split_coefficient(value)
    if number != 1 or not isinstance(rest, Quotient):
        return False
    column, spread = rest.args[0], _meaning(rest.args[1], meant)
    if not isinstance(spread, Broadcast):
        return False
    root = _meaning(spread.args[0], meant)
    if not isinstance(root, Elementwise) or root.function.name != "sqrt":
        return False
    inside = _meaning(root.argument, meant)
    terms = list(inside.args) if isinstance(inside, MatAdd) else [inside]
    squares = [_summed(term) for term in terms]
    if [part is not None for part in squares].count(True) != 1:
        return False
    (square,) = (part for part in squares if part is not None)
    more = [term for term, part in zip(terms, squares, strict=True) if part is None]
    if not all(_is_nonnegative_number(term) for term in more):
        return False
    once, twice = _factors(column, meant), _factors(square, meant)
    return twice == once + once


def _meaning(node: MatrixExpr, meant: Definitions) -> MatrixExpr:
    """What a name stands for; itself where it is none."""
    return meant.get(node, node)


def _summed(term: MatrixExpr) -> MatrixExpr | None:
    """The a of 𝟙ᵀa."""
    if isinstance(term, MatMul) and len(term.args) == 2 and isinstance(term.args[0], OneMatrix):
        column: MatrixExpr = term.args[1]
        return column if term.args[0].shape[0] == 1 else None
    return None


def _is_nonnegative_number(term: MatrixExpr) -> bool:
    number, rest = split_coefficient(term)
    return isinstance(rest, OneMatrix) and rest.shape == SCALAR and bool(number >= 0)


def _factors(column: MatrixExpr, meant: Definitions) -> Counter[MatrixExpr | Number]:
    """The factors of ⊙ that a column is made of, its names of products and functions read."""
    number, rest = split_coefficient(column)
    found: Counter[MatrixExpr | Number] = Counter([number] if number != 1 else [])
    for factor in rest.args if isinstance(rest, HadamardProduct) else (rest,):
        inner = _meaning(factor, meant)
        if inner != factor and isinstance(inner, HadamardProduct | MatMul | Elementwise):
            product = isinstance(split_coefficient(inner)[1], HadamardProduct)
            found += _factors(inner, meant) if product else Counter([inner])
        else:
            found[factor] += 1
    return found


def erases_at_most_twice(
    strength: MatrixExpr, forward: tuple[Equation, ...], short: frozenset[MatrixSymbol]
) -> bool:
    """Whether c b ‖k‖² lies between −2 and 0 whatever the weights; `short` are `short_columns`.

    Read from c < 0, the ranges of the functions that b is made of, and ‖k‖ ≤ 1.
    """
    meant = {e.target: e.value for e in forward}
    number, rest = split_coefficient(strength)
    most = _largest(rest, meant, short)
    return most is not None and bool(number <= 0) and bool(-number * most <= 2)


def _largest(node: MatrixExpr, meant: Definitions, short: frozenset[MatrixSymbol]) -> Number | None:
    """What no entry of the node exceeds, where none is negative; None if that is not seen."""
    number, rest = split_coefficient(_meaning(node, meant))
    found: Number | None = None
    match rest:
        case MatMul() if (keys := {*squared_lengths(rest).values()}) and keys <= short:
            found = S.One
        case Broadcast(args=(scalar, _, _)):
            found = _largest(scalar, meant, short)
        case HadamardProduct(args=factors):
            parts = [_largest(factor, meant, short) for factor in factors]
            found = None if None in parts else prod(parts)
        case Elementwise() if not rest.parameters and rest.function.range.inf >= 0:
            found = rest.function.range.sup
    return None if found is None or number < 0 or not found.is_finite else number * found
