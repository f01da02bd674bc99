"""Symbols: a cell's equations, its derivation through time, its step Jacobian and bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazy import lazily

if TYPE_CHECKING:
    from derive.calculus.through_time import Derivation, differentiate
    from derive.cell import Cell, Equation, catalogue
    from derive.language.syntax import CellError
    from derive.network import Network

__all__ = ["Cell", "CellError", "Derivation", "Equation", "Network", "catalogue", "differentiate"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "derive.calculus.through_time": ["Derivation", "differentiate"],
        "derive.cell": ["Cell", "Equation", "catalogue"],
        "derive.language.syntax": ["CellError"],
        "derive.network": ["Network"],
    },
)
