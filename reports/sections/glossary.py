"""The terms of a report beside those of English papers.

In: `Facts`. Out: a section, in languages other than English.
"""

from __future__ import annotations

from typing import Final

from reports.document.model import Section, Table
from reports.document.words import spoken
from reports.sections.facts import Facts

GATES: Final = (
    "glossary.forget_gate", "glossary.input_gate", "glossary.output_gate", "glossary.update_gate",
    "glossary.reset_gate",
)  # fmt: skip
"""Terms of those cells alone that have a part of this name."""
TERMS: Final = (
    "glossary.recurrent_network", "glossary.cell", "glossary.unit", *GATES, "glossary.candidate",
    "glossary.cell_state", "glossary.hidden_state", "glossary.through_time", "glossary.cotangent",
    "glossary.jacobian", "glossary.step_jacobian", "glossary.chain_rule", "glossary.vanishing",
    "glossary.exploding", "glossary.singular_value", "glossary.spectral_norm",
    "glossary.spectral_radius", "glossary.eigenvalue", "glossary.determinant",
    "glossary.supremum", "glossary.upper_bound", "glossary.lower_bound", "glossary.certified",
    "glossary.measured", "glossary.admissible", "glossary.trajectory", "glossary.lag",
    "glossary.gain", "glossary.window", "glossary.bias", "glossary.loss", "glossary.readout",
    "glossary.cross_entropy", "glossary.layer",
)  # fmt: skip


def glossary(facts: Facts) -> Section | None:
    """Two terms a row, each with its English one."""
    say = facts.say
    if say.language == "en":
        return None
    english, parts = spoken("en").texts, {*facts.derivation.cell.parts.values()}
    held = [key for key in TERMS if key not in GATES or english[key] in parts]
    pairs = [(say.sentence(key), say(english[key])) for key in held]
    half = -(-len(pairs) // 2)
    pairs += [((), ())] * (2 * half - len(pairs))
    rows = tuple((*a, *b) for a, b in zip(pairs[:half], pairs[half:], strict=True))
    number = 2 + (facts.measurement is not None) + (facts.verdict is not None)
    head = say.heads("glossary.term", "glossary.english") * 2
    table = Table(number, say.sentence("glossary.table"), head, rows, "llll")
    return Section("glossary", say.words("glossary.title"), (table,))
