"""Two notations side by side: the symbols of common lecture notes and ours.

In: `Facts`, and the table `notations.toml`. Out: a section, for the cells that the table has.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from derive.cell import catalogue
from derive.language.syntax import BAR
from derive.typeset.boxes import Box
from derive.typeset.letters import parse_latex
from reports.document.model import Inlines, Section, Table
from reports.sections.facts import Facts

TABLE: Final = Path(__file__).parents[1] / "notations.toml"


@cache
def notations() -> Mapping[str, Mapping[str, list[str]]]:
    """By cell: our symbol, and what notes call it."""
    found: dict[str, dict[str, list[str]]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return found


def dictionary(facts: Facts) -> Section | None:
    """The table of a cell of the catalogue that notes write about."""
    cell, say = facts.derivation.cell, facts.say
    if cell.name not in notations() or cell.digest != catalogue[cell.name].digest:
        return None
    rows = tuple(_row(facts, ours, theirs) for ours, theirs in notations()[cell.name].items())
    return Section("dictionary", say.words("dictionary.title"), (
        Table(1, say.sentence("dictionary.table"),
              say.heads("dictionary.here", "dictionary.notes", "dictionary.meaning"), rows, "lll"),
    ))  # fmt: skip


def _row(facts: Facts, ours: str, theirs: list[str]) -> tuple[Inlines, ...]:
    say = facts.say
    given = say.listed([say("{0}", parse_latex(text)) for text in theirs], "words.comma")
    name = ours.removesuffix(BAR)
    symbol = _letter(facts, name)
    if ours != name:
        meaning = say.sentence("dictionary.cotangent", symbol)
    else:
        part = facts.derivation.cell.parts.get(name, "")
        meaning = say("{0}", say.phrase(part)) if part else ()
        if name in {x.name for x in facts.derivation.cell.inputs}:
            meaning = say.sentence("dictionary.input")
        elif not part and name.startswith("a_"):
            meaning = say.sentence("dictionary.before", _letter(facts, name.removeprefix("a_")))
    lost = say.sentence("dictionary.missing")
    return say("{0}", _letter(facts, ours)), given or lost, meaning


def _letter(facts: Facts, name: str) -> Box:
    """A symbol at step t."""
    return facts.layout.symbol(name)
