"""Mistakes that hold a number nobody knows: a factor on a term, a limit within the loop.

In: an audit. Out: a `Mistake` with the number found. A gradient is affine in a factor that acts
once, and in a limit that cuts everything: two evaluations tell the number, all seeds hold it to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import partial, reduce
from typing import Any, Final

import numpy as np
from sympy import Rational

from derive.calculus.adjoint import carry
from derive.calculus.through_time import Derivation
from derive.language.expr import scale
from derive.saying import said
from numeric.verification.explain.anatomy import Part, labelled
from numeric.verification.explain.audit import SEEDS, Audit, agreement, equal
from numeric.verification.explain.change import LIMITS, Change, Mistake, Place
from numeric.verification.explain.factors import between, factors
from numeric.verification.watch import Misbehaviour

NICE: Final = 100  # a number is printed as a fraction up to this denominator
TINY: Final = 2.0**-10  # a limit that everything in a network is above
STEPS: Final = 2  # a loss at step 1 hands nothing on but to s_0, one at step 2 once more

Labels = Mapping[str, Any]


def factor(audit: Audit, wrong: set[str]) -> Mistake | None:
    """One term, or all carries, multiplied by a number, if that makes every gradient.

    All gradients may be so, by one number over extents of the call.
    """
    whole = {between(audit, label) for label in audit.labels}
    if len(whole) == 1 and (one := whole.pop()) is not None and one.extents:
        return Mistake(one.words, Change(), (), "factor", factor=one)
    shown = _shown(audit)
    for parts, part in audit.anatomy.homes:
        whole = {e.target.name for e in part.derivation.parameters if len(e.terms) == 1}
        for places, what in _places(part):
            if not audit.anatomy.by_step and {name for name, _ in places} <= whole:
                continue  # a multiple of one whole gradient is said of that gradient
            if not audit.anatomy.holds(part, places):
                continue
            gone = _nothing(Change(dict.fromkeys(places)), parts)
            found = next(
                ((number, tape.case) for got, tape in shown
                 if (number := _factor(audit, got, tape, gone))), None,
            )  # fmt: skip
            if found is None or abs(found[0] - 1) <= agreement().equal:
                continue
            targets = tuple(dict.fromkeys(name for name, _ in places))
            for own in factors(*found):
                numbers = [own.of(tape.case) for tape in audit.tapes]
                made = [_multiplied(part.derivation, places, number) for number in numbers]
                words = said("with {0} {1}", what, own.words)
                if not own.extents:
                    words = said("with {0} multiplied by {1}", what, _text(found[0]))
                mistakes = [Mistake(words, one, targets, "factor", parts=parts) for one in made]
                if _is_made_by(audit, *mistakes):
                    return mistakes[0]
    return None


def _shown(audit: Audit) -> list[tuple[Labels, Any]]:
    """What the code makes of a loss at one step, at another, and the tapes for the same.

    A network's loss is its own: there a call of one step, and one of two.
    """
    alone = dict(audit.anatomy.alone(audit.tapes[0].case))
    found: list[tuple[Labels, Any]] = []
    for step in range(1, STEPS + 1):
        case = alone.get(step) or audit.case(step, audit.seed)
        with suppress(Misbehaviour):
            found.append((labelled(audit.call(case)[1]), audit.tape(case)))
    return found


def _places(part: Part) -> Iterator[tuple[list[Place], str]]:
    """Terms that one number may multiply: of what passes between steps first, then each other."""
    of, naming = part.derivation, part.naming
    taken: list[tuple[Place, str]] = []
    single: list[tuple[list[Place], str]] = []
    whole: list[tuple[list[Place], str]] = []
    for equation in (*of.adjoint, *of.carries, *of.inputs, *of.parameters):
        every = [(equation.target.name, place) for place, _ in enumerate(equation.terms)]
        for here, term in zip(every, equation.terms, strict=True):
            if term.value == carry(equation.of):
                taken.append((here, said("the carry of {0}", equation.of.name)))
            else:
                single.append(([here], said("the term {0}", naming(term.value))))
        if len(every) > 1:
            whole.append((every, naming(equation.target)))
    handed = {e.target.name: [(e.target.name, k) for k, _ in enumerate(e.terms)]
              for e in of.carries}  # fmt: skip
    yield from (([here], what) for here, what in taken)
    if len(taken) > 1:
        yield [here for here, _ in taken], said("the carries of all states")
        yield [here for every in handed.values() for here in every], said("all that is handed back")
    yield from whole
    yield from single


def _factor(audit: Audit, got: Labels, tape: Any, gone: Mistake) -> float | None:
    """The number by which the terms that are gone are multiplied, if a gradient tells one."""
    right = audit.gradients(tape)
    without = audit.anatomy.made_by(tape, gone)
    for label in got:
        if equal(got[label], right[label]):
            continue
        if (number := _affine(got[label], without[label], right[label])) is not None:
            return number
    return None


def _affine(got: Any, zero: Any, one: Any) -> float | None:
    """K in got = zero + k (one − zero), if there is such a k."""
    way = one - zero
    size = float(np.sum(way * way))
    if not size or not np.isfinite(size):
        return None
    number = float(np.sum((got - zero) * way)) / size
    return number if equal(got, zero + number * way) else None


def _multiplied(derivation: Derivation, places: list[Place], number: float) -> Change:
    near = _near(number)
    exact = Rational(near.numerator, near.denominator)
    values = {
        (equation.target.name, place): term.value
        for equation in (*derivation.adjoint, *derivation.carries, *derivation.inputs,
                         *derivation.parameters)
        for place, term in enumerate(equation.terms)
    }  # fmt: skip
    return Change({place: scale(exact, values[place]) for place in places})


def _near(number: float) -> Fraction:
    """The number as a short fraction where it is one, else as it stands."""
    near = Fraction(number).limit_denominator(NICE)
    return (
        near if abs(float(near) - number) <= agreement().equal * abs(number) else Fraction(number)
    )


def _text(number: float) -> str:
    """The number as a short decimal or a short fraction where it is one, else six digits."""
    short, near = f"{number:.4g}", _near(number)
    if abs(float(short) - number) <= agreement().equal * abs(number):
        return short
    return str(near) if near.denominator <= NICE else f"{number:.6g}"


def _nothing(change: Change, parts: tuple[str, ...]) -> Mistake:
    return Mistake("", change, (), "", parts=parts)


def _is_made_by(audit: Audit, *mistakes: Mistake) -> bool:
    """Whether every gradient is, at every seed, that of the mistake, or of its own for each."""
    for number in range(SEEDS):
        found = audit.anatomy.made_by(audit.tapes[number], mistakes[number % len(mistakes)])
        if not all(equal(array, found[label]) for label, array in audit.got[number].items()):
            return False
    return True


# ---- a limit within the loop ---------------------------------------------------------------------


def limited(audit: Audit, large: float) -> Mistake | None:
    """Something that the loop hands on is cut at every step, at a limit that is found."""
    case = audit.tapes[0].case
    alone = dict(audit.anatomy.alone(case)).get(STEPS) or audit.case(STEPS, audit.seed)
    calls = [audit.anatomy.times(one, large) for one in (alone, case)]
    try:
        got, whole = (labelled(audit.call(one)[1]) for one in calls)
    except Misbehaviour:
        return None
    tape, of_all = (audit.tape(one) for one in calls)
    for parts, part in audit.anatomy.homes:
        carried = [e.target.name for e in part.derivation.carries]
        loop = [e.target.name for e in part.derivation.adjoint]
        choices = [*([name] for name in (*carried, *loop)),
                   *([carried] if len(carried) > 1 else [])]  # fmt: skip
        symbols = {e.target.name: e.target for e in (*part.derivation.adjoint,
                                                     *part.derivation.carries)}  # fmt: skip
        for targets in choices:
            if not audit.anatomy.holds(part, [(name, 0) for name in targets]):
                continue
            for how, (words, _) in LIMITS.items():
                limit = _limit(audit, got, tape, targets, how, parts)
                if limit is None or limit <= 0:
                    continue
                names = _listed([part.naming(symbols[name]) for name in targets])
                of_what = said(words, names)
                what = said(
                    "{0} is at most {1} in size, cut at every step", of_what, f"{limit:.6g}"
                )
                change = Change(limits={name: (how, limit) for name in targets})
                mistake = Mistake(what, change, tuple(targets), "limit", parts=parts)
                made = audit.anatomy.made_by(of_all, mistake)
                right = all(equal(array, made[label]) for label, array in whole.items())
                if right and _is_made_by(audit, mistake):
                    return mistake
    return None


def _listed(names: list[str]) -> str:
    return reduce(partial(said, "{0} and of {1}"), names)


def _limit(
    audit: Audit, got: Labels, tape: Any, targets: list[str], how: str, parts: tuple[str, ...]
) -> float | None:
    """The limit, where everything is above it."""
    one = 1.0 if audit.anatomy.by_step else TINY
    low, high = (
        audit.anatomy.made_by(
            tape, _nothing(Change(limits=dict.fromkeys(targets, (how, limit))), parts)
        )
        for limit in (0.0, one)
    )
    for label in got:
        if not equal(low[label], high[label]):
            number = _affine(got[label], low[label], high[label])
            return None if number is None else number * one
    return None
