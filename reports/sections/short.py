"""A short report, four to six pages: picture, equations, one step back, through time, growth, code.

In: the same values as the whole report. Out: `Document`. Proofs, the step Jacobian, the other
theorems and the bounds in numbers stand in the whole report alone; what refers to them is said
without a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from derive.calculus.through_time import Derivation
from numeric.bounds.one_sequence.measured import Measurement
from numeric.verification.verdict import Verdict
from reports.document.model import (
    Document,
    EquationRow,
    Equations,
    Figure,
    Paragraph,
    Reference,
    Section,
    Table,
    Theorem,
    Words,
)
from reports.sections.cell import build
from reports.sections.facts import Facts
from reports.sections.growth import growth
from reports.sections.page_one import glance

_KEPT: Final = ("picture", "answer", "glance", "forward", "one-step-back", "through-time",
                "growth", "memory", "code")  # fmt: skip


def build_short(
    derivation: Derivation,
    listing: str = "",
    verdict: Verdict | None = None,
    measurement: Measurement | None = None,
    language: str = "en",
) -> Document:
    """The short report of a cell."""
    facts = Facts(derivation, listing, verdict, measurement, language=language)
    whole = build(derivation, listing, verdict, measurement, language)
    parts = {part.anchor: part for part in whole.sections if part.anchor in _KEPT}
    parts |= {"glance": glance(facts, brief=True), "growth": growth(facts, brief=True)}
    made = [*parts.values()]
    rest = Paragraph(facts.say.sentence("short.rest", str(len(facts.claims))))
    made[-1] = replace(made[-1], blocks=(*made[-1].blocks, rest))
    return replace(whole, sections=tuple(made), compact=True)


def shortened(document: Document) -> Document:
    """The sections that a short report keeps, without links to what it has not."""
    kept = tuple(part for part in document.sections if part.anchor in _KEPT)
    anchors = frozenset(_anchors(kept))
    return replace(document, sections=_unlinked(kept, anchors))


def _anchors(value: Any) -> Iterator[str]:
    """Every anchor that the sections set: their own, those of equations, tables, figures."""
    match value:
        case tuple():
            for part in value:
                yield from _anchors(part)
        case Section():
            yield value.anchor
        case EquationRow():
            yield from (f"eq-{number}" for number in value.numbers)
        case Table() | Figure() | Theorem():
            yield f"{type(value).__name__.lower()}-{value.number}"
    if isinstance(value, (Section, Equations, Theorem)):
        parts = value.blocks if isinstance(value, Section) else (
            value.rows if isinstance(value, Equations) else value.claim)  # fmt: skip
        yield from _anchors(parts)


def _unlinked(value: Any, anchors: frozenset[str]) -> Any:
    """The value with words in place of links that lead nowhere."""
    if isinstance(value, Reference):
        return value if value.anchor in anchors else Words(value.text)
    if isinstance(value, tuple):
        return tuple(_unlinked(part, anchors) for part in value)
    if is_dataclass(value) and type(value).__module__ == Section.__module__:
        made = {field.name: _unlinked(getattr(value, field.name), anchors)
                for field in fields(value)}  # fmt: skip
        return replace(value, **made)  # type: ignore[type-var]
    return value
