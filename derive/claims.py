"""Claims as values: relations, sentences with slots, bounds, theorems with their proofs.

In: expressions. Out: frozen values that `bounds` states and reports print.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Basic, Expr, MatrixExpr


@dataclass(frozen=True)
class Relation:
    """Two expressions and the sign between them."""

    left: Basic
    sign: str
    right: Basic


@dataclass(frozen=True)
class Line:
    """A sentence whose slots {0}, {1}, … hold expressions, relations or step numbers."""

    text: str
    slots: tuple[Basic | Relation | int, ...] = ()


@dataclass(frozen=True)
class Bound:
    """`quantity ≤ expression` (upper) or `≥` (lower), under the assumptions."""

    quantity: Expr
    side: str
    expression: Expr
    assumptions: tuple[Line, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse a side that is neither.

        Raises:
            ValueError: if `side` is not "upper" or "lower".
        """
        if self.side not in {"upper", "lower"}:
            raise ValueError(f"side is 'upper' or 'lower', came {self.side!r}")

    @property
    def relation(self) -> Relation:
        """The bound as an inequality."""
        return Relation(self.quantity, "≤" if self.side == "upper" else "≥", self.expression)


@dataclass(frozen=True)
class Theorem:
    """A claim on the product of step Jacobians: assumptions, proof, and its limits.

    `verdict` is one sentence for page one; `entries` define the matrix N_t where the theorem
    uses one; `rate` is r and `supremum` the value of γ in it where the bound is r^{t−k};
    `matrices` are the constant factors of the step Jacobian there.
    """

    name: str
    assumptions: tuple[Line, ...]
    statement: tuple[Line, ...]
    bound: Bound | None
    consequences: tuple[Line, ...]
    proof: tuple[Line, ...]
    silent: tuple[Line, ...]
    verdict: Line
    advice: Line
    sources: tuple[str, ...]
    entries: tuple[Relation, ...] = ()
    rate: Expr | None = None
    supremum: Expr | None = None
    matrices: tuple[MatrixExpr, ...] = ()
