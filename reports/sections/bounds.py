"""The bounds in numbers as sections of a report, with their figures.

In: `Facts` and a `Study`. Out: `Chapter`. It stands after the section on growth; what is said
of given weights first stands before all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from numeric.bounds.study import Study
from reports.document.figures import Picture
from reports.document.model import Inlines, Reference, Section, Words, counted
from reports.document.words import listed, origin
from reports.sections.all_inputs import all_inputs
from reports.sections.answer import answer_section, overflow_said
from reports.sections.facts import Facts
from reports.sections.memory import memory
from reports.sections.methods import methods
from reports.sections.numbering import Pages
from reports.sections.one_sequence import one_sequence
from reports.sections.sweeps import sweep_section

AFTER: Final = "growth"


@dataclass(frozen=True)
class Chapter:
    """Sections, the one that a report on given weights begins with, and the figures' pictures."""

    sections: tuple[Section, ...]
    pictures: Mapping[str, Picture]
    first: Section | None = None


def chapter(facts: Facts, study: Study, name: str, norm: str) -> Chapter:
    """The sections for what was studied; `name` begins the names of figures.

    `norm` is LaTeX for the axis of a figure.
    """
    pages = Pages(facts, study, name)
    first = answer_section(pages, norm) if study.given else None
    opening = None if study.given else memory(pages, norm)
    pages.above = Reference(opening.anchor, opening.title) if opening else None
    sections = [*([opening] if opening else []), all_inputs(pages)]
    if study.overflow is None:
        sections.append(one_sequence(pages, norm))
    elif not study.given:
        say = facts.say
        sections.append(
            Section("one-sequence", say.words("one_sequence.title"), (overflow_said(pages),))
        )
    if (told := methods(pages)) is not None:
        sections.append(told)
    if study.given:
        found = sweep_section(pages)
        sections += [*([found] if found else []), weights_table(pages)]
    return Chapter(tuple(sections), pages.pictures, first)


def placed(sections: Iterable[Section], found: Chapter) -> tuple[Section, ...]:
    """The sections of a report with the chapter among them, all tables and figures in order."""
    made: list[Section] = [found.first] if found.first else []
    for section in sections:
        made.append(section)
        if section.anchor == AFTER:
            made += found.sections
    return counted(made)


def weights_table(pages: Pages) -> Section:
    """Each layer's parameters and what of the file they are; equal sources share a row."""
    say = pages.facts.say
    rows: list[tuple[Inlines, ...]] = []
    said = say.words("weights.rows"), say.words("weights.absent")
    for layer in pages.study.stack.layers:
        by_source: dict[str, list[str]] = {}
        for name, source in layer.origin.items():
            by_source.setdefault(source, []).append(name)
        for place, (source, names) in enumerate(by_source.items()):
            where = Words(layer.prefix.rstrip("."), "code") if not place else Words("")
            letters = listed([say("{0}", pages.facts.symbol(name)) for name in names], ", ")
            template, held = origin(source, *said)
            there = say(template, *(Words(name, "code") for name in held))
            rows.append((say("{0}", where), letters, there))
    head = say.heads("one_sequence.layer", "glance.parameters", "weights.in_file")
    if len(pages.study.stack.layers) == 1:
        rows, head = [row[1:] for row in rows], head[1:]
    return Section("weights", say.words("weights.title"), (
        pages.table(say.sentence("weights.table"), head, rows, "l" * len(head)),
    ))  # fmt: skip
