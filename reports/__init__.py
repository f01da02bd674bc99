"""Words and pictures: a cell's derivation, code, verification and bounds as one document."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reports.terminal.derivation import show_latex, show_text
    from reports.write import write_report

__all__ = ["show_latex", "show_text", "write_report"]

_HOMES: Final = {
    "write_report": "reports.write",
    "show_text": "reports.terminal.derivation",
    "show_latex": "reports.terminal.derivation",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: the command answers without SymPy.

    Raises:
        AttributeError: for any other name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'reports' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
