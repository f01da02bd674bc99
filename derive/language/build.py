"""Syntax trees → matrix expressions, every shape inferred.

In: the assignments of a cell and what it declares. Out: `Reading`: symbols by role, equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sympy import Integer, MatMul, MatrixExpr, MatrixSymbol, Number, OneMatrix, Rational, zoo
from sympy.matrices.expressions import DiagMatrix

from derive.language.expr import (
    SCALAR,
    VECTOR_FUNCTIONS,
    Concat,
    Elementwise,
    Shape,
    add,
    broadcast,
    diagonal,
    hadamard,
    negate,
    product,
    quotient,
    scale,
    split_coefficient,
    symbols_of,
    transpose,
)
from derive.language.matrices import DIAG, OUTER
from derive.language.pairs import PAIR_FUNCTIONS
from derive.language.reductions import REDUCTIONS, total
from derive.language.shapes import Shapes
from derive.language.syntax import PREVIOUS, Assignment, Node

MAX_POWER: Final = 12  # of the factors that a power is written out in


@dataclass(frozen=True)
class Reading:
    """What the text of a cell says: its symbols by role and its equations, in order."""

    inputs: tuple[MatrixSymbol, ...]
    states: tuple[MatrixSymbol, ...]
    parameters: tuple[MatrixSymbol, ...]
    constants: tuple[MatrixSymbol, ...]
    outputs: tuple[MatrixSymbol, ...]
    equations: tuple[tuple[MatrixSymbol, MatrixExpr], ...]


def _scales(node: Node, parts: Sequence[MatrixExpr | Number]) -> bool:
    """Whether a node multiplies, turns or negates its parts, and adds none of them."""
    numbers = [isinstance(part, Number) for part in parts]
    by_number = (node.kind == "*" and any(numbers)) or (node.kind == "/" and numbers[-1])
    return by_number or node.kind in {"@", "negate", "transpose"}


@dataclass(frozen=True)
class _Builder:
    """Builds the expression of each node from its shape and its parts.

    `given` holds the names that are no parameters: what may change with time.
    """

    shapes: Shapes
    given: frozenset[str]

    def build(self, node: Node) -> MatrixExpr | Number:
        """The expression of a node; numbers stay numbers until they meet a matrix."""
        parts = [self.build(child) for child in node.children]
        if not _scales(node, parts):
            for child, part in zip(node.children, parts, strict=True):
                self.matrix_of_its_own(part, child)
        match node.kind:
            case "number":
                return Rational(node.value)
            case "name":
                return self.shapes.symbol(node.value)
            case "negate":
                return -parts[0] if isinstance(parts[0], Number) else negate(parts[0])
            case "transpose":
                return transpose(self.matrix(parts[0], node))
            case "@":
                left, right = (self.matrix(part, node) for part in parts)
                if isinstance(left, DiagMatrix) and right.shape[1] == 1:
                    return hadamard(left.args[0], right)
                return self.applied(left, right)
            case "call":
                return self.build_call(node, parts)
        return self.combine(node, parts[0], parts[1])

    def matrix_of_its_own(self, part: MatrixExpr | Number, node: Node) -> None:
        """Refuse diag(v) where it is no factor of a product: it has no rule as a matrix there.

        Raises:
            CellError: naming the place.
        """
        if not isinstance(part, Number) and isinstance(split_coefficient(part)[1], DiagMatrix):
            raise self.shapes.error(
                "diag(…) stands beside `@` alone, where it scales rows or columns, diag(f) @ S or "
                "S @ diag(g); it is neither added nor given to a function",
                node,
            )

    def applied(self, left: MatrixExpr, right: MatrixExpr) -> MatrixExpr:
        """The product; of u vᵀ and w, in which something may change with time, u times vᵀw.

        One number left or right of `@` multiplies each entry.
        """
        if SCALAR in {left.shape, right.shape}:
            shape = right.shape if left.shape == SCALAR else left.shape
            return hadamard(broadcast(left, shape), broadcast(right, shape))
        number, rest = split_coefficient(left)
        factors = rest.args if isinstance(rest, MatMul) else (rest,)
        rows = [place for place, factor in enumerate(factors) if factor.shape[0] == 1]
        names = {symbol.name.removesuffix(PREVIOUS) for symbol in symbols_of(left)}
        if not rows or right.shape[1] != 1 or right.shape[0] == 1 or not names & self.given:
            return product(left, right)
        row, before = product(*factors[rows[-1] :]), factors[: rows[-1]]
        whole = total(hadamard(transpose(row), right))
        if before:
            column = product(*before)
            whole = hadamard(column, broadcast(whole, column.shape))
        return scale(number, whole)

    def combine(
        self, node: Node, left: MatrixExpr | Number, right: MatrixExpr | Number
    ) -> MatrixExpr | Number:
        if isinstance(left, Number) and isinstance(right, Number):
            value = {"+": left + right, "-": left - right, "*": left * right}.get(node.kind)
            if value is None:
                value = zoo if right == 0 else left / right
            if value is zoo:
                raise self.shapes.error("division by zero", node)
            return value
        if isinstance(left, Number) and node.kind == "*":
            return scale(left, right)
        if isinstance(right, Number) and node.kind in "*/":
            if node.kind == "/" and right == 0:
                raise self.shapes.error("division by zero", node)
            return scale(right if node.kind == "*" else 1 / right, left)
        shape = self.shapes.shape_of(node)
        left, right = (self.spread(side, shape) for side in (left, right))
        match node.kind:
            case "+":
                return add(left, right)
            case "-":
                return add(left, negate(right))
            case "*":
                return hadamard(left, right)
        return quotient(left, right)

    def build_call(self, node: Node, parts: list[MatrixExpr | Number]) -> MatrixExpr:
        if node.value in PAIR_FUNCTIONS:
            shape = self.shapes.shape_of(node)
            if all(isinstance(part, Number) for part in parts):
                raise self.shapes.error(f"{node.value} of numbers: write the value itself", node)
            return PAIR_FUNCTIONS[node.value](*(self.spread(part, shape) for part in parts))
        if node.value in REDUCTIONS:
            row = REDUCTIONS[node.value]
            *columns, number = parts if len(parts) > row.columns else [*parts, Integer(0)]
            return row.write(tuple(self.matrix(part, node) for part in columns), number)
        if node.value == "power":
            return self.power(node, self.matrix(parts[0], node), parts[1])
        if node.value == "concat":
            columns = [self.matrix(part, node) for part in parts]
            return Concat(*columns) if len(columns) > 1 else columns[0]
        if node.value == OUTER:
            left, right = (self.matrix(part, node) for part in parts)
            return product(left, transpose(right))
        if node.value == DIAG:
            return diagonal(self.matrix(parts[0], node))
        argument = self.matrix(parts[0], node)
        if node.value in VECTOR_FUNCTIONS:
            return VECTOR_FUNCTIONS[node.value](argument)
        for child, part in zip(node.children[1:], parts[1:], strict=True):
            if not isinstance(part, Number) or part <= 0:
                raise self.shapes.error(
                    f"after its argument {node.value} takes positive numbers", child
                )
        return Elementwise(node.value, argument, *parts[1:])

    def spread(self, side: MatrixExpr | Number, shape: Shape) -> MatrixExpr:
        """A side of an operation in the shape of the whole."""
        if isinstance(side, Number):
            return scale(side, OneMatrix(*shape))
        return broadcast(side, shape)

    def power(self, node: Node, base: MatrixExpr, exponent: MatrixExpr | Number) -> MatrixExpr:
        """a^p: whole powers as products, roots as roots, any other as exp(p log a)."""
        if not isinstance(exponent, Number) or exponent == 0 or abs(exponent) > MAX_POWER:
            raise self.shapes.error(
                f"power takes a number other than 0, at most {MAX_POWER}, as the exponent",
                node.children[1],
            )
        size = abs(exponent)
        if size.q == 1:
            raised = hadamard(*[base] * int(size))
        elif size.q == 2:
            root = Elementwise("sqrt", base)
            raised = hadamard(*[base] * int(size.p // 2), root)
        else:
            return Elementwise("exp", scale(exponent, Elementwise("log", base)))
        return raised if exponent > 0 else quotient(OneMatrix(*base.shape), raised)

    def matrix(self, part: MatrixExpr | Number, node: Node) -> MatrixExpr:
        if isinstance(part, Number):
            raise self.shapes.error("expected a vector or a matrix, came a number", node)
        return part


def read(
    assignments: tuple[Assignment, ...],
    *,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...] = (),
    constants: tuple[str, ...] = (),
    scalars: tuple[str, ...] = (),
    matrices: tuple[str, ...] = (),
    sizes: Mapping[str, str] | None = None,
    cell: str = "",
    text: str = "",
) -> Reading:
    """The symbols and equations that the assignments mean.

    Raises:
        CellError: where a name or a shape cannot be, with line and column.
    """
    shapes = Shapes(
        assignments, inputs, constants, scalars, matrices, sizes or {}, cell, text, outputs
    )
    shapes.run()
    given = {*inputs, *constants, *(assignment.target.value for assignment in assignments)}
    builder = _Builder(shapes, frozenset(given))
    equations = []
    for assignment in assignments:
        target = shapes.symbol(assignment.target.value)
        value = builder.matrix(builder.build(assignment.value), assignment.value)
        builder.matrix_of_its_own(value, assignment.value)
        equations.append((target, broadcast(value, target.shape)))
    free = (
        node.value
        for assignment in assignments
        for node in assignment.value.walk()
        if node.kind == "name" and node.value.removesuffix(PREVIOUS) not in given
    )
    return Reading(
        inputs=tuple(map(shapes.symbol, inputs)),
        states=tuple(map(shapes.symbol, shapes.states)),
        parameters=tuple(map(shapes.symbol, dict.fromkeys(free))),
        constants=tuple(map(shapes.symbol, constants)),
        outputs=tuple(map(shapes.symbol, outputs)),
        equations=tuple(equations),
    )
