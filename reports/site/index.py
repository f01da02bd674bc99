"""Cells → index.html: every cell with its equations, Jacobian and verdicts, linked to its page.

In: cells and what verification said of them. Out: the text of one HTML file without script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from sympy import Mul, S

from derive.calculus.through_time import differentiate
from derive.cell import Cell
from derive.cells import FOLDER, read_tables
from derive.theorems.claims import Relation
from numeric.verification.verdict import PASS
from reports.document.html import HEAD, STYLE, equations, said
from reports.document.model import EquationRow, Equations, Inlines, Words
from reports.document.words import listed
from reports.sections.facts import Facts
from reports.sections.page_one import count, jacobian_row

INDEX: Final = "index.html"
TITLE: Final = "Recurrent cells and their gradients through time"
FAMILIES: Final = {
    "rnn": "Simple networks", "lstm": "Long short-term memory", "greff": "LSTM variants",
    "gru": "Gated recurrent units", "minimal": "Minimal gates", "highway": "Highways",
    "multiplicative": "Multiplicative", "mutants": "Found by search", "dynamics": "Dynamics",
}  # fmt: skip
OTHER: Final = "Other cells"
_STYLE: Final = Path(__file__).with_name("index.css")


@dataclass(frozen=True)
class Entry:
    """A cell, and what verification said of its code."""

    cell: Cell
    verified: Mapping[str, Any]


@cache
def _family_of() -> dict[str, str]:
    """The family of each cell of the catalogue: the file it stands in."""
    files = {path.stem: path for path in FOLDER.glob("*.toml")}
    order = [*(stem for stem in FAMILIES if stem in files), *sorted({*files} - {*FAMILIES})]
    return {
        name: FAMILIES.get(stem, stem.replace("_", " ").capitalize())
        for stem in order
        for name in read_tables(files[stem])
    }


def families(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries by family; cells from elsewhere come last."""
    known = _family_of()
    found: dict[str, list[Entry]] = {title: [] for title in (*known.values(), OTHER)}
    for entry in sorted(
        entries, key=lambda entry: [*known, entry.cell.name].index(entry.cell.name)
    ):
        found[known.get(entry.cell.name, OTHER)].append(entry)
    return {title: group for title, group in found.items() if group}


def index_page(entries: Sequence[Entry], formats: Sequence[str]) -> str:
    """The whole file."""
    groups = families(entries)
    links = "\n".join(
        f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title in groups
    )
    sections = "\n".join(
        f'<section id="{_anchor(title)}">\n<h2>{escape(title)}</h2>\n'
        + "\n".join(_card(entry, formats) for entry in group) + "\n</section>"
        for title, group in groups.items()
    )  # fmt: skip
    passed = sum(entry.verified["status"] == PASS for entry in entries)
    style = "\n".join((STYLE.read_text(encoding="utf-8").strip(),
                       _STYLE.read_text(encoding="utf-8").strip()))  # fmt: skip
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
{HEAD}
<title>{escape(TITLE)}</title>
<style>
{style}
</style>
</head>
<body class="index">
<header>
<h1>{escape(TITLE)}</h1>
<nav aria-label="Families"><ol>
{links}
</ol></nav>
</header>
<main>
<p>{len(entries)} cells, each differentiated through time by the same rules. A cell's page has
the derivation with every step numbered, its code, bounds on its gradients, and what was verified.
The code of {_share(passed, len(entries))} agrees with independent derivatives of its equations.</p>
{sections}
</main>
</body>
</html>
"""


def _share(passed: int, whole: int) -> str:
    return "every cell" if passed == whole else f"{passed} of them"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _card(entry: Entry, formats: Sequence[str]) -> str:
    """One cell: what it is at the left, its mathematics at the right."""
    cell = entry.cell
    facts = Facts(differentiate(cell))
    say, layout = facts.say, facts.layout
    rows = Equations(tuple(
        EquationRow(layout.of(e.target), layout.of(e.value)) for e in cell.equations
    ))  # fmt: skip
    jacobian = Equations((replace(jacobian_row(facts), space=None),))
    states = listed([say("{0}", facts.symbol(state.name)) for state in cell.states], ", ")
    facts_ = (
        ("States", states),
        ("Parameters", say("{0}", count(cell.parameters))),
        ("Gradients", _growth(facts)),
        ("Code", _verified(facts, entry.verified)),
    )  # fmt: skip
    terms = "\n".join(f"<dt>{name}</dt><dd>{said(text)}</dd>" for name, text in facts_)
    page = f"{cell.name}.html"
    heading = escape(cell.title)
    if "html" in formats:
        heading = f'<a href="{page}">{heading}</a>'
    others = " ".join(
        f'<a href="{cell.name}.{form}">.{form}</a>' for form in formats if form != "html"
    )
    source = f"<p>{escape(cell.source)}</p>" if cell.source else ""
    return f"""<article id="{cell.name}">
<div class="about">
<h3>{heading}</h3>
<p class="files"><code>{escape(cell.name)}</code> {others}</p>
{source}
<dl>
{terms}
</dl>
</div>
<div class="mathematics">
{equations(rows)}
<p class="lead">Step Jacobian</p>
{equations(jacobian)}
</div>
</article>"""


def _growth(facts: Facts) -> Inlines:
    """The verdict on the cell's gradients in one sentence."""
    claim = facts.claim
    if claim.rate is None or claim.supremum is None:
        return facts.say.line(claim.verdict[0])
    slope, norm = claim.supremum, claim.rate.args[-1]
    rate = norm if slope == 1 else Mul(slope, norm, evaluate=False)
    return facts.say("Vanishes for all inputs if {0}; can explode only if {1}.",
                     Relation(rate, "<", S.One), Relation(rate, ">", S.One))  # fmt: skip


def _verified(facts: Facts, verified: Mapping[str, Any]) -> Inlines:
    """The verdict on the code, and in how many examples it was sought."""
    if verified["status"] == PASS:
        exact = "exact" in verified["checks"]
        text = "verified, exactly and in {0} examples" if exact else "verified in {0} examples"
        return facts.say(text, str(verified["examples"]))
    bad = [name.replace("_", " ") for name, status in verified["checks"].items() if status != PASS]
    return facts.say("{0}: " + ", ".join(bad), Words(str(verified["status"]), "emphasis"))
