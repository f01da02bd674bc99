"""`bptt show`: a cell's equations, gradients through time and step Jacobian, as text or LaTeX."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

from derive.calculus.through_time import differentiate
from derive.cell import Cell, dimensions
from derive.network import Network
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.right_sides import right_side
from derive.typeset.text import Text
from reports.arguments.network_flags import network_from
from reports.arguments.which_cell import checked_cell
from reports.sections.facts import Facts
from reports.sections.network_facts import NetworkFacts
from reports.sections.page_one import count
from reports.terminal.console import Answer, colours_wanted
from reports.terminal.derivation import show_latex, show_network_latex, show_network_text, show_text

_ACCENT: Final = ("\x1b[31m", "\x1b[39m")


def run(arguments: Namespace) -> Answer:
    """Everything derived of one cell; on a terminal with cotangents in the accent colour.

    Raises:
        CommandError: if there is no such cell.
        CellError: if the cell cannot be.
    """
    cell = checked_cell(arguments.cell)
    network = network_from(arguments, cell)
    if arguments.json:
        return Answer(data=_facts(cell, arguments.format, network, arguments.language))
    accent = _ACCENT if colours_wanted() else ("", "")
    return Answer(text=_text(network or cell, arguments.format, accent, arguments.language))


def _text(
    subject: Cell | Network, form: str, accent: tuple[str, str] = ("", ""),
    language: str = "en",
) -> str:  # fmt: skip
    """What is derived of a cell or a network, in one of the two forms."""
    if isinstance(subject, Network):
        if form == "latex":
            return show_network_latex(subject, language)
        return show_network_text(subject, accent, language)
    if form == "latex":
        return show_latex(subject, language)
    return show_text(subject, accent, language)


def _facts(
    cell: Cell, form: str, network: Network | None = None, language: str = "en"
) -> dict[str, Any]:
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
            group: {
                symbol.name: dimensions(symbol, group in {"inputs", "states"})
                for symbol in getattr(cell, group)
            }
            for group in groups
        },
        "parameter_count": spell(count(cell.parameters)),
        "steps": [
            {
                "number": step.number,
                "part": step.part,
                "left": spell(layout.of(step.equation.target)),
                "right": spell(right_side(layout, step.equation.target, step.equation.value)),
                "rule": step.rule,
            }
            for step in derivation.steps
        ],
        "format": form,
        "text": _text(network or cell, form, language=language),
        **({"network": network.name, "joins": _joins(network, spell)} if network else {}),
    }


def _joins(network: Network, spell: Latex | Text) -> list[dict[str, Any]]:
    """How the parts of a network join: each equation with its number and its rule."""
    facts = NetworkFacts(network, Facts(differentiate(network.cell)))
    layout = facts.layout
    return [
        {
            "number": facts.number(join),
            "part": join.part,
            "left": spell(layout.of(join.equation.target)),
            "right": spell(layout.of(join.equation.value)),
            "rule": join.rule,
        }
        for join in facts.joined.joins
    ]
