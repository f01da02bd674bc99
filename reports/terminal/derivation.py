"""What `bptt show` prints: equations, shapes, adjoint equations, recursion, Jacobian, chain.

In: a cell. Out: plain text, or LaTeX for a document with amsmath and amssymb.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from sympy import MatrixSymbol

from derive.calculus.through_time import Step, differentiate
from derive.cell import Cell, cell_of
from derive.network import Network
from derive.typeset.boxes import Box, row
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout, Notation, space_of
from derive.typeset.text import Text
from reports.document.model import EquationRow, Equations, Inlines, Math
from reports.document.words import Speaker
from reports.sections.derivation import rule_note
from reports.sections.facts import Facts, notation_of
from reports.sections.network_facts import NetworkFacts, network_count
from reports.sections.page_one import count

PARTS: Final = {
    "forward": "Forward", "adjoint": "One step back", "recursion": "Recursion through time",
    "gradients": "Gradients", "jacobian": "Step Jacobian", "chain": "Product chain",
    "pairs": "Gradients as sums over pairs of times",
}  # fmt: skip

JOINS: Final = {
    "table": "From an index to the input", "up": "From layer to layer", "readout": "Readout",
    "loss": "The loss, backward", "readout gradients": "Gradients of the readout",
    "top": "To the top layer", "down": "To the layer below",
    "table gradients": "From the lowest layer to the table",
}  # fmt: skip


def show_text(cell: Cell | str, mark: tuple[str, str] = ("", "")) -> str:
    """Everything on one cell as Unicode text; `mark` goes around cotangents."""
    cell = cell_of(cell)
    derivation = differentiate(cell)
    layout, text = Layout(notation_of(derivation)), Text(mark)
    plain = Text()
    lines = [f"{cell.name}: {cell.title}"]
    if cell.source:
        lines.append(cell.source)
    lines += ["", "Shapes"]
    lines += _aligned([
        (role, ", ".join(plain(row(_bare(layout, s), "∈", space_of(s))) for s in symbols))
        for role, symbols in _roles(cell)
    ])  # fmt: skip
    lines += [f"  {plain(count(cell.parameters))} parameters"]
    say = Speaker(layout)
    for part, title in PARTS.items():
        steps = derivation.part(part)
        if steps:
            lines += ["", title, *_steps(layout, text, say, steps)]
    return "\n".join(lines) + "\n"


def show_network_text(network: Network, mark: tuple[str, str] = ("", "")) -> str:
    """One layer as the cell is shown, then how layers, directions and readout join."""
    facts = NetworkFacts(network, Facts(differentiate(network.cell)))
    text = Text(mark)
    lines = [f"{network.name}: layers of {network.cell.title}", "", "One layer", ""]
    lines += [show_text(network.cell, mark).rstrip("\n"), ""]
    lines.append(f"{Text()(network_count(facts))} parameters in the whole network")
    for title, group in _joined(facts):
        lines += ["", title, *_lines(text, group.rows)]
    return "\n".join(lines) + "\n"


def show_network_latex(network: Network) -> str:
    """The same as LaTeX: an align* for each part, numbered as in the report."""
    facts, latex = NetworkFacts(network, Facts(differentiate(network.cell))), Latex()
    made = [show_latex(network.cell).rstrip("\n"),
            f"% parameters of the whole network: ${latex(network_count(facts))}$"]  # fmt: skip
    for title, group in _joined(facts):
        rows = [
            rf"{latex(row_.left)} &= {latex(row_.right)} \tag{{{row_.number}}}"
            for row_ in group.rows
        ]
        made += [f"% {title}", r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]
    return "\n".join(made) + "\n"


def _joined(facts: NetworkFacts) -> Iterator[tuple[str, Equations]]:
    """The parts of a network's story that have equations, with their titles."""
    for part, title in JOINS.items():
        if joins := facts.joined.part(part):
            yield title, facts.rows(joins)
    if facts.turned:
        yield "The reverse direction, from T to 1", facts.turned_rows()


def _bare(layout: Layout, symbol: MatrixSymbol) -> Box:
    """A symbol without its time."""
    return Layout(Notation(layout.notation.latex)).of(symbol)


def _roles(cell: Cell) -> Iterator[tuple[str, tuple[MatrixSymbol, ...]]]:
    for role in ("inputs", "states", "parameters", "constants"):
        if symbols := getattr(cell, role):
            yield role, symbols


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    first = max(len(left) for left, _ in rows)
    return [f"  {left:<{first}}  {right}" for left, right in rows]


def _steps(layout: Layout, text: Text, say: Speaker, steps: tuple[Step, ...]) -> Iterator[str]:
    return _lines(text, [
        EquationRow(layout.of(step.equation.target), layout.of(step.equation.value), step.number,
                    rule_note(say, step) if step.terms else ())
        for step in steps
    ])  # fmt: skip


def _lines(text: Text, rows: Sequence[EquationRow]) -> Iterator[str]:
    """Numbered equations, aligned at the sign, the rule behind each."""
    plain = Text()
    first = max(_columns(plain(row_.left)) for row_ in rows)
    for row_ in rows:
        pad = " " * (first - _columns(plain(row_.left)))
        note = f"    [{_words(row_.note)}]" if row_.note else ""
        number = f"({row_.number})"
        yield f"{number:>6}  {pad}{text(row_.left)} = {text(row_.right)}{note}"


def _columns(text: str) -> int:
    """How many columns a terminal gives the text: marks over a letter take none."""
    return sum(not unicodedata.combining(letter) for letter in text)


def _words(parts: Inlines) -> str:
    plain = Text()
    return "".join(plain(p.box) if isinstance(p, Math) else p.text for p in parts)


def show_latex(cell: Cell | str) -> str:
    """Everything on one cell as LaTeX: an align* for each part, numbered as in the report."""
    cell = cell_of(cell)
    derivation = differentiate(cell)
    layout, latex = Layout(notation_of(derivation)), Latex()
    made = [f"% {cell.name}: {cell.title}", f"% parameters: ${latex(count(cell.parameters))}$"]
    for part, title in PARTS.items():
        if steps := derivation.part(part):
            made += [f"% {title}", r"\begin{align*}", *_latex_steps(layout, latex, steps),
                     r"\end{align*}"]  # fmt: skip
    return "\n".join(made) + "\n"


def _latex_steps(layout: Layout, latex: Latex, steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        left, right = layout.of(step.equation.target), layout.of(step.equation.value)
        end = "" if step is steps[-1] else r" \\"
        yield rf"{latex(left)} &= {latex(right)} \tag{{{step.number}}}{end}"
