"""The bounds in numbers as sections of a report, with their figures.

In: `Facts` and a `Study`. Out: `Chapter`. Its tables and figures are numbered on from those
before it; it stands after the section on growth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from numeric.bounds.study import Study
from reports.document.figures import Picture
from reports.document.model import Figure, Inlines, Section, Table, Words
from reports.document.words import listed
from reports.sections.all_inputs import all_inputs
from reports.sections.facts import Facts
from reports.sections.numbering import Pages
from reports.sections.one_sequence import one_sequence

AFTER: Final = "growth"


@dataclass(frozen=True)
class Chapter:
    """Sections, and the pictures of their figures by stem."""

    sections: tuple[Section, ...]
    pictures: Mapping[str, Picture]


def chapter(
    facts: Facts, study: Study, name: str, norm: str, before: Iterable[Section] = ()
) -> Chapter:
    """The sections for what was studied; `name` begins the names of figures.

    `norm` is LaTeX for the axis of a figure; `before` are the sections of the report so far.
    """
    first = [*before]
    if AFTER in (anchors := [section.anchor for section in first]):
        first = first[: anchors.index(AFTER) + 1]
    tables, figures = (_count(first, kind) for kind in (Table, Figure))
    pages = Pages(facts, study, name, tables, figures)
    sections = [all_inputs(pages), one_sequence(pages, norm)]
    if study.given:
        sections.append(weights_table(pages))
    return Chapter(tuple(sections), pages.pictures)


def _count(sections: Iterable[Section], kind: type) -> int:
    return sum(isinstance(block, kind) for section in sections for block in section.blocks)


def placed(sections: Iterable[Section], found: Chapter) -> tuple[Section, ...]:
    """The sections of a report with the chapter among them; later tables and figures move on."""
    made: list[Section] = []
    tables = figures = 0
    for section in sections:
        made.append(replace(section, blocks=tuple(
            replace(block, number=block.number + tables) if isinstance(block, Table)
            else replace(block, number=block.number + figures) if isinstance(block, Figure)
            else block for block in section.blocks
        )))  # fmt: skip
        if section.anchor == AFTER:
            made += found.sections
            tables, figures = (_count(found.sections, kind) for kind in (Table, Figure))
    return tuple(made)


def weights_table(pages: Pages) -> Section:
    """Each layer's parameters and what of the file they are; equal sources share a row."""
    say = pages.facts.say
    rows: list[tuple[Inlines, ...]] = []
    for layer in pages.study.stack.layers:
        by_source: dict[str, list[str]] = {}
        for name, source in layer.origin.items():
            by_source.setdefault(source, []).append(name)
        for place, (source, names) in enumerate(by_source.items()):
            where = Words(layer.prefix.rstrip(".")) if not place else Words("")
            letters = listed([say("{0}", pages.facts.symbol(name)) for name in names], ", ")
            rows.append((say("{0}", where), letters, say("{0}", Words(source, "code"))))
    head = say.heads("one_sequence.layer", "glance.parameters", "weights.in_file")
    if len(pages.study.stack.layers) == 1:
        rows, head = [row[1:] for row in rows], head[1:]
    return Section("weights", say.words("weights.title"), (
        pages.table(say.sentence("weights.table"), head, rows, "l" * len(head)),
    ))  # fmt: skip
