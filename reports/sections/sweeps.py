"""How many sweeps in parallel? Newton's iterates of the trajectory at hand, each with its distance.

In: `Pages` of given weights. Out: a section with theorem, proof and figure; none for trajectories
that are long or wide, where the iterates would take longer than all else, and for matrix states.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from derive.calculus.curvature import step_curvature
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
from derive.typeset.latex import Latex
from derive.typeset.letters import spelled
from numeric.bounds.parallel_in_time.newton import TOLERANCE, Sweeps, sweeps
from reports.document.figures import labels
from reports.document.model import (
    Block,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
    Theorem,
)
from reports.document.numerals import NEAR, UP, figures
from reports.document.sweep_figures import distances
from reports.sections.facts import Facts
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
    say, curvature = pages.facts.say, step_curvature(run.derivation)
    declared = Paragraph(say.sentence("sweeps.declared"))
    fed = () if curvature.declared else curvature.fed
    usual = found
    begun: list[Inlines] = []
    if found.evaluations > 1:  # fast implementations begin after one
        usual = sweeps(run.derivation, run.parameters, run.inputs, {}, run.constants,
                       most=HABIT, exact=run.states, warm=False)  # fmt: skip
        begun.append(say.sentence("sweeps.habit_from"))
    return Section("sweeps", say.words("sweeps.title"), (
        Paragraph(say.sentence("sweeps.method", _Letters(pages.facts).step())),
        *((declared,) if curvature.declared else (_theorem(pages), *_from_the_next(pages))),
        *(Paragraph(_fed(pages, name)) for name in fed),
        *_before_the_first(pages, found),
        *_numbers(pages, found, smooth=not (curvature.declared or curvature.kinks)),
        Paragraph(say.together([*begun, *_habit(pages, usual)]), say.words("sweeps.lead_habit")),
    ))  # fmt: skip


# ---- the theorem -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Letters:
    """The letters of the theorem, beside those of the cell."""

    facts: Facts

    def at(self, choices: tuple[str, ...], time: Box | str = "t") -> Box:
        """A letter of these at a time."""
        return sub(spelled(self.facts.letters(*choices)), time)

    def step(self) -> Box:
        """The equation that an iteration solves."""
        J = sub(self.facts.jacobian, "t")
        d = self.at(_CHANGE), self.at(_CHANGE, _BEFORE)
        return row(d[0], "=", J, d[1], "+", self.at(_RESIDUAL))


_CHANGE, _RESIDUAL = ("d", "delta", "epsilon"), ("r", "rho", "chi")
_WITHIN, _ERROR = ("E", "R", "Y"), ("e", "eta", "zeta")
_REST, _LIPSCHITZ = ("q", "xi", "psi"), ("M", "K", "F")
_WAY, _CARRIED, _LEFT = ("c", "b", "zeta"), ("w", "v", "omega"), ("G", "Z", "Q")
_NORM, _GUESSED, _LAG, _NUMBER = ("kappa", "mu", "nu"), ("D", "H", "B"), ("l", "i"), ("j", "p")
_BEFORE: Final = row("t", "−", "1")


def _length(inner: Box) -> Box:
    return Fenced(inner, "‖", "‖")


def _theorem(pages: Pages) -> Theorem:
    """The bound step after step, and its proof."""
    facts = pages.facts
    say, letters, k = facts.say, _Letters(facts), facts.earlier
    at, J = letters.at, facts.jacobian
    d, e, q, radius = at(_CHANGE), at(_ERROR), at(_REST), at(_WITHIN)
    e_before, most = at(_ERROR, _BEFORE), at(_LIPSCHITZ)
    chain = row(sub(J, "t"), "⋯", sub(J, row(k, "+", "1")))
    upto = row(k, "≤", Symbol("t"))
    before = at(_WITHIN, row(k, "−", "1"))
    square = Fraction(row(at(_LIPSCHITZ, k), sup(before, Number("2"))), Number("2"))
    bound = row(_length(d), "+", Large("∑", upto), _length(chain), square)
    error = row(e, "=", sub(J, "t"), e_before, "+", at(_RESIDUAL), "+", q)
    taylor = row(_length(q), "≤",
                 Fraction(row(most, sup(_length(e_before), Number("2"))), Number("2")))  # fmt: skip
    solved = row(e, "=", d, "+", Large("∑", upto), chain, at(_REST, k))
    return Theorem(
        say.words("sweeps.name"), len(facts.claims) + 1,
        (
            Paragraph(say.sentence("sweeps.let", d, most, sub(J, "t"), at(_WITHIN, _BEFORE))),
            Equations((EquationRow(radius, bound),)),
            Paragraph(say.sentence("sweeps.then", row(at(_WITHIN, "0"), "=", "0"), radius)),
        ),
        (
            say.sentence("sweeps.taylor", e, error, taylor),
            say.sentence("sweeps.solved", solved),
            say.sentence("sweeps.induction", radius),
        ),
    )  # fmt: skip


def _from_the_next(pages: Pages) -> Iterator[Block]:
    """The sharper bound, by the residual of the next iterate."""
    facts, letters = pages.facts, _Letters(pages.facts)
    say, at, J, k = facts.say, letters.at, facts.jacobian, facts.earlier
    way, carried, left = at(_WAY), at(_CARRIED), at(_LEFT)
    earlier = row(k, "−", "1")
    chain = row(sub(J, "t"), "⋯", sub(J, row(k, "+", "1")))
    before = at(_LEFT, earlier)
    inner = row(_length(at(_WAY, earlier)), before, "+",
                Fraction(sup(before, Number("2")), Number("2")))  # fmt: skip
    bound = row(_length(carried), "+", Large("∑", row(k, "≤", Symbol("t"))), _length(chain),
                at(_LIPSCHITZ, k), Fenced(inner, "(", ")"))  # fmt: skip
    yield Paragraph(say.sentence("sweeps.next", way, carried, sub(J, "t"), at(_LIPSCHITZ)))
    yield Equations((EquationRow(left, bound),))
    yield Paragraph(say.sentence("sweeps.smaller", row(at(_LEFT, "0"), "=", "0"), left,
                                 row(_length(way), "+", left), at(_WITHIN)))  # fmt: skip


def _fed(pages: Pages, name: str) -> Inlines:
    """What is sharper of a state that inputs alone make."""
    facts, letters = pages.facts, _Letters(pages.facts)
    return facts.say.sentence("sweeps.fed", facts.symbol(name), sub(facts.jacobian, "t"),
                              letters.at(_WITHIN, _BEFORE))  # fmt: skip


def _before_the_first(pages: Pages, found: Sweeps) -> Iterator[Block]:
    """How many sweeps are enough, by a rate below 1 over a box or by the guess; the theorems."""
    start, say = found.start, pages.facts.say
    if start is None or (start.within is None and not found.own):
        return
    parts = [say.sentence("sweeps.start_made", str(start.evaluations))]
    if start.within is not None:
        yield _enough(pages)
        own = str(len(pages.facts.claims) + 2)
        parts.append(say.sentence("sweeps.start_near", _figure(start.within), own))
    if found.own:
        yield _by_its_own(pages, 2 + (start.within is not None))
    if found.predicted is not None:
        parts.append(say.sentence("sweeps.start_enough", str(found.predicted),
                                  _figure(found.within)))  # fmt: skip
    yield Paragraph(say.together(parts), say.words("sweeps.lead_start"))


def _enough(pages: Pages) -> Theorem:
    """The bound sweep after sweep by the residual of the first guess, and its proof."""
    facts = pages.facts
    say, letters, k = facts.say, _Letters(facts), facts.earlier
    J, residual, lag = sub(facts.jacobian, "t"), letters.at(_RESIDUAL), facts.letters(*_LAG)
    number = spelled(facts.letters(*_NUMBER))

    def bound(count: Box, time: Box | str = "t") -> Box:
        return sup(letters.at(_GUESSED, time), count)

    many = Large("∑", row(k, "≤", Symbol("t")))
    norm = letters.at(_NORM, row("t", "−", k))
    first, later = bound(Number("0")), bound(row(number, "+", "1"))
    square = row(letters.at(_LIPSCHITZ, k),
                 sup(Fenced(bound(number, row(k, "−", "1")), "(", ")"), Number("2")))  # fmt: skip
    largest = row(sub("max", "t"), first)
    return Theorem(
        say.words("sweeps.start_name"), len(facts.claims) + 2,
        (
            Paragraph(say.sentence("sweeps.start_let", letters.at(_NORM, spelled(lag)),
                                   spelled(lag), largest, letters.at(_LIPSCHITZ), residual)),
            Equations((
                EquationRow(first, row(many, norm, _length(letters.at(_RESIDUAL, k)))),
                EquationRow(later, row(many, norm, Fraction(square, Number("2")))),
            )),
            Paragraph(say.sentence("sweeps.start_then", row(bound(number, "0"), "=", "0"),
                                   bound(number), largest, number)),
        ),
        (
            say.sentence("sweeps.start_first", J, first),
            say.sentence("sweeps.start_later", J, letters.at(_LIPSCHITZ), largest, later),
        ),
    )  # fmt: skip


def _by_its_own(pages: Pages, place: int) -> Theorem:
    """The bound sweep after sweep by products of the step Jacobians at the first guess."""
    facts = pages.facts
    say, letters, k = facts.say, _Letters(facts), facts.earlier
    J, most = sub(facts.jacobian, "t"), letters.at(_LIPSCHITZ)
    number, within = spelled(facts.letters(*_NUMBER)), letters.at(_WITHIN)
    chain = _length(row(J, "⋯", sub(facts.jacobian, row(k, "+", "1"))))
    earlier, next_one = row(k, "−", "1"), row(number, "+", "1")

    def bound(count: Box, time: Box | str = "t") -> Box:
        return sup(letters.at(_GUESSED, time), count)

    def squared(count: Box) -> Box:
        square = sup(Fenced(bound(count, earlier), "(", ")"), Number("2"))
        return Fraction(square, Number("2"))

    def away(time: Box | str) -> Box:
        return row(bound(Number("0"), time), "+", bound(number, time))

    many = row(Large("∑", row(k, "≤", Symbol("t"))), chain, letters.at(_LIPSCHITZ, k))
    moved = row(Fenced(away(earlier), "(", ")"), bound(next_one, earlier), "+", squared(number))
    largest = row(sub("max", "t"), within)
    return Theorem(
        say.words("sweeps.own_name"), len(facts.claims) + place,
        (
            Paragraph(say.sentence("sweeps.own_let", within, J, most, row("2", largest),
                                   str(len(facts.claims) + 1), row(number, "≥", "1"))),
            Equations((
                EquationRow(bound(Number("1")), row(many, squared(Number("0")))),
                EquationRow(bound(next_one), row(many, Fenced(moved, "(", ")"))),
            )),
            Paragraph(say.sentence("sweeps.own_then", row(bound(Number("0")), "=", within),
                                   row(bound(number, "0"), "=", "0"), bound(number), largest,
                                   number)),
        ),
        (
            say.sentence("sweeps.own_first", most),
            say.sentence("sweeps.own_later", away("t"), J, most, bound(next_one)),
        ),
    )  # fmt: skip


# ---- in numbers --------------------------------------------------------------------------------


def _numbers(pages: Pages, found: Sweeps, *, smooth: bool) -> Iterator[Block]:
    say = pages.facts.say
    caption = [say.sentence("sweeps.quadratic")] * smooth + [say.sentence("sweeps.figure")]
    state = Latex()(pages.facts.whole)
    yield pages.figure("sweeps", distances(found, HABIT, state, labels(say.language)),
                       say.together(caption), say.words("sweeps.described"))  # fmt: skip
    last, small = str(len(found.iterates) - 1), figures(TOLERANCE)
    parts = [say.sentence("sweeps.reached" if found.converged else "sweeps.missed", last, small)]
    if not math.isfinite(found.iterates[-1].step):
        parts = [say.sentence("sweeps.overflows", last)]
    at = found.certified_at
    if at is None:
        parts.append(say.sentence("sweeps.uncertified"))
    else:
        one = found.iterates[at]
        parts.append(say.sentence("sweeps.certified", str(at), _figure(one.certified)))
    if found.foreseen is not None:
        within = _figure(found.iterates[found.foreseen[0]].within)
        parts.append(say.sentence("sweeps.foreseen", *map(str, found.foreseen), within))
    reasons = Counter(one.reason for one in found.iterates if one.certified is None)
    parts += [say.sentence("sweeps.without", str(count), str(len(found.iterates)), say.phrase(why))
              for why, count in reasons.items()]  # fmt: skip
    yield Paragraph(say.together(parts), say.words("sweeps.lead_count"))


def _figure(value: float | None) -> Box:
    return Operator("–") if value is None else figures(value, UP)


def _habit(pages: Pages, found: Sweeps) -> Iterator[tuple]:  # type: ignore[type-arg]
    """What three iterations come to here."""
    say, number = pages.facts.say, str(HABIT)
    if len(found.iterates) <= HABIT:
        yield say.sentence("sweeps.fewer" if found.converged else "sweeps.broken", number)
        return
    one = found.iterates[HABIT]
    if one.measured is not None:
        yield say.sentence("sweeps.measured", number, figures(one.measured, NEAR))
    if one.certified is None or one.adjoint is None:
        yield say.sentence("sweeps.unknown")
    else:
        yield say.sentence("sweeps.known", figures(one.certified, UP), figures(one.adjoint, UP))
