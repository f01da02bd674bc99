"""Theorems as values → blocks of a report: claim, proof, what it does not say, whose it is.

In: the theorems of a cell. Out: document nodes; their sentences and formulas are the values'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from derive.theorems.claims import Display, Line, Part, Relation
from reports.document.model import (
    Block,
    Bullets,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Theorem,
)
from reports.document.words import spoken
from reports.sections.facts import Facts


def theorem_blocks(facts: Facts, number: int, *, brief: bool = False) -> tuple[Block, ...]:
    """Theorem k of a cell, k from 1, with its proof, its limits and its sources.

    A brief one is the claim alone.
    """
    say, claim = facts.say, facts.claims[number - 1]
    bound = [claim.bound.relation] if claim.bound else []
    stated: list[Paragraph | Equations | Bullets] = [
        Bullets(tuple(map(say.line, claim.assumptions))),
        *(_paragraph(facts, part) for part in claim.statement),
    ]
    if bound:
        stated.append(_equations(facts, bound))
    if claim.entries:
        stated += [Paragraph(say.sentence("theorem.with")), _equations(facts, claim.entries)]
    stated += _listed(facts, claim.consequences)
    made: list[Block] = [
        Theorem(
            say.words(f"{claim.name}.title"),
            number,
            tuple(stated),
            () if brief else tuple(map(say.line, claim.proof)),
        )
    ]
    if brief:
        return tuple(made)
    if claim.silent:
        made += [
            Paragraph(say.sentence("theorem.silent") if number == 1 else
                      say.sentence("theorem.silent_of", say.reference(claim.name))),
            Bullets(tuple(say.line(line) for line in claim.silent)),
        ]  # fmt: skip
    if claim.sources:
        made.append(Paragraph(say.sentence("theorem.after", _short(facts, claim.sources))))
    return tuple(made)


def _paragraph(facts: Facts, part: Part) -> Paragraph | Equations:
    if isinstance(part, Display):
        return _equations(facts, part.relations)
    return Paragraph(facts.say.line(part))


def _listed(facts: Facts, parts: Sequence[Part]) -> Iterator[Paragraph | Bullets | Equations]:
    """Sentences as items of lists; one that leads to a display stands before it on its own."""
    items: list[Inlines] = []
    for part, after in pairwise((*parts, None)):
        if isinstance(part, Line) and not isinstance(after, Display):
            items.append(facts.say.line(part))
        elif part is not None:
            if items:
                yield Bullets(tuple(items))
            items = []
            yield _paragraph(facts, part)
    if items:
        yield Bullets(tuple(items))


def _equations(facts: Facts, relations: Iterable[Relation]) -> Equations:
    layout = facts.layout
    return Equations(tuple(
        EquationRow(layout.of(r.left), layout.of(r.right), sign=r.sign) for r in relations
    ))  # fmt: skip


def _short(facts: Facts, sources: Iterable[str]) -> Inlines:
    """The sources by author and year; the last section has them in full."""
    say = facts.say
    found = (re.match(r".*?\b\d{4}\b", source) for source in sources)
    names, english = [name[0] for name in found if name], spoken("en").texts
    for key in ("words.and", "words.comma", "theorem.others"):
        names = [name.replace(english[key], say.words(key)) for name in names]
    return say.listed([say("{0}", name) for name in names], "words.semicolon")
