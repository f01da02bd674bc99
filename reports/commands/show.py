"""`bptt show`: a cell's equations, gradients through time and step Jacobian, as text or LaTeX."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

from derive.bptt import differentiate
from derive.cell import Cell, dimensions
from derive.layout import Layout
from derive.typeset import Latex, Text
from reports.commands.cells import find_cell
from reports.console import Answer, colours_wanted
from reports.glance import count
from reports.show import show_latex, show_text

_ACCENT: Final = ("\x1b[31m", "\x1b[39m")


def run(arguments: Namespace) -> Answer:
    """Everything derived of one cell; on a terminal with cotangents in the accent colour.

    Raises:
        CommandError: if there is no such cell.
        CellError: if the cell cannot be.
    """
    cell = find_cell(arguments.cell)
    if arguments.json:
        return Answer(data=_facts(cell, arguments.format))
    if arguments.format == "latex":
        return Answer(text=show_latex(cell))
    return Answer(text=show_text(cell, _ACCENT if colours_wanted() else ("", "")))


def _facts(cell: Cell, form: str) -> dict[str, Any]:
    """What the text says, in parts: symbols with their sizes, and every step with its rule."""
    derivation = differentiate(cell)
    layout = Layout(cell.notation)
    spell = Latex() if form == "latex" else Text()
    groups = ("inputs", "states", "parameters", "constants")
    return {
        "cell": cell.name,
        "title": cell.title,
        "source": cell.source,
        "digest": cell.digest,
        **{
            group: {symbol.name: dimensions(symbol) for symbol in getattr(cell, group)}
            for group in groups
        },
        "parameter_count": spell(count(cell.parameters)),
        "steps": [
            {
                "number": step.number,
                "part": step.part,
                "left": spell(layout.of(step.equation.target)),
                "right": spell(layout.of(step.equation.value)),
                "rule": step.rule,
            }
            for step in derivation.steps
        ],
        "format": form,
        "text": show_latex(cell) if form == "latex" else show_text(cell),
    }
