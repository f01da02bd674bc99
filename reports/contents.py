"""Values → document: the story of a report, section by section.

In: a derivation and what was measured and verified of it. Out: `Document`. Formulas come from
the derived values, never from here; a section with nothing to say is left out.
"""

from __future__ import annotations

from typing import Final

from derive.bptt import Derivation
from numeric.spectra import Measurement
from numeric.verdict import Verdict
from reports.derived import derived
from reports.document import Document
from reports.evidence import proved
from reports.facts import Facts
from reports.glance import glance

AUTHOR: Final = "bptt-toolkit"


def build(
    derivation: Derivation,
    listing: str = "",
    verdict: Verdict | None = None,
    measurement: Measurement | None = None,
) -> Document:
    """The report of a cell."""
    facts = Facts(derivation, listing, verdict, measurement)
    cell = derivation.cell
    return Document(
        name=cell.name,
        title=cell.title,
        subtitle="Gradients through time: derivation, code and bounds",
        author=AUTHOR,
        keywords=(cell.name, "back-propagation through time", "gradients"),
        sections=(glance(facts), *derived(facts), *proved(facts)),
    )
