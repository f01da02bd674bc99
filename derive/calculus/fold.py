"""One fold over the blocks of a step Jacobian: what a block is worth, form by form.

In: a block, made of sums, products with a number in front, diagonals, identities, zeros, stacks,
names of other blocks, maps, and other matrices (weights, parts of them, the yᵀ of a softmax).
Out: its value in an `Algebra`, which has one method for each form. Norms, enclosures, products
with vectors and text all are algebras; the grammar of blocks is known here alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NoReturn, TypeVar

from sympy import Expr, Identity, MatAdd, MatMul, MatrixExpr, Number, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.language.expr import Concat, Partial, split_coefficient
from derive.language.maps import LinearMap

Value = TypeVar("Value")


class NoValueError(TypeError):
    """A block has a form that the algebra gives no value to."""


class Algebra(Generic[Value]):
    """The value of each form, given those of its parts; a form left out has none.

    The methods raise `NoValueError`, which names the algebra and the form.
    """

    def of(self, block: MatrixExpr) -> Value:
        """The value of a block."""
        match block:
            case ZeroMatrix():
                return self.zero(block)
            case Identity():
                return self.identity(block.shape[0])
            case DiagMatrix(args=(column,)):
                return self.diagonal(column)
            case Partial():
                return self.named(block)
            case LinearMap():
                return self.linear_map(block)
            case MatAdd(args=terms) if not self.is_whole(block):
                return self.sum([self.of(term) for term in terms])
            case Concat(args=parts) if not self.is_whole(block):
                return self.stack([self.of(part) for part in parts])
            case MatMul() if not self.is_whole(block):
                number, rest = split_coefficient(block)
                factors = rest.args if isinstance(rest, MatMul) else (rest,)
                return self.product(number, [self.of(factor) for factor in factors])
        return self.matrix(block)

    def is_whole(self, block: MatrixExpr) -> bool:
        """Whether a sum, product or stack is taken as one matrix, its parts unseen."""
        return False

    def zero(self, block: ZeroMatrix) -> Value:
        """0."""
        self._refuse(f"the zero block {block}")

    def identity(self, extent: Expr) -> Value:
        """I of that size."""
        self._refuse("an identity")

    def diagonal(self, column: MatrixExpr) -> Value:
        """diag(d)."""
        self._refuse(f"the diagonal of {column}")

    def named(self, block: Partial) -> Value:
        """A block that another line writes out."""
        self._refuse(f"the bare name {block}")

    def sum(self, terms: Sequence[Value]) -> Value:
        """A + B + …."""
        self._refuse("a sum")

    def stack(self, parts: Sequence[Value]) -> Value:
        """[A; B; …], one below the other."""
        self._refuse("a stack")

    def product(self, number: Number, factors: Sequence[Value]) -> Value:
        """C A B …."""
        self._refuse("a product")

    def linear_map(self, block: LinearMap) -> Value:
        """A block that is said by what it makes of a change."""
        self._refuse("a map")

    def erasing(self, strength: MatrixExpr) -> Value:
        """Of norms: max(1, max_i |1 + d_i|), that of I + d_i k kᵀ/‖k‖² over the rows i."""
        self._refuse(f"what erases by {strength}")

    def matrix(self, block: MatrixExpr) -> Value:
        """Any other matrix."""
        self._refuse(f"the matrix {block}")

    def _refuse(self, form: str) -> NoReturn:
        raise NoValueError(f"{type(self).__name__} gives no value to {form}")
