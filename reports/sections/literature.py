"""Sources, and errors in the literature that this derivation corrects.

In: `Facts`. Out: a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from derive.calculus.through_time import TIME
from derive.language.expr import At
from derive.theorems.carousel import find_carousel
from derive.typeset.boxes import Fenced, Operator, Row, Script, Symbol, row, sub, sup
from derive.typeset.layout import size_box
from reports.document.model import Bullets, Inlines, Paragraph, Section
from reports.sections.facts import Facts

WERBOS: Final = "Werbos 1990, Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78"  # noqa: E501

_YEAR: Final = re.compile(r"\b\d{4}\b")
_LETTER: Final = re.compile(r"\w\b")


def sources(facts: Facts) -> Section:
    """Where the cell and the theorems come from; what this derivation corrects."""
    cell, say = facts.derivation.cell, facts.say
    parts = apart(say.phrase(cell.source))
    cited = dict.fromkeys(source for claim in facts.claims for source in claim.sources)
    items = [*parts, WERBOS, *cited]
    corrections = tuple(_corrections(facts))
    return Section("sources", say.words("sources.title"), (
        Bullets(tuple(say("{0}.", item.rstrip(".")) for item in items)),
        *((Paragraph(say.sentence("sources.corrected")),
           Bullets(corrections)) if corrections else ()),
    ))  # fmt: skip


def _corrections(facts: Facts) -> Iterator[Inlines]:
    say, claim = facts.say, facts.claim
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
    if drops(facts):
        yield say.sentence("sources.dropped", *dropped(facts))
    if len(facts.derivation.cell.states) > 1 and claim.entries:
        yield say.sentence("sources.gates", say.reference(claim.name))


def apart(sources: str) -> list[str]:
    """Several sources one by one; what has no year is said of the one before it."""
    found: list[str] = []
    for part in re.split(r"(?<=[;；])\s*", sources.strip()):
        if found and not _YEAR.search(part):
            found[-1] += ("" if found[-1].endswith("；") else " ") + part
        elif part:
            found.append(part)
    cut = [part.rstrip(";；") for part in found]
    return [p if _LETTER.match(p) else p[0].upper() + p[1:] for p in cut]


def drops(facts: Facts) -> bool:
    """Whether a recursion of the last state's cotangent alone leaves a path out.

    That is said of the pair of states that an LSTM is, whose tutorials copy it.
    """
    return bool(facts.claim.entries) and find_carousel(facts.derivation) is not None


def dropped(facts: Facts) -> tuple[Any, ...]:
    """The state that is read, its recursion alone, the path that drops: from, to, its equation.

    The letter δ is that of common notes.
    """
    pair, states = find_carousel(facts.derivation), facts.derivation.cell.states
    assert pair is not None
    names = [state.name for state in states]
    hidden, inner = (states[names.index(name)] for name in (pair.reader, pair.keeper))
    jacobian = next(
        s.equation.target for s in facts.derivation.part("jacobian")
        if s.equation.target.args == (At(hidden, TIME), At(hidden, TIME - 1))
    )  # fmt: skip
    turned = Script(Fenced(facts.layout.of(jacobian)), sup=Operator("⊤"))
    alone = row(sub("δ", "t", "−", "1"), "=", turned, sub("δ", "t"))
    step = facts.derivation.part("recursion")[names.index(pair.keeper) - len(states)]
    return At(hidden, TIME), alone, At(inner, TIME - 1), At(inner, TIME), step.number
