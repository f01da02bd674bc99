"""What `bptt show` prints: equations, shapes, adjoint equations, recursion, Jacobian, chain.

In: a cell. Out: plain text, or LaTeX for a document with amsmath and amssymb.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sympy import MatrixSymbol

from derive.calculus.surrogates import surrogate_note
from derive.calculus.through_time import Step, differentiate
from derive.cell import Cell, cell_of
from derive.network import Network
from derive.typeset.boxes import Box, row
from derive.typeset.columns import columns_of
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout, space_of
from derive.typeset.right_sides import right_side
from derive.typeset.text import Text
from reports.document.model import EquationRow, Equations, Inlines, Math
from reports.document.words import Speaker
from reports.sections.derivation import rule_note
from reports.sections.facts import Facts
from reports.sections.network_facts import NetworkFacts, network_count
from reports.sections.page_one import count
from reports.terminal.answer import fitted
from reports.terminal.console import columns

PARTS: Final = {
    "forward": "show.forward", "adjoint": "show.adjoint", "recursion": "show.recursion",
    "gradients": "show.gradients", "jacobian": "show.jacobian", "chain": "show.chain",
    "pairs": "show.pairs",
}  # fmt: skip
JOINS: Final = {
    "table": "show.table", "up": "show.up", "readout": "show.readout", "loss": "show.loss",
    "readout gradients": "show.readout_gradients", "top": "show.top", "down": "show.down",
    "table gradients": "show.table_gradients",
}  # fmt: skip
ROLES: Final = {
    "inputs": "show.inputs", "states": "show.states", "outputs": "show.outputs",
    "parameters": "show.parameters", "constants": "show.constants",
}  # fmt: skip


def show_text(cell: Cell | str, mark: tuple[str, str] = ("", ""), language: str = "en") -> str:
    """Everything on one cell as Unicode text; `mark` goes around cotangents."""
    cell = cell_of(cell)
    derivation = differentiate(cell)
    layout, text = Layout(derivation.notation), Text(mark)
    plain = Text()
    say = Speaker(layout, language=language)
    lines = [say.words("verify.named").format(cell.name, say.phrase(cell.title))]
    if cell.source:
        lines.append(say.phrase(cell.source))
    lines += ["", say.words("show.shapes")]
    lines += columns([
        (say.words(ROLES[role]),
         ", ".join(plain(row(_bare(layout, s), "∈", space_of(s))) for s in symbols))
        for role, symbols in _roles(cell)
    ], "  ")  # fmt: skip
    lines.append("  " + say.words("show.count").format(plain(count(cell.parameters))))
    if note := surrogate_note(cell):
        lines += ["", *fitted([f"  {say.phrase(note)}"])]
    for part, title in PARTS.items():
        steps = derivation.part(part)
        if steps:
            lines += ["", say.words(title), *_steps(layout, text, say, steps)]
    return "\n".join(lines) + "\n"


def show_network_text(
    network: Network, mark: tuple[str, str] = ("", ""), language: str = "en"
) -> str:
    """One layer as the cell is shown, then how layers, directions and readout join."""
    facts = NetworkFacts(network, Facts(differentiate(network.cell), language=language))
    text, words = Text(mark), facts.say.words
    lines = [words("show.layers_of").format(network.name, facts.cell.title), ""]
    lines += [words("show.one_layer"), ""]
    lines += [show_text(network.cell, mark, language).rstrip("\n"), ""]
    lines.append(words("show.count_all").format(Text()(network_count(facts))))
    for title, group in _joined(facts):
        lines += ["", title, *_lines(text, group.rows)]
    return "\n".join(lines) + "\n"


def show_network_latex(network: Network, language: str = "en") -> str:
    """The same as LaTeX: an align* for each part, numbered as in the report."""
    facts = NetworkFacts(network, Facts(differentiate(network.cell), language=language))
    latex = Latex()
    counted = facts.say.words("show.count_all_in_latex").format(f"${latex(network_count(facts))}$")
    made = [show_latex(network.cell, language).rstrip("\n"), f"% {counted}"]
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
            yield facts.say.words(title), facts.rows(joins)
    if facts.turned:
        yield facts.say.words("show.reverse"), facts.turned_rows()


def _bare(layout: Layout, symbol: MatrixSymbol) -> Box:
    """A symbol without its time."""
    return layout.plain(symbol.name)


def _roles(cell: Cell) -> Iterator[tuple[str, tuple[MatrixSymbol, ...]]]:
    for role in ROLES:
        if symbols := getattr(cell, role):
            yield role, symbols


def _steps(layout: Layout, text: Text, say: Speaker, steps: tuple[Step, ...]) -> Iterator[str]:
    return _lines(text, [
        EquationRow(*_sides(layout, step), step.number, rule_note(say, step) if step.terms else ())
        for step in steps
    ])  # fmt: skip


def _lines(text: Text, rows: Sequence[EquationRow]) -> Iterator[str]:
    """Numbered equations, aligned at the sign, the rule behind each."""
    plain = Text()
    first = max(columns_of(plain(row_.left)) for row_ in rows)
    for row_ in rows:
        pad = " " * (first - columns_of(plain(row_.left)))
        note = f"    [{_words(row_.note)}]" if row_.note else ""
        number = f"({row_.number})"
        yield f"{number:>6}  {pad}{text(row_.left)} = {text(row_.right)}{note}"


def _words(parts: Inlines) -> str:
    plain = Text()
    return "".join(plain(p.box) if isinstance(p, Math) else p.text for p in parts)


def show_latex(cell: Cell | str, language: str = "en") -> str:
    """Everything on one cell as LaTeX: an align* for each part, numbered as in the report."""
    cell = cell_of(cell)
    derivation = differentiate(cell)
    layout, latex = Layout(derivation.notation), Latex()
    say = Speaker(layout, language=language)
    words = say.words
    counted = words("show.count_in_latex").format(f"${latex(count(cell.parameters))}$")
    named = words("verify.named").format(cell.name, say.phrase(cell.title))
    made = [f"% {named}", f"% {counted}"]
    for part, title in PARTS.items():
        if steps := derivation.part(part):
            made += [f"% {words(title)}", r"\begin{align*}", *_latex_steps(layout, latex, steps),
                     r"\end{align*}"]  # fmt: skip
    return "\n".join(made) + "\n"


def _sides(layout: Layout, step: Step) -> tuple[Box, Box]:
    target, value = step.equation.target, step.equation.value
    return layout.of(target), right_side(layout, target, value)


def _latex_steps(layout: Layout, latex: Latex, steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        left, right = _sides(layout, step)
        end = "" if step is steps[-1] else r" \\"
        yield rf"{latex(left)} &= {latex(right)} \tag{{{step.number}}}{end}"
