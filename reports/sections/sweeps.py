"""How many sweeps in parallel? Newton's iterates of the trajectory at hand, each with its distance.

In: `Pages` of given weights. Out: a section with theorem, proof and figure; none for trajectories
that are long or wide, where the iterates would take longer than all else, and for matrix states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Large,
    Number,
    Operator,
    Symbol,
    row,
    sub,
    sup,
)
from numeric.bounds.parallel_in_time.newton import TOLERANCE, Sweeps, sweeps
from reports.document.figures import labels
from reports.document.model import (
    Block,
    EquationRow,
    Equations,
    Paragraph,
    Section,
    Theorem,
)
from reports.document.numerals import NEAR, UP, figures
from reports.document.sweep_figures import distances
from reports.sections.numbering import Pages

_WORK: Final = 1 << 20  # entries of all step Jacobians together
_MOST: Final = 20
HABIT: Final = 3
"""So many iterations fast implementations take, whatever the net."""


def sweep_section(pages: Pages) -> Section | None:
    """The chapter, where its numbers are cheap beside the rest."""
    one = pages.study.one
    if not pages.study.given or one.run is None or one.run.derivation.has_matrices:
        return None
    width = sum(value.shape[1] for value in one.run.states.values())
    if one.run.steps * width * width > _WORK:
        return None
    run = one.run
    found = sweeps(run.derivation, run.parameters, run.inputs, {}, run.constants,
                   most=_MOST, exact=run.states)  # fmt: skip
    say = pages.facts.say
    return Section("sweeps", say.words("sweeps.title"), (
        Paragraph(say.sentence("sweeps.method", _step())), _theorem(pages),
        *_numbers(pages, found),
    ))  # fmt: skip


# ---- the theorem -------------------------------------------------------------------------------


def _length(inner: Box) -> Box:
    return Fenced(inner, "‖", "‖")


def _at(name: str, *time: str) -> Box:
    return sub(Symbol(name), *time)


def _earlier(name: str, time: str) -> Box:
    return sub(Symbol(name), row(Symbol(time), "−", "1"))


def _step() -> Box:
    return row(_at("d", "t"), "=", _at("J", "t"), _earlier("d", "t"), "+", _at("r", "t"))


def _theorem(pages: Pages) -> Theorem:
    """The bound step after step, and its proof."""
    facts = pages.facts
    say = facts.say
    chain = row(_at("J", "t"), "⋯", sub(Symbol("J"), row(Symbol("k"), "+", "1")))
    upto = row(Symbol("k"), "≤", Symbol("t"))
    square = Fraction(row(_at("L", "k"), sup(_earlier("E", "k"), Number("2"))), Number("2"))
    bound = row(_length(_at("d", "t")), "+", Large("∑", upto), _length(chain), square)
    error = row(_at("e", "t"), "=", _at("J", "t"), _earlier("e", "t"), "+", _at("r", "t"), "+",
                _at("q", "t"))  # fmt: skip
    taylor = row(_length(_at("q", "t")), "≤",
                 Fraction(row(_at("L", "t"), sup(_length(_earlier("e", "t")), Number("2"))),
                          Number("2")))  # fmt: skip
    solved = row(_at("e", "t"), "=", _at("d", "t"), "+", Large("∑", upto), chain, _at("q", "k"))
    return Theorem(
        say.words("sweeps.name"), len(facts.claims) + 1,
        (
            Paragraph(say.sentence("sweeps.let", _at("d", "t"), _at("L", "t"), _at("J", "t"),
                                   _earlier("E", "t"))),
            Equations((EquationRow(_at("E", "t"), bound),)),
            Paragraph(say.sentence("sweeps.then", row(_at("E", "0"), "=", "0"), _at("E", "t"))),
        ),
        (
            say.sentence("sweeps.taylor", _at("e", "t"), error, taylor),
            say.sentence("sweeps.solved", solved),
            say.sentence("sweeps.induction", _at("E", "t")),
        ),
    )  # fmt: skip


# ---- in numbers --------------------------------------------------------------------------------


def _numbers(pages: Pages, found: Sweeps) -> Iterator[Block]:
    say = pages.facts.say
    yield pages.figure("sweeps", distances(found, HABIT, labels(say.language)),
                       say.sentence("sweeps.figure"), say.words("sweeps.described"))  # fmt: skip
    last, small = str(len(found.iterates) - 1), figures(TOLERANCE)
    parts = [say.sentence("sweeps.reached" if found.converged else "sweeps.missed", last, small)]
    at = found.certified_at
    if at is None:
        parts.append(say.sentence("sweeps.uncertified"))
    else:
        one = found.iterates[at]
        parts.append(say.sentence("sweeps.certified", str(at), _figure(one.certified)))
    if found.foreseen is not None:
        within = _figure(found.iterates[found.foreseen[0]].within)
        parts.append(say.sentence("sweeps.foreseen", *map(str, found.foreseen), within))
    yield Paragraph(say.together(parts), say.words("sweeps.lead_count"))
    yield Paragraph(say.together([*_habit(pages, found)]), say.words("sweeps.lead_habit"))


def _figure(value: float | None) -> Box:
    return Operator("–") if value is None else figures(value, UP)


def _habit(pages: Pages, found: Sweeps) -> Iterator[tuple]:  # type: ignore[type-arg]
    """What three iterations come to here."""
    say, number = pages.facts.say, str(HABIT)
    if len(found.iterates) <= HABIT:
        yield say.sentence("sweeps.fewer", number)
        return
    one = found.iterates[HABIT]
    if one.measured is not None:
        yield say.sentence("sweeps.measured", number, figures(one.measured, NEAR))
    if one.certified is None or one.adjoint is None:
        yield say.sentence("sweeps.unknown")
    else:
        yield say.sentence("sweeps.known", figures(one.certified, UP), figures(one.adjoint, UP))
