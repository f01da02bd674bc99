"""The methods of bounding that a report uses, each with what it does.

In: `Pages`. Out: a section with one table.
"""

from __future__ import annotations

from collections.abc import Iterator

from derive.typeset.boxes import Symbol
from numeric.bounds.all_inputs.gain_scan import CLOSED
from reports.document.method_names import MEANINGS, METHODS, SCALED, method_key
from reports.document.model import Inlines, Section
from reports.sections.numbering import Pages


def methods(pages: Pages) -> Section | None:
    """A row for each method that a table or a figure of this report names."""
    say = pages.facts.say
    used = {key for name in _names(pages) for key in method_key(name)}
    rows: list[tuple[Inlines, ...]] = []
    any_ = say.sentence("meanings.any")
    for key, meaning in MEANINGS.items():
        if key in used:
            slot = any_ if key == SCALED else Symbol("k")
            where = () if key != METHODS[CLOSED] else (say.reference("certified_rate"),)
            rows.append((say.sentence(key, slot), say.sentence(meaning, *where)))
    found = pages.study.one.certificate
    if found is not None and found.finite:
        rows.append((say.sentence("one_sequence.step_by_step", any_),
                     say.sentence("meanings.stepwise")))  # fmt: skip
    if not rows:
        return None
    head = say.heads("meanings.method", "meanings.does")
    return Section("methods", say.words("meanings.title"), (
        pages.table(say.sentence("meanings.table"), head, rows, "lp"),
    ))  # fmt: skip


def _names(pages: Pages) -> Iterator[str]:
    study, one = pages.study, pages.study.one
    yield from one.log10_upper
    yield from one.log10_lower
    if one.certificate is not None:
        yield from (method.name for method in (*one.certificate.methods, *one.certificate.finite))
    if study.scan is not None:
        yield from study.scan.upper
