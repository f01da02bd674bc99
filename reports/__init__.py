"""Words and pictures: a cell's derivation, code, verification and bounds as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazy import lazily

if TYPE_CHECKING:
    from reports.terminal.derivation import show_latex, show_text
    from reports.write import write_network_report, write_report

__all__ = ["show_latex", "show_text", "write_network_report", "write_report"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "reports.terminal.derivation": ["show_latex", "show_text"],
        "reports.write": ["write_network_report", "write_report"],
    },
)
