"""Sources, and errors in the literature that this derivation corrects.

In: `Facts`. Out: a section.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from derive.calculus.through_time import TIME
from derive.language.expr import At
from derive.typeset.boxes import Fenced, Operator, Row, Script, Symbol, row, sub, sup
from derive.typeset.layout import size_box
from reports.document.model import Bullets, Inlines, Paragraph, Section
from reports.sections.facts import Facts

WERBOS: Final = "Werbos 1990, Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78"  # noqa: E501


def sources(facts: Facts) -> Section:
    """Where the cell and the theorems come from; what this derivation corrects."""
    cell, say = facts.derivation.cell, facts.say
    parts = [
        p.strip()[0].upper() + p.strip()[1:]
        for p in say.phrase(cell.source).replace("；", ";").split(";")
        if p.strip()
    ]
    cited = dict.fromkeys(source for claim in facts.claims for source in claim.sources)
    items = [*parts, WERBOS, *cited]
    corrections = tuple(_corrections(facts))
    return Section("sources", say.words("sources.title"), (
        Bullets(tuple(say("{0}.", item.rstrip(".")) for item in items)),
        *((Paragraph(say.sentence("sources.corrected")),
           Bullets(corrections)) if corrections else ()),
    ))  # fmt: skip


def _corrections(facts: Facts) -> Iterator[Inlines]:
    say, claim, derivation = facts.say, facts.claim, facts.derivation
    if claim.rate is not None:
        weight = Script(Symbol("W"), sub=Symbol("rec"))
        slope = row("diag", Fenced(sup("φ", row("′"))))
        yield say.sentence(
            "sources.transpose",
            Row((sub("x", "t"), Operator("="), weight, row("φ", Fenced(sub("x", "t", "−", "1"))),
                 Operator("+"), Operator("⋯"))),
            row(Script(Symbol("W"), sub=Symbol("rec"), sup=Operator("⊤")), slope),
            row(weight, slope),
        )  # fmt: skip
        yield say.sentence(
            "sources.entries", claim.rate.args[-1].args[0], row("1", "/", "2"),
            row(size_box(claim.rate.args[-1].args[0].shape[0]), "/", "2"),
        )  # fmt: skip
    if len(derivation.cell.states) > 1 and claim.entries:
        step = derivation.part("recursion")[-2]
        yield say.sentence("sources.dropped", *_dropped(facts), step.number)
        yield say.sentence("sources.gates", say.reference(claim.name))


def _dropped(facts: Facts) -> tuple[object, ...]:
    states = facts.derivation.cell.states
    hidden, inner = states[-1], states[0]
    jacobian = next(
        s.equation.target for s in facts.derivation.part("jacobian")
        if s.equation.target.args == (At(hidden, TIME), At(hidden, TIME - 1))
    )  # fmt: skip
    return At(hidden, TIME), jacobian, At(inner, TIME - 1), At(inner, TIME)
