"""Symbols: a cell's equations, its derivation through time, its step Jacobian and bounds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from derive.calculus.through_time import Derivation, differentiate
    from derive.cell import Cell, Equation, catalogue
    from derive.language.syntax import CellError
    from derive.network import Network

__all__ = ["Cell", "CellError", "Derivation", "Equation", "Network", "catalogue", "differentiate"]

_HOMES: Final = {
    "Cell": "derive.cell", "Equation": "derive.cell", "catalogue": "derive.cell",
    "CellError": "derive.language.syntax", "Network": "derive.network",
    "Derivation": "derive.calculus.through_time", "differentiate": "derive.calculus.through_time",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: SymPy takes a second that `--help` saves.

    Raises:
        AttributeError: for any other name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'derive' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
