"""The code of a cell, and how to use it in five lines.

In: `Facts`. Out: a section.
"""

from __future__ import annotations

from derive.typeset.boxes import row
from reports.document.model import Inlines, Listing, Paragraph, Section, Words
from reports.sections.facts import Facts
from reports.sections.listing import numbered_loops, usage


def code(facts: Facts) -> Section | None:
    """The two loops of the emitted module, each line with the equation it computes."""
    if not facts.listing:
        return None
    say = facts.say
    return Section("code", say.words("code.title"), (
        Paragraph(_code_text(facts)),
        Listing(numbered_loops(facts.listing)),
        Paragraph(say.sentence("code.use")),
        Listing(usage(facts.derivation.cell, say.words)),
    ))  # fmt: skip


def _code_text(facts: Facts) -> Inlines:
    say = facts.say
    command = Words(f"bptt emit {facts.derivation.cell.name} --style textbook", "code")
    return say.sentence("code.opening", command, row("W", "x"))
