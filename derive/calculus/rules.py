"""One rule per node: its vector–Jacobian product, and its Jacobian as a matrix.

In: a node and the cotangent ȳ of its value (or the Jacobians of its arguments). Out: the
cotangents of its arguments (or the Jacobian of the node). Numerator layout; column vectors.
`VJP_RULES` and `JACOBIAN_RULES` are the two interpretations of the expression language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from sympy import MatAdd, MatMul, MatrixExpr, Number, OneMatrix, S, Transpose, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.language.expr import (
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    Softmax,
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
from derive.language.functions import primed
from derive.language.pairs import AtLeast, Below, Maximum, Minimum

Node: TypeAlias = MatrixExpr
Pullback = Callable[[Node, Node, Node], tuple[Node, ...]]
Pushforward = Callable[[Node, Node, tuple[Node, ...]], Node]


@dataclass(frozen=True)
class Rule:
    """How a cotangent passes a node, and what the textbook calls it.

    `pullback(y_bar, y, node)` gives the cotangents of the node's operands; y is the name of the
    node's value where it has one, so that a rule may be written through the output.
    """

    name: str
    pullback: Pullback


def vjp_sum(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = Σ aᵢ: every term receives ȳ."""
    return tuple(y_bar for _ in node.args)


def vjp_product(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = c A b: Ā = c ȳ bᵀ, b̄ = c Aᵀ ȳ.

    Raises:
        ValueError: for more than two matrices; `naming` gives inner products a name.
    """
    y_bar = scale(split_coefficient(node)[0], y_bar)
    match operands(node):
        case (a,):
            return (y_bar,)
        case (OneMatrix() as ones, b) if ones.shape[0] == 1:
            return product(y_bar, transpose(b)), broadcast(y_bar, b.shape)
        case (a, b):
            return product(y_bar, transpose(b)), product(transpose(a), y_bar)
    raise ValueError(f"a product of {len(node.args)} factors: name the inner ones first")


def vjp_hadamard(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = a ⊙ b ⊙ …: each factor receives ȳ times the others."""
    return tuple(hadamard(y_bar, *others) for _, others in _each_and_others(node.args))


def vjp_quotient(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = a ⊘ b: ā = ȳ ⊘ b, b̄ = −ȳ ⊙ y ⊘ b."""
    b = node.args[1]
    return quotient(y_bar, b), negate(quotient(hadamard(y_bar, y), b))


def vjp_maximum(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = max(a, b): ā = ȳ ⊙ [a ≥ b], b̄ = ȳ ⊙ [a < b]; of two equal numbers the first."""
    a, b = node.args
    return hadamard(y_bar, AtLeast(a, b)), hadamard(y_bar, Below(a, b))


def vjp_minimum(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = min(a, b): ā = ȳ ⊙ [b ≥ a], b̄ = ȳ ⊙ [b < a]; of two equal numbers the first."""
    a, b = node.args
    return hadamard(y_bar, AtLeast(b, a)), hadamard(y_bar, Below(b, a))


def vjp_elementwise(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = φ(a): ā = ȳ ⊙ φ′(a)."""
    return (hadamard(y_bar, Slope(*node.args)),)


def vjp_softmax(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = softmax(a): ā = y ⊙ (ȳ − (yᵀȳ) 𝟙)."""
    mean = broadcast(product(transpose(y), y_bar), y.shape)
    return (hadamard(y, add(y_bar, negate(mean))),)


def vjp_transpose(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = Aᵀ: Ā = ȳᵀ."""
    return (transpose(y_bar),)


def vjp_diagonal(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = diag(v): v̄ is the diagonal of Ȳ."""
    return (diagonal_part(y_bar),)


def vjp_concat(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = [a; b; …]: each part receives its own rows of ȳ."""
    starts = accumulate((part.shape[0] for part in node.args), initial=S.Zero)
    return tuple(
        Rows(y_bar, start, part.shape[0]) for start, part in zip(starts, node.args, strict=False)
    )


def vjp_broadcast(y_bar: Node, y: Node, node: Node) -> tuple[Node, ...]:
    """Y = s 𝟙: s̄ is the sum of the entries of ȳ."""
    rows, cols = node.shape
    total = product(OneMatrix(1, rows), y_bar) if rows != 1 else y_bar
    return (product(total, OneMatrix(cols, 1)) if cols != 1 else total,)


def diagonal_part(matrix: MatrixExpr) -> MatrixExpr:
    """The column of the diagonal entries; of a product A B it is (A ⊙ Bᵀ) 𝟙, without A B.

    Raises:
        TypeError: for what is no sum of products.
    """
    number, rest = split_coefficient(matrix)
    if isinstance(rest, ZeroMatrix):
        return ZeroMatrix(rest.shape[0], S.One)
    if isinstance(rest, MatAdd):
        return scale(number, add(*map(diagonal_part, rest.args)))
    if not isinstance(rest, MatMul):
        raise TypeError(f"the diagonal of {rest}: expected a product")
    left, right = rest.args[0], transpose(product(*rest.args[1:]))
    if isinstance(left, Transpose) and isinstance(right, Transpose):
        both = Transpose(hadamard(left.arg, right.arg))
    else:
        both = hadamard(left, right)
    columns = both.shape[1]
    return scale(number, product(both, OneMatrix(columns, 1)) if columns != 1 else both)


VJP_RULES: Final[dict[type, Rule]] = {
    MatAdd: Rule("sum rule", vjp_sum),
    MatMul: Rule("matrix product", vjp_product),
    HadamardProduct: Rule("product rule for ⊙", vjp_hadamard),
    Quotient: Rule("quotient rule for ⊘", vjp_quotient),
    Maximum: Rule("larger of two", vjp_maximum),
    Minimum: Rule("smaller of two", vjp_minimum),
    Elementwise: Rule("chain rule", vjp_elementwise),
    Softmax: Rule("Jacobian of softmax", vjp_softmax),
    Transpose: Rule("transpose", vjp_transpose),
    DiagMatrix: Rule("diagonal", vjp_diagonal),
    Concat: Rule("parts of a stack", vjp_concat),
    Broadcast: Rule("sum over entries", vjp_broadcast),
}


def jacobian_sum(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂(Σ aᵢ) = Σ ∂aᵢ, terms with one matrix put together: diag(u) M + diag(v) M = diag(u+v) M."""
    return collected(add(*parts))


def jacobian_product(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂(c A b) = c A ∂b, for A free of the variable."""
    number, _ = split_coefficient(node)
    return scale(number, product(*operands(node)[:-1], parts[-1]))


def jacobian_hadamard(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂(a ⊙ b) = diag(b) ∂a + diag(a) ∂b."""
    return collected(
        add(
            *(
                product(diagonal(hadamard(*others)), part)
                for (_, others), part in zip(_each_and_others(node.args), parts, strict=True)
            )
        )
    )


def jacobian_quotient(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂(a ⊘ b) = diag(𝟙 ⊘ b) ∂a − diag(y ⊘ b) ∂b."""
    b = node.args[1]
    return add(
        product(diagonal(quotient(OneMatrix(*node.shape), b)), parts[0]),
        negate(product(diagonal(quotient(y, b)), parts[1])),
    )


def jacobian_maximum(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂max(a, b) = diag([a ≥ b]) ∂a + diag([a < b]) ∂b."""
    a, b = node.args
    first, second = diagonal(AtLeast(a, b)), diagonal(Below(a, b))
    return collected(add(product(first, parts[0]), product(second, parts[1])))


def jacobian_minimum(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂min(a, b) = diag([b ≥ a]) ∂a + diag([b < a]) ∂b."""
    a, b = node.args
    first, second = diagonal(AtLeast(b, a)), diagonal(Below(b, a))
    return collected(add(product(first, parts[0]), product(second, parts[1])))


def jacobian_step(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂[a ≥ b] = 0 but where a = b, where it jumps."""
    return ZeroMatrix(node.shape[0], parts[0].shape[1])


def jacobian_elementwise(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂φ(a) = diag(φ′(a)) ∂a."""
    return product(diagonal(Slope(*node.args)), parts[0])


def jacobian_slope(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂φ′(a) = diag(φ″(a)) ∂a: what the step Jacobian itself is differentiated by."""
    name, *rest = node.args
    return product(diagonal(Slope(primed(name.name), *rest)), parts[0])


def jacobian_softmax(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂softmax(a) = (diag(y) − y yᵀ) ∂a."""
    return product(add(diagonal(y), negate(product(y, transpose(y)))), parts[0])


def jacobian_concat(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂[a; b] = [∂a; ∂b]."""
    return Concat(*parts)


def jacobian_broadcast(y: Node, node: Node, parts: tuple[Node, ...]) -> Node:
    """∂(s 𝟙) = 𝟙 ∂s."""
    return product(OneMatrix(node.shape[0], 1), parts[0])


JACOBIAN_RULES: Final[dict[type, Pushforward]] = {
    MatAdd: jacobian_sum,
    MatMul: jacobian_product,
    HadamardProduct: jacobian_hadamard,
    Quotient: jacobian_quotient,
    Maximum: jacobian_maximum,
    Minimum: jacobian_minimum,
    AtLeast: jacobian_step,
    Below: jacobian_step,
    Elementwise: jacobian_elementwise,
    Slope: jacobian_slope,
    Softmax: jacobian_softmax,
    Concat: jacobian_concat,
    Broadcast: jacobian_broadcast,
}


def _each_and_others(
    factors: tuple[Node, ...],
) -> tuple[tuple[Node, tuple[Node, ...]], ...]:
    return tuple(
        (factor, factors[:place] + factors[place + 1 :]) for place, factor in enumerate(factors)
    )


def collected(total: Node) -> Node:
    """A sum of diag(d_j) M_j with equal M_j put together, and what their d_j share in front.

    Equal terms c_j M without a diagonal in front become (Σ c_j) M.
    """
    if not isinstance(total, MatAdd):
        return total
    groups: dict[tuple[Node, ...] | Node, list[Node]] = {}
    for term in total.args:
        number, rest = split_coefficient(term)
        factors = rest.args if isinstance(rest, MatMul) else (rest,)
        if isinstance(factors[0], DiagMatrix):
            groups.setdefault(factors[1:], []).append(scale(number, factors[0].args[0]))
        else:
            groups.setdefault(rest, []).append(term)
    return add(
        *(
            product(diagonal(_factored(terms)), *key)
            if isinstance(key, tuple)
            else scale(sum((split_coefficient(term)[0] for term in terms), S.Zero), key)
            for key, terms in groups.items()
        )
    )


def _factored(vectors: list[Node]) -> Node:
    """The sum of vectors with the factors of ⊙ that all of them have taken out."""
    if len(vectors) == 1:
        return vectors[0]
    split = [split_coefficient(vector) for vector in vectors]
    factors = [
        list(rest.args) if isinstance(rest, HadamardProduct) else [rest] for _, rest in split
    ]
    shared = []
    for factor in tuple(factors[0]):
        if all(factor in others for others in factors):
            shared.append(factor)
            for others in factors:
                others.remove(factor)
    one = OneMatrix(*vectors[0].shape)
    counts: dict[Node, Number] = {}
    for (number, _), others in zip(split, factors, strict=True):
        rest = hadamard(*others) if others else one
        counts[rest] = counts.get(rest, S.Zero) + number
    terms = sorted(counts.items(), key=lambda term: bool(term[1].is_negative))
    return hadamard(add(*(scale(number, rest) for rest, number in terms)), *shared)
