"""Cells → index.html: every cell with its equations, Jacobian and verdicts, linked to its page.

In: cells and what verification said of them. Out: the text of one HTML file; its
script serves the search box alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Final

from sympy import Mul, S

from derive.calculus.through_time import differentiate
from derive.cell import Cell
from derive.theorems.claims import Relation
from derive.typeset.layout import Layout
from derive.typeset.right_sides import right_side
from numeric.verification.verdict import PASS
from reports.document.html import HEAD, STYLE, TAGS, equations, said
from reports.document.model import EquationRow, Equations, Inlines, Words
from reports.document.words import Speaker, listed
from reports.sections.facts import Facts
from reports.sections.page_one import count, jacobian_row
from reports.sections.verified import check_name
from reports.site.compare import COMPARE
from reports.site.families import family_of, family_title

INDEX: Final = "index.html"
OTHER: Final = "index.other"
_STYLE: Final = Path(__file__).with_name("index.css")
_SCRIPT: Final = Path(__file__).with_name("index.js")


@dataclass(frozen=True)
class Entry:
    """A cell, and what verification said of its code."""

    cell: Cell
    verified: Mapping[str, Any]


def families(entries: Sequence[Entry], words: Callable[[str], str]) -> dict[str, list[Entry]]:
    """The entries by family; cells from elsewhere come last."""
    known = family_of()

    def title(stem: str) -> str:
        return family_title(stem, words)

    found: dict[str, list[Entry]] = {title(stem): [] for stem in known.values()}
    found[words(OTHER)] = []
    for entry in sorted(
        entries, key=lambda entry: [*known, entry.cell.name].index(entry.cell.name)
    ):
        name = entry.cell.name
        found[title(known[name]) if name in known else words(OTHER)].append(entry)
    return {title: group for title, group in found.items() if group}


_WHATEVER: Final = {
    "bounded": "index.bounded", "vanishes": "index.vanishes", "explodes": "index.explodes",
}  # fmt: skip


def index_page(
    entries: Sequence[Entry], formats: Sequence[str], language: str = "en", api: str = ""
) -> str:
    """The whole file; `api` is the page of the API reference, where there is one."""
    say = Speaker(Layout(), language=language)
    title = say.words("index.title")
    groups = families(entries, say.words)
    links = "\n".join(
        f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title in groups
    )
    sections = "\n".join(
        f'<section id="{_anchor(title)}">\n<h2>{escape(title)}</h2>\n'
        + "\n".join(_card(entry, formats, language) for entry in group) + "\n</section>"
        for title, group in groups.items()
    )  # fmt: skip
    passed, count = sum(e.verified["status"] == PASS for e in entries), len(entries)
    agree = (say.sentence("index.agree_all") if passed == count
             else say.sentence("index.agree_some", str(passed)))  # fmt: skip
    opening = say.together([
        say.sentence("index.opening", str(count)), agree, say.sentence("index.parts"),
    ])  # fmt: skip
    reference = f' <a href="{api}">{say.words("index.api")}</a>' if api else ""
    style = "\n".join((STYLE.read_text(encoding="utf-8").strip(),
                       _STYLE.read_text(encoding="utf-8").strip()))  # fmt: skip
    return f"""<!DOCTYPE html>
<html lang="{TAGS[language]}">
<head>
{HEAD}
<title>{escape(title)}</title>
<style>
{style}
</style>
</head>
<body class="index">
<header>
<h1>{escape(title)}</h1>
<nav aria-label="{say.words("index.families")}"><ol>
{links}
</ol></nav>
<form role="search" onsubmit="return false"><span hidden>
<label for="search">{say.words("index.search")}</label>
<input id="search" type="search"> <output id="found" for="search"></output></span>
<a href="{COMPARE}">{say.words("compare.title")}</a>{reference}</form>
</header>
<main>
<p>{said(opening)}</p>
{sections}
</main>
<script>
{_SCRIPT.read_text(encoding="utf-8").strip()}
</script>
</body>
</html>
"""


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _card(entry: Entry, formats: Sequence[str], language: str) -> str:
    """One cell: what it is at the left, its mathematics at the right."""
    cell = entry.cell
    facts = Facts(differentiate(cell), language=language)
    say, layout = facts.say, facts.layout
    rows = Equations(tuple(
        EquationRow(layout.of(e.target), right_side(layout, e.target, e.value))
        for e in cell.equations
    ))  # fmt: skip
    jacobian = Equations((replace(jacobian_row(facts), space=None),))
    states = listed([say("{0}", facts.symbol(state.name)) for state in cell.states], ", ")
    facts_ = (
        ("index.states", states),
        ("index.parameters", say("{0}", count(cell.parameters))),
        ("index.gradients", _growth(facts)),
        ("index.code", _verified(facts, entry.verified)),
    )  # fmt: skip
    terms = "\n".join(f"<dt>{say.words(key)}</dt><dd>{said(text)}</dd>" for key, text in facts_)
    page = f"{cell.name}.html"
    heading = escape(facts.title)
    if "html" in formats:
        heading = f'<a href="{page}">{heading}</a>'
    others = " ".join(
        f'<a href="{cell.name}.{form}">.{form}</a>' for form in formats if form != "html"
    )
    source = f"<p>{escape(say.phrase(cell.source))}</p>" if cell.source else ""
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
<p class="lead">{say.words("index.jacobian")}</p>
{equations(jacobian)}
</div>
</article>"""


def _growth(facts: Facts) -> Inlines:
    """The verdict on the cell's gradients in one sentence."""
    claim, kind = facts.claim, facts.claim.verdict[0].key.rpartition(".")[2]
    if kind in _WHATEVER:  # without the letters and the number of a theorem that is not here
        return facts.say.sentence(_WHATEVER[kind])
    if claim.rate is None or claim.supremum is None:
        return facts.say.line(claim.verdict[0])
    slope, norm = claim.supremum, claim.rate.args[-1]
    rate = norm if slope == 1 else Mul(slope, norm, evaluate=False)
    below, above = Relation(rate, "<", S.One), Relation(rate, ">", S.One)
    return facts.say.sentence("index.growth", below, above)


def _verified(facts: Facts, verified: Mapping[str, Any]) -> Inlines:
    """The verdict on the code, and in how many examples it was sought."""
    say = facts.say
    if verified["status"] == PASS:
        exact = "exact" in verified["checks"]
        return say.sentence("index.exactly" if exact else "index.examples",
                            str(verified["examples"]))  # fmt: skip
    bad = [check_name(say, name) for name, status in verified["checks"].items() if status != PASS]
    status = Words(say.phrase(str(verified["status"])), "emphasis")
    return say.sentence("index.of", status, say.words("words.comma").join(bad))
