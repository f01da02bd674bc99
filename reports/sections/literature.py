"""Sources, and errors in the literature that this derivation corrects.

In: `Facts`. Out: a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sympy import MatrixExpr, OneMatrix, preorder_traversal
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import carry
from derive.calculus.gates import gates
from derive.calculus.through_time import TIME
from derive.cell import Cell
from derive.language.expr import At, replace, symbols_of
from derive.theorems.carousel import find_carousel
from derive.theorems.contraction import is_free
from derive.typeset.boxes import Box, Fenced, Operator, Row, Script, Symbol, row, sub, sup
from derive.typeset.layout import size_box
from derive.typeset.letters import spelled
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
    known = [*parts, WERBOS, *cited]
    items = [item for item in known if not any(other.startswith(f"{item},") for other in known)]
    corrections = tuple(_corrections(facts))
    return Section("sources", say.words("sources.title"), (
        Bullets(tuple(say("{0}", say.closed(item)) for item in items)),
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
        matrix = claim.rate.args[-1].args[0]
        rows = matrix.shape[0]
        small = rows.is_number and rows <= 2  # then the norm named below does not exceed 1
        if is_free(facts.derivation, matrix) and not small:
            yield say.sentence(
                "sources.entries", matrix, row("1", "/", "2"), row(size_box(rows), "/", "2")
            )
    if is_lstm(facts):
        yield say.sentence("sources.dropped", *dropped(facts))
    cell = facts.derivation.cell
    if len(cell.states) > 1 and claim.is_undecided and gates(cell):
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
    """Whether a recursion of the cotangent of the state that is read leaves a path out."""
    return bool(facts.claim.entries) and find_carousel(facts.derivation) is not None


def is_lstm(facts: Facts) -> bool:
    """Whether the cell is of the kind whose tutorials copy that recursion.

    One state keeps itself, whole or by a gate, and the other is it, or a function of it, let
    through by a gate.
    """
    derivation, cell = facts.derivation, facts.derivation.cell
    pair = find_carousel(derivation)
    if pair is None or not drops(facts):
        return False
    meant = {e.target: e.value for e in cell.equations}
    value = next(value for target, value in meant.items() if target.name == pair.reader)
    factors = value.args if isinstance(value, HadamardProduct) else ()
    read = len(factors) == 2 and any(
        [s.name for s in symbols_of(one)] == [pair.keeper] and _is_gated(other, cell)
        for one, other in zip(factors, reversed(factors), strict=True)
    )
    whole = isinstance(pair.kept, OneMatrix)
    return read and (whole or _is_gated(replace(pair.kept, meant), cell))


def _is_gated(expr: MatrixExpr, cell: Cell) -> bool:
    """Whether a gate of the cell, or what it is the value of, is in it."""
    known = gates(cell)
    values = {e.value for e in cell.equations if e.target in known}
    return any(node in known or node in values for node in preorder_traversal(expr))


def delta(facts: Facts) -> Box:
    """The letter that common notes have for such a cotangent, δ."""
    return spelled(facts.letters("delta", "epsilon", "zeta"))


def dropped(facts: Facts) -> tuple[Any, ...]:
    """The state that is read, its recursion alone, the path that drops: from, to, its equation."""
    pair, states = find_carousel(facts.derivation), facts.derivation.cell.states
    assert pair is not None
    names = [state.name for state in states]
    hidden, inner = (states[names.index(name)] for name in (pair.reader, pair.keeper))
    jacobian = next(
        s.equation.target for s in facts.derivation.part("jacobian")
        if s.equation.target.args == (At(hidden, TIME), At(hidden, TIME - 1))
    )  # fmt: skip
    turned = Script(Fenced(facts.layout.of(jacobian)), sup=Operator("⊤"))
    alone = row(sub(delta(facts), "t", "−", "1"), "=", turned, sub(delta(facts), "t"))
    handed = At(carry(inner), TIME - 1)
    step = next(s for s in facts.derivation.part("recursion") if s.equation.target == handed)
    return At(hidden, TIME), alone, At(inner, TIME - 1), At(inner, TIME), step.number
