"""A recurrent operator of ONNX as a value: its name, and its matrices made of a cell's parameters.

In: names and sizes of a cell. Out: `RecurrentNode`: who finds that a cell is one makes it, and
`to_onnx` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sympy import Expr

Span = tuple[Expr, Expr]


@dataclass(frozen=True)
class Term:
    """A piece of a parameter, so many rows and columns from a start or all, times a number."""

    parameter: str
    factor: Fraction
    rows: Span
    columns: Span
    whole: bool = True
    transposed: bool = False


@dataclass(frozen=True)
class Gate:
    """The rows of one gate: a sum of terms and of a number."""

    shape: tuple[Expr, Expr]
    terms: tuple[Term, ...]
    offset: float = 0.0


@dataclass(frozen=True)
class RecurrentNode:
    """An RNN, GRU or LSTM of so many units, by the names of a cell.

    `hidden` is the cell's letter for the units; B has the gates of both biases, P of peepholes.
    `output` is the cell's name of Y, `carried` that of the state of which the node gives the last
    value alone. `said`: the matrices in words.
    """

    kind: str
    units: int
    hidden: str
    attributes: Mapping[str, Any]
    W: tuple[Gate, ...]
    R: tuple[Gate, ...]
    B: tuple[Gate, ...]
    P: tuple[Gate, ...] = ()
    output: str = "h"
    carried: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a node of no units.

        Raises:
            ValueError: for fewer than one.
        """
        if self.units < 1:
            raise ValueError(f"a node of {self.units} units: expected 1 or more")

    @property
    def last(self) -> str | None:
        """What the output of the last value is called."""
        return None if self.carried is None else f"{self.carried}_last"
