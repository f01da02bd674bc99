"""Claims as values: relations, sentences with slots, bounds, theorems with their proofs.

In: expressions. Out: frozen values that `theorems` states and reports print; and the works that
theorems cite, each once. A title stands where it was read; else author, year and arXiv number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from sympy import Basic, Expr, MatrixExpr


@dataclass(frozen=True)
class Relation:
    """Two expressions and the sign between them."""

    left: Basic
    sign: str
    right: Basic


Slot: TypeAlias = Basic | Relation | int | str | tuple[Basic | Relation, ...]


@dataclass(frozen=True)
class Line:
    """A sentence by its key, "theorem.sentence", and what its slots {0}, {1}, … hold.

    An integer is the number of a step, a text a numeral, a tuple an enumeration: a, b and c.
    """

    key: str
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Display:
    """Relations set off from the text, aligned at their signs."""

    relations: tuple[Relation, ...]


Part = Line | Display


@dataclass(frozen=True)
class Bound:
    """`quantity ≤ expression` (upper) or `≥` (lower)."""

    quantity: Expr
    side: str
    expression: Expr

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

    `name` is its table in the files of sentences, by which other theorems refer to it. `entries`
    define the letters of the statement. The first theorem of a cell has also `verdict`, sentences
    for page one of which the first stands on its own, and `advice`; where its bound is r^{t−k},
    `rate` is r, `supremum` the value of γ in it and `matrices` are the constant factors of the
    step Jacobian.
    """

    name: str
    assumptions: tuple[Line, ...]
    statement: tuple[Part, ...]
    bound: Bound | None
    consequences: tuple[Part, ...]
    proof: tuple[Line, ...]
    silent: tuple[Line, ...]
    sources: tuple[str, ...] = ()
    entries: tuple[Relation, ...] = ()
    verdict: tuple[Line, ...] = ()
    advice: tuple[Line, ...] = ()
    rate: Expr | None = None
    supremum: Expr | None = None
    matrices: tuple[MatrixExpr, ...] = ()

    @property
    def is_undecided(self) -> bool:
        """Whether the verdict needs more than the equations."""
        return any(line.key.startswith("shared.undecided") for line in self.verdict[:1])

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every sentence of the claim, its proof and its limits."""
        said = (*self.statement, *self.consequences)
        return (*self.assumptions, *(part for part in said if isinstance(part, Line)),
                *self.proof, *self.silent, *self.verdict, *self.advice)  # fmt: skip


PASCANU: Final = (
    "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, "
    "ICML, arXiv:1211.5063"
)
MILLER: Final = "Miller and Hardt 2019, Stable recurrent models, ICLR, arXiv:1805.10369"
TERZI: Final = (
    "Terzi, Bonassi, Farina and Scattolini 2021, Learning model predictive control with long "
    "short-term memory networks"
)
BONASSI: Final = (
    "Bonassi, Farina and Scattolini 2021, On the stability properties of gated recurrent units "
    "neural networks, arXiv:2011.06806"
)
YOSHIHARA: Final = "Yoshihara et al. 2025, arXiv:2505.17696"
KANAI: Final = (
    "Kanai, Fujiwara and Iwamura 2017, Preventing gradient explosions in gated recurrent units, "
    "NIPS"
)
HOCHREITER: Final = "Hochreiter and Schmidhuber 1997"
PACKARD: Final = "Packard and Doyle 1993, The complex structured singular value, Automatica 29"
BOYD: Final = (
    "Boyd, El Ghaoui, Feron and Balakrishnan 1994, Linear matrix inequalities in system and "
    "control theory, SIAM"
)
KOUTNIK: Final = "Koutník, Greff, Gomez and Schmidhuber 2014, A clockwork RNN, ICML"
