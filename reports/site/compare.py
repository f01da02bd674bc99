"""Cells → compare.html: any two of them side by side, equations, parameters and step Jacobian.

In: the cells of a gallery. Out: the text of one HTML file that works from disk; its script only
hides what was not chosen, so without one all cells stand below each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from derive.calculus.through_time import Derivation, differentiate
from derive.cell import Cell, Equation
from derive.language.expr import symbols_of
from derive.typeset.layout import Layout
from derive.typeset.right_sides import right_side
from reports.document.html import HEAD, STYLE, TAGS, equations, said
from reports.document.model import EquationRow, Equations
from reports.document.words import Speaker
from reports.sections.facts import Facts
from reports.sections.page_one import count

COMPARE: Final = "compare.html"
_SCRIPT: Final = Path(__file__).with_name("compare.js")
_STYLE: Final = Path(__file__).with_name("index.css")
_FIRST: Final = ("lstm", "gru")


def compare_page(cells: Sequence[Cell], index: str, language: str = "en") -> str:
    """The whole file; `index` is the page that lists the cells."""
    say = Speaker(Layout(), language=language)
    title = say.words("compare.title")
    names = [cell.name for cell in cells]
    chosen = [name for name in _FIRST if name in names] or names
    first, second = chosen[0], chosen[-1]
    style = "\n".join(path.read_text(encoding="utf-8").strip() for path in (STYLE, _STYLE))
    asked = (("first", "compare.first", first), ("second", "compare.second", second))
    boxes = "\n".join(
        f'<label for="{place}">{say.words(key)}</label> '
        f'<select id="{place}">{_options(names, name)}</select>'
        for place, key, name in asked
    )
    return f"""<!DOCTYPE html>
<html lang="{TAGS[language]}">
<head>
{HEAD}
<title>{escape(title)}</title>
<style>
{style}
</style>
</head>
<body class="index compare">
<header>
<h1>{escape(title)}</h1>
<p><a href="{index}" rel="up">{say.words("page.home")}</a></p>
<form hidden>
{boxes}
</form>
</header>
<main>
{"".join(_card(cell, language) for cell in cells)}
</main>
<script>
{_SCRIPT.read_text(encoding="utf-8").strip()}
</script>
</body>
</html>
"""


def _options(names: Sequence[str], chosen: str) -> str:
    return "".join(
        f'<option value="{name}"{" selected" * (name == chosen)}>{name}</option>' for name in names
    )


def _card(cell: Cell, language: str) -> str:
    """One cell: its equations, its parameters counted, each block of its step Jacobian."""
    facts = Facts(differentiate(cell), language=language)
    say, layout = facts.say, facts.layout
    rows = Equations(tuple(
        EquationRow(layout.of(e.target), right_side(layout, e.target, e.value))
        for e in cell.equations
    ))  # fmt: skip
    blocks = Equations(tuple(
        EquationRow(layout.of(step.equation.target), layout.of(step.equation.value))
        for step in facts.derivation.part("jacobian")
    ))  # fmt: skip
    named = tuple(
        EquationRow(layout.of(e.target), right_side(layout, e.target, e.value))
        for e in _named(facts.derivation)
    )
    where = f"<p>{say.words('compare.where')}</p>\n"
    parts = f"{where}{equations(Equations(named))}\n" if named else ""
    held = say.sentence("index.of", say.words("index.parameters"), count(cell.parameters))
    return f"""<article id="{cell.name}">
<h2><a href="{cell.name}.html">{escape(facts.title)}</a></h2>
{equations(rows)}
<p>{said(held)}</p>
<h3>{say.words("index.jacobian")}</h3>
{equations(blocks)}
{parts}</article>
"""


def _named(derivation: Derivation) -> list[Equation]:
    """The parts of the equations that the step Jacobian names, and the parts that those name."""
    known = {e.target.name for e in derivation.cell.equations}
    found = {s.name for step in derivation.part("jacobian")
             for s in symbols_of(step.equation.value)}  # fmt: skip
    named: list[Equation] = []
    for equation in reversed([step.equation for step in derivation.part("forward")]):
        for symbol in symbols_of(equation.target):
            if symbol.name in found - known:
                named.insert(0, equation)
                found |= {s.name for s in symbols_of(equation.value)}
    return named
