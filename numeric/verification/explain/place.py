"""Where gradients go wrong, if no mistake that is known explains them.

In: an audit. Out: the shortest sequence that shows it, and the equations that are wrong: those
all of whose gradients are wrong, and that explain all that are, not those that inherit it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial, reduce
from typing import Any, Final

import numpy as np

from derive.calculus.adjoint import AdjointEquation, carry, from_loss
from derive.saying import said
from numeric.verification.explain.anatomy import Part, labelled
from numeric.verification.explain.audit import (
    STEPS,
    Audit,
    agreement,
    equal,
    gradient_errors,
    relative_error,
)
from numeric.verification.explain.equation_names import runs
from numeric.verification.verdict import gradient_name, listed
from numeric.verification.watch import Misbehaviour

UNEXPLAINED: Final = "{0} equals no gradient that is tried, with one or two terms changed"


def first_parting(audit: Audit, labels: set[str], *, one_is_wrong: bool = False) -> str:
    """The shortest sequence on which one of the gradients is wrong, and the place that shows it.

    What is wrong besides is explained already. `one_is_wrong`: a call of one step is known to be,
    so that one which is right acquits nothing.
    """
    silent: list[str] = []
    for length in _lengths(audit):
        case = audit.case(length, audit.seed)
        try:
            got = labelled(audit.call(case)[1])
        except Misbehaviour:
            return ""
        want = audit.gradients(audit.tape(case))
        wrong = {
            label for label, off in gradient_errors(got, want).items() if off > agreement().wrong
        }
        told = {label for label in got if np.any(got[label]) or np.any(want[label])}
        if not wrong & labels:
            silent = sorted({*got} - told) if length == 1 else silent
            continue
        own = wrong & labels
        if one_is_wrong and length > 1:
            return said("in {0}", listed(gradient_name(label) for label in sorted(own)))
        inputs = [label for label in got if label in own and label.startswith("inputs.")]
        steps = [
            t + 1 for t in range(length)
            if any(
                relative_error(got[label][t], want[label][t]) > agreement().wrong
                for label in inputs
            )
        ]  # fmt: skip
        shows = said("it shows with {0} steps already", length)
        if length == 1:
            shows = said("it shows with one step already")
        at = (
            said("going back, {0} parts at t = {1}; ", gradient_name(inputs[0]), max(steps))
            if steps
            else ""
        )
        place = _between(own, silent) if length > 1 else _place(audit, wrong, own, told)
        return said("{0}: {1}{2}", shows, at, place)
    return ""


def _lengths(audit: Audit) -> list[int]:
    """The numbers of steps that are tried: of an audit of one length, that one after the usual."""
    longest = audit.shape.get("T", STEPS)
    return [*range(1, min(longest, STEPS + 1)), longest]


def _between(own: set[str], silent: list[str]) -> str:
    """What is known where one step alone is right; `silent`: what it shows nothing of."""
    names = said("in {0}", listed(gradient_name(label) for label in sorted(own)))
    if silent:
        return said(
            "{0}; one step alone is right, but all of {1} is zero there and shows nothing",
            names,
            listed(map(gradient_name, silent)),
        )
    return said(
        "{0}; one step alone is right, so it is what passes between steps, or is taken "
        "of another step",
        names,
    )


def _place(audit: Audit, wrong: set[str], own: set[str], told: set[str]) -> str:
    """The equations that are wrong; the gradients, where no equation explains them.

    `told`: the gradients that show something; a product with an initial state of zero does not.
    """
    found: list[str] = []
    left = {*own}
    while left:
        groups = _explaining(audit, wrong, left, told)
        if not groups:
            return said("in {0}", listed(gradient_name(label) for label in sorted(own)))
        most = max(groups, key=lambda fed: len(fed & left))
        left -= most
        found.append(_with("{0}, or in {1}", [_named(*pair) for pair in groups[most].values()]))
    return said("first in {0}", _with("{0}, and in {1}", found))


def _with(template: str, parts: list[str]) -> str:
    return reduce(partial(said, template), parts)


def _named(part: Part, names: list[str]) -> str:
    where = part.where(names)
    if len(names) > 1:
        where = said("one of {0}", where)
    return said("{0}, {1}", part.name, where) if part.name else where


def _explaining(
    audit: Audit, wrong: set[str], left: set[str], told: set[str]
) -> dict[frozenset[str], dict[str, tuple[Part, list[str]]]]:
    """What equations feed → their targets by part, where all that is wrong, and some is left.

    Of what they feed those gradients count that show something: no other speaks for an equation.
    """
    groups: dict[frozenset[str], dict[str, tuple[Part, list[str]]]] = {}
    for part in audit.anatomy.parts:
        of = part.derivation
        for equation in (*of.adjoint, *of.carries, *of.inputs, *of.parameters):
            name = equation.target.name
            fed = frozenset(audit.anatomy.fed(part, [name])) & told
            if fed <= wrong and fed & left and not _given(equation):
                groups.setdefault(fed, {}).setdefault(part.name, (part, []))[1].append(name)
    return groups


def _given(equation: AdjointEquation) -> bool:
    """Whether it only takes in what comes from the loss and from the next step."""
    return all(t.value in (from_loss(equation.of), carry(equation.of)) for t in equation.terms)


def right_in_whole(
    audit: Audit, labels: Iterable[str], steps: Mapping[str, Mapping[int, bool]]
) -> dict[str, str]:
    """Gradients that are right of losses at all steps, and wrong of a loss at one alone.

    Two mistakes that undo each other make such a gradient as well: none is looked for.
    """
    found: dict[str, str] = {}
    for label in labels:
        wrong = listed(runs(k for k, fine in steps[label].items() if not fine))
        found[label] = said(
            "right where every step has a loss; cotangents of one step alone give it wrongly at "
            "t = {0}", wrong,
        )  # fmt: skip
        alone = [case for _, case in audit.anatomy.alone(audit.tapes[0].case)]
        total = sum(labelled(audit.call(case)[1])[label] for case in alone)
        if not equal(total, audit.got[0][label]):
            found[label] = said("{0}; it is not the sum of those, so not linear in cotangents",
                                found[label])  # fmt: skip
    return found


def unexplained(
    label: str,
    steps: Mapping[int, bool],
    parting: str,
    counterexample: Mapping[str, Any] | None,
) -> str:
    """No set of mistakes explains it: what is known of the place where it goes wrong."""
    good = runs(k for k, fine in steps.items() if fine)
    bad = runs(k for k, fine in steps.items() if not fine)
    parts: list[str] = [said(UNEXPLAINED, gradient_name(label))]
    if bad and good:
        parts.append(
            said(
                "cotangents of one step alone give it rightly at t = {0}, wrongly at t = {1}",
                listed(good),
                listed(bad),
            )
        )
    elif bad:
        parts.append("cotangents of any one step alone give it wrongly")
    elif good:
        parts.append("cotangents of one step alone give it rightly at every t")
    parts.append(parting)
    if counterexample:
        sizes = [f"{k} = {v}" for k, v in counterexample.items() if isinstance(v, int)]
        parts.append(said("smallest counterexample: {0}", ", ".join(sizes)))
    return reduce(partial(said, "{0}; {1}"), [part for part in parts if part])
