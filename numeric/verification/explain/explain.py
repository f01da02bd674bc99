"""A wrong gradient → the term of the adjoint equations that is missing or wrong.

In: a cell and the functions under audit. Out: for each gradient whether it is right for
cotangents of one time step only, and, for a wrong one, a sentence. The backward passes with
one mistake are evaluated beside the right one; the sentence names the one that the audited code
agrees with on every seed, then the one with two mistakes, else what is known of the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from derive.calculus.through_time import Derivation
from derive.cell import Cell
from numeric.verification.cases import Case
from numeric.verification.explain.audit import (
    STEPS,
    WRONG,
    Audit,
    Call,
    equal,
    gradient_errors,
    labelled,
    relative_error,
)
from numeric.verification.explain.changed_equations import Change, Gradients, Tape
from numeric.verification.explain.mistakes import Mistake
from numeric.verification.explain.wording import listed
from numeric.verification.watch import Misbehaviour

PAIRS: Final = 20_000  # of two mistakes, tried for one gradient


@dataclass(frozen=True)
class Finding:
    """One gradient: the steps whose cotangents alone give it rightly, and what is wrong.

    `scaled_error` is the largest error met here, over the array's largest entry.
    """

    wrong: bool
    steps: Mapping[int, bool]
    sentence: str | None = None
    scaled_error: float = 0.0


def explain_gradients(
    cell: Cell,
    call: Call,
    *,
    seed: int = 0,
    failing: Iterable[str] = (),
    counterexample: Mapping[str, Any] | None = None,
) -> dict[str, Finding]:
    """Every gradient of the code: where it is right, and which mistake it is.

    `failing`: the gradients that other checks found wrong; what differs here counts as well.

    Raises:
        Misbehaviour: if the code misbehaves.
    """
    audit = Audit(cell, call, seed)
    steps = _single_steps(audit)
    errors: dict[str, float] = dict.fromkeys(audit.labels, 0.0)
    for got, want in zip(audit.got, audit.right(), strict=True):
        errors = {
            label: max(errors[label], off) for label, off in gradient_errors(got, want).items()
        }
    wrong = {label for label, off in errors.items() if off > WRONG}
    wrong |= {label for label, found in steps.items() if not all(found.values())}
    sentences = _sentences(audit, wrong, steps, counterexample)
    for label in {*failing} & {*audit.labels} - wrong:
        sentences[label] = (
            f"{gradient_name(label)} agrees to {WRONG:g} in small, ordinary calls: no term is "
            "missing; the counterexample shows a call in which it is off"
        )
    return {
        label: Finding(label in wrong, steps[label], sentences.get(label), errors[label])
        for label in audit.labels
    }


def _single_steps(audit: Audit) -> dict[str, dict[int, bool]]:
    """For each gradient: step k → whether it is right for cotangents that are zero but at k."""
    found: dict[str, dict[int, bool]] = {label: {} for label in audit.labels}
    for k in range(STEPS):
        case = audit.tapes[0].case
        only = {name: np.zeros_like(value) for name, value in case.cotangents.items()}
        for name, value in case.cotangents.items():
            only[name][k] = value[k]
        case = replace(case, cotangents=only)
        got = labelled(audit.call(case)[1])
        for label, off in gradient_errors(
            got, Tape(audit.derivation, case).gradients(Change())
        ).items():
            found[label][k + 1] = off <= WRONG
    return found


def _sentences(
    audit: Audit,
    wrong: set[str],
    steps: Mapping[str, Mapping[int, bool]],
    counterexample: Mapping[str, Any] | None,
) -> dict[str, str]:
    if audit.wrong_states:
        name, step = min(audit.wrong_states.items(), key=lambda item: item[1])
        return {
            label: f"the forward pass computes another {name}, from t = {step} on: "
            f"{gradient_name(label)} is not a gradient of this cell"
            for label in wrong
        }
    found = {
        label: _sentence(audit, label, chosen)
        for label, chosen in _explanations(audit, wrong).items()
    }
    parting = _first_parting(audit) if wrong - {*found} else ""
    for label in wrong - {*found}:
        found[label] = _unexplained(label, steps[label], parting, counterexample)
    return found


# ---- which mistake it is ---------------------------------------------------------------------


Chosen = dict[str, tuple[Mistake, ...]]


def _explanations(audit: Audit, wrong: set[str]) -> Chosen:
    """For each wrong gradient the mistake that makes it, or the two."""
    if not wrong:
        return {}
    chosen = _single(audit, wrong)
    used = list(dict.fromkeys(one for (one,) in chosen.values()))
    for number, label in enumerate(sorted(wrong - {*chosen})):
        if label not in chosen:
            chosen |= _double(audit, label, wrong - {*chosen}, used, thorough=number == 0)
    return chosen


def _single(audit: Audit, wrong: set[str]) -> Chosen:
    """One mistake for as many gradients as possible, then one for as many of the rest.

    Of two for equally many, the one that leaves the other gradients as they are.
    """
    matches: dict[int, set[str]] = {}
    clashes: dict[int, int] = {}
    for place, mistake in enumerate(audit.mistakes):
        found = audit.of(mistake, 0)
        near = {label for label in wrong if equal(audit.got[0][label], found[label])}
        if explained := {label for label in near if audit.explains(mistake, label)}:
            matches[place] = explained
            clashes[place] = sum(
                not equal(audit.got[0][label], found[label]) for label in audit.labels
            )
    chosen: Chosen = {}
    while open_places := [place for place in matches if matches[place] - {*chosen}]:
        best = min(
            open_places,
            key=lambda place: (-len(matches[place] - {*chosen}), clashes[place], place),
        )
        chosen |= dict.fromkeys(matches[best] - {*chosen}, (audit.mistakes[best],))
    return chosen


def _double(
    audit: Audit, label: str, others: set[str], used: list[Mistake], thorough: bool
) -> Chosen:
    """Two mistakes that make the gradient together, and the others that they make as well."""
    for one, two in _pairs(audit, label, used, thorough):
        if not one.change.meets(two.change):
            both = replace(one, change=one.change | two.change)
            near = equal(audit.got[0][label], audit.of(both, 0)[label])
            if near and audit.explains(both, label):
                return {other: (one, two) for other in others if audit.explains(both, other)}
    return {}


def _pairs(
    audit: Audit, label: str, used: list[Mistake], thorough: bool
) -> Iterator[tuple[Mistake, Mistake]]:
    """First with a mistake already found, then of the major ones near the gradient.

    Near is its own equation; all of the loop too, if the search is to be thorough.
    """
    plain = [m for m in audit.mistakes if m.derivation is None]
    for one in used:
        for two in plain:
            yield one, two
    own = _own_target(audit, label)
    loops = {e.target.name for e in (*audit.derivation.adjoint, *audit.derivation.carries)}
    near = {own} | (loops if thorough else set())
    major = [m for m in plain if m.major and {*m.targets} & near]
    count = 0
    for place, one in enumerate(major):
        for two in major[:place]:
            yield two, one
            count += 1
            if count >= PAIRS:
                return


def _own_target(audit: Audit, label: str) -> str:
    group, name = label.split(".", 1)
    return f"{name}_prev_bar" if group == "initial" else f"{name}_bar"


# ---- in words --------------------------------------------------------------------------------


def gradient_name(label: str) -> str:
    """The gradient as a reader calls it: dW_fh, dx, dh_0."""
    group, name = label.split(".", 1)
    return f"d{name}_0" if group == "initial" else f"d{name}"


def _sentence(audit: Audit, label: str, chosen: tuple[Mistake, ...]) -> str:
    words = [f"{m.what} ({audit.wording.where(m.targets)})" for m in chosen]
    return f"{gradient_name(label)} equals the gradient {', and '.join(words)}"


def _unexplained(
    label: str,
    steps: Mapping[int, bool],
    parting: str,
    counterexample: Mapping[str, Any] | None,
) -> str:
    """No one or two terms explain it: what is known of the place where it goes wrong."""
    good = [str(k) for k, fine in steps.items() if fine]
    bad = [str(k) for k, fine in steps.items() if not fine]
    parts = [f"{gradient_name(label)} equals no gradient with one or two terms changed"]
    if bad and good:
        parts.append(
            f"cotangents of one step alone give it rightly at t = {listed(good)}, wrongly at "
            f"t = {listed(bad)}"
        )
    elif bad:
        parts.append("cotangents of any one step alone give it wrongly")
    else:
        parts.append("cotangents of one step alone give it rightly at every t")
    parts.append(parting)
    if counterexample:
        sizes = [f"{k} = {v}" for k, v in counterexample.items() if isinstance(v, int)]
        parts.append(f"smallest counterexample: {', '.join(sizes)}")
    return "; ".join(part for part in parts if part)


def _first_parting(audit: Audit) -> str:
    """The shortest sequence on which a gradient is wrong, and the place that shows it."""
    for length in range(1, STEPS + 1):
        case = audit.case(length, audit.seed)
        try:
            got = labelled(audit.call(case)[1])
        except Misbehaviour:
            return ""
        want = Tape(audit.derivation, case).gradients(Change())
        wrong = {label for label, off in gradient_errors(got, want).items() if off > WRONG}
        if wrong:
            shows = f"it shows with {'one step' if length == 1 else f'{length} steps'} already"
            return f"{shows}: {_place(audit, case, got, want, wrong)}"
    return ""


def _place(
    audit: Audit, case: Case, got: Mapping[str, Any], want: Gradients, wrong: set[str]
) -> str:
    """Going back in time, the first step at which inputs have a wrong gradient, and the equation.

    The equation is the first of the step all of whose parameters have wrong gradients; where
    there is none, the wrong gradients are named.
    """
    inputs = [label for label in got if label in wrong and label.startswith("inputs.")]
    steps = [
        t + 1
        for t in range(case.steps)
        if any(relative_error(got[label][t], want[label][t]) > WRONG for label in inputs)
    ]
    names = listed(gradient_name(label) for label in sorted(wrong))
    at = f"going back, {gradient_name(inputs[0])} parts at t = {max(steps)}; " if steps else ""
    for equation in audit.derivation.adjoint:
        fed = {
            f"params.{e.of.name}" for e in audit.derivation.parameters
            if any(_target_of(audit.derivation, t.source) == equation.of.name for t in e.terms)
        }  # fmt: skip
        if fed and fed <= wrong:
            return f"{at}first in {audit.wording.where([equation.target.name])}"
    return f"{at}in {names}"


def _target_of(derivation: Derivation, source: int) -> str:
    return str(derivation.forward[source - 1].target.name) if source else ""
