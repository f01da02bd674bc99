"""Values → document: the story of a report, section by section.

In: a derivation and what was measured and verified of it. Out: `Document`. Formulas come from
the derived values, never from here; a section with nothing to say is left out.
"""

from __future__ import annotations

from typing import Final

from derive.calculus.through_time import Derivation
from numeric.bounds.one_sequence.measured import Measurement
from numeric.verification.verdict import Verdict
from reports.document.model import Document, counted
from reports.sections.derivation import derived
from reports.sections.dictionary import dictionary
from reports.sections.facts import Facts
from reports.sections.glossary import glossary
from reports.sections.growth import growth, more_theory
from reports.sections.listing import code
from reports.sections.literature import sources
from reports.sections.page_one import glance
from reports.sections.verified import verified

AUTHOR: Final = "bptt-toolkit"


def build(
    derivation: Derivation,
    listing: str = "",
    verdict: Verdict | None = None,
    measurement: Measurement | None = None,
    language: str = "en",
) -> Document:
    """The report of a cell."""
    facts = Facts(derivation, listing, verdict, measurement, language=language)
    cell, words = derivation.cell, facts.say.words
    made = (
        glance(facts), *derived(facts), growth(facts), code(facts), verified(facts),
        dictionary(facts), glossary(facts), sources(facts), more_theory(facts),
    )  # fmt: skip
    return Document(
        name=cell.name,
        title=facts.title,
        subtitle=words("document.subtitle"),
        author=AUTHOR,
        keywords=(cell.name, words("document.through_time"), words("document.gradients")),
        sections=counted(section for section in made if section is not None),
        language=language,
    )
