"""A wrong gradient → the term of the adjoint equations that is missing or wrong.

In: a cell and the functions under audit. Out: for each gradient whether it is right for
cotangents of one time step only, and, for a wrong one, a sentence. The backward passes with
one mistake are evaluated beside the right one; the sentence names the one that the audited code
agrees with on every seed, then the one with two mistakes, else what is known of the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from derive.bptt import Derivation, differentiate
from derive.cell import Cell
from numeric.backward import Change, Gradients, Tape
from numeric.cases import Case, make_case, ordinary_sizes
from numeric.conduct import Result
from numeric.guard import Misbehaviour
from numeric.mistakes import Mistake, mistakes
from numeric.wording import Wording, listed

STEPS: Final = 4
SEEDS: Final = 3
EQUAL: Final = 1e-8  # of the array's largest entry: agreement of two float64 computations
WRONG: Final = 1e-7  # further off than this is no rounding
NOISE: Final = 1e-14  # of the largest gradient: what rounding leaves of an exact zero
PAIRS: Final = 20_000

Call = Callable[[Case], Result]


@dataclass(frozen=True)
class Finding:
    """One gradient: the steps whose cotangents alone give it rightly, and what is wrong.

    `scaled_error` is the largest error met here, over the array's largest entry.
    """

    wrong: bool
    steps: Mapping[int, bool]
    sentence: str | None = None
    scaled_error: float = 0.0


@dataclass
class _Audit:
    """One cell's tapes, and what the audited code made of the same cases."""

    cell: Cell
    call: Call
    seed: int
    tapes: list[Tape] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    wrong_states: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Call the code at the seeds.

        Raises:
            Misbehaviour: if it misbehaves.
        """
        self.derivation = differentiated(self.cell)
        for number in range(SEEDS):
            case = self.case(STEPS, self.seed + number)
            tape = Tape(self.derivation, case)
            states, gradients = self.call(case)
            for name, want in tape.states.items():
                for t in range(case.steps):
                    if relative_error(states[name][t], want[t]) > WRONG:
                        self.wrong_states.setdefault(name, t + 1)
            self.tapes.append(tape)
            self.got.append(labelled(gradients))

    def case(self, steps: int, seed: int) -> Case:
        sizes = ordinary_sizes(self.cell)
        return make_case(self.cell, sizes, steps=steps, batch=3 - seed % 2, seed=seed)

    @cached_property
    def wording(self) -> Wording:
        return _prepared(self.cell)[0]

    @cached_property
    def all(self) -> list[Mistake]:
        return _prepared(self.cell)[1]

    @property
    def labels(self) -> list[str]:
        return [*self.got[0]]

    def right(self) -> list[Gradients]:
        return [tape.gradients(Change()) for tape in self.tapes]

    def of(self, mistake: Mistake, number: int) -> Gradients:
        tape = self.tapes[number]
        if mistake.derivation is not None:
            tape.learn(mistake.derivation.forward)
        return tape.gradients(mistake.change, mistake.derivation)

    def explains(self, mistake: Mistake, label: str) -> bool:
        """Whether the code's gradient is that of the mistake, on every seed."""
        return all(
            relative_error(self.got[number][label], self.of(mistake, number)[label]) <= EQUAL
            for number in range(SEEDS)
        )


@lru_cache(maxsize=64)
def differentiated(cell: Cell) -> Derivation:
    """The derivation of the cell, made once."""
    return differentiate(cell)


@lru_cache(maxsize=16)
def _prepared(cell: Cell) -> tuple[Wording, list[Mistake]]:
    derivation = differentiated(cell)
    wording = Wording(derivation)
    return wording, mistakes(derivation, wording)


def labelled(gradients: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Gradients by label: "params.W", "inputs.x", "initial.h"."""
    return {
        f"{g}.{name}": array for g, arrays in gradients.items() for name, array in arrays.items()
    }


def relative_error(got: Any, want: Any, noise: float = 0.0) -> float:
    """The largest difference over the largest entry; infinite for what is not finite.

    A difference up to `noise` is none: what an array is that cancels to nothing.
    """
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    if got.shape != want.shape or not np.all(np.isfinite(got)):
        return np.inf
    off, largest = np.max(np.abs(got - want), initial=0), np.max(np.abs(want), initial=0)
    if off <= noise:
        return 0.0
    return float(off / largest) if largest else np.inf


def _errors(got: Mapping[str, Any], want: Gradients) -> dict[str, float]:
    """The error of each gradient; what all of them cancel to is noise."""
    overall = max(float(np.max(np.abs(want[label]), initial=0)) for label in got)
    return {
        label: relative_error(array, want[label], NOISE * overall) for label, array in got.items()
    }


def diagnose(
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
    audit = _Audit(cell, call, seed)
    steps = _single_steps(audit)
    errors: dict[str, float] = dict.fromkeys(audit.labels, 0.0)
    for got, want in zip(audit.got, audit.right(), strict=True):
        errors = {label: max(errors[label], off) for label, off in _errors(got, want).items()}
    wrong = {label for label, off in errors.items() if off > WRONG}
    wrong |= {label for label, found in steps.items() if not all(found.values())}
    sentences = _sentences(audit, wrong, steps, counterexample)
    for label in {*failing} & {*audit.labels} - wrong:
        sentences[label] = (
            f"{gradient_name(label)} agrees to {WRONG:g} where nothing is extreme: no term is "
            "missing; the counterexample shows where digits are lost"
        )
    return {
        label: Finding(label in wrong, steps[label], sentences.get(label), errors[label])
        for label in audit.labels
    }


def _single_steps(audit: _Audit) -> dict[str, dict[int, bool]]:
    """For each gradient: step k → whether it is right for cotangents that are zero but at k."""
    found: dict[str, dict[int, bool]] = {label: {} for label in audit.labels}
    for k in range(STEPS):
        case = audit.tapes[0].case
        only = {name: np.zeros_like(value) for name, value in case.cotangents.items()}
        for name, value in case.cotangents.items():
            only[name][k] = value[k]
        case = replace(case, cotangents=only)
        got = labelled(audit.call(case)[1])
        for label, off in _errors(got, Tape(audit.derivation, case).gradients(Change())).items():
            found[label][k + 1] = off <= WRONG
    return found


def _sentences(
    audit: _Audit,
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


def _explanations(audit: _Audit, wrong: set[str]) -> dict[str, tuple[Mistake, ...]]:
    """For each wrong gradient the mistakes that make it: one mistake for as many as possible."""
    if not wrong:
        return {}
    matches: dict[int, set[str]] = {}
    clashes: dict[int, int] = {}
    for place, mistake in enumerate(audit.all):
        found = audit.of(mistake, 0)
        for label in wrong:
            if relative_error(audit.got[0][label], found[label]) <= EQUAL and audit.explains(
                mistake, label
            ):
                matches.setdefault(place, set()).add(label)
        if place in matches:
            clashes[place] = sum(
                relative_error(audit.got[0][label], found[label]) > EQUAL for label in audit.labels
            )
    chosen: dict[str, tuple[Mistake, ...]] = {}
    while wrong - {*chosen}:
        best = min(
            (place for place in matches if matches[place] - {*chosen}),
            key=lambda place: (-len(matches[place] - {*chosen}), clashes[place], place),
            default=None,
        )
        if best is None:
            break
        for label in matches[best] - {*chosen}:
            chosen[label] = (audit.all[best],)
    used = list(dict.fromkeys(one for (one,) in chosen.values()))
    searched = False
    for label in sorted(wrong - {*chosen}):
        if label in chosen:
            continue
        pair = _pair(audit, label, used, thorough=not searched)
        searched = True
        if pair is not None:
            for other in sorted(wrong - {*chosen}):
                if audit.explains(pair[1], other):
                    chosen[other] = pair[0]
    return chosen


def _pair(
    audit: _Audit, label: str, used: list[Mistake], thorough: bool
) -> tuple[tuple[Mistake, Mistake], Mistake] | None:
    """Two mistakes that make the gradient together: first with one already found."""
    for one, two in _pairs(audit, label, used, thorough):
        if one.change.meets(two.change):
            continue
        both = replace(one, change=one.change | two.change)
        near = relative_error(audit.got[0][label], audit.of(both, 0)[label]) <= EQUAL
        if near and audit.explains(both, label):
            return (one, two), both
    return None


def _pairs(
    audit: _Audit, label: str, used: list[Mistake], thorough: bool
) -> Iterator[tuple[Mistake, Mistake]]:
    plain = [m for m in audit.all if m.derivation is None]
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


def _own_target(audit: _Audit, label: str) -> str:
    group, name = label.split(".", 1)
    return f"{name}_prev_bar" if group == "initial" else f"{name}_bar"


# ---- in words --------------------------------------------------------------------------------


def gradient_name(label: str) -> str:
    """The gradient as a reader calls it: dW_fh, dx, dh_0."""
    group, name = label.split(".", 1)
    return f"d{name}_0" if group == "initial" else f"d{name}"


def _sentence(audit: _Audit, label: str, chosen: tuple[Mistake, ...]) -> str:
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


def _first_parting(audit: _Audit) -> str:
    """The shortest sequence on which a gradient is wrong, and the first equation that shows it."""
    derivation, wording = audit.derivation, audit.wording
    for length in range(1, STEPS + 1):
        case = audit.case(length, audit.seed)
        try:
            got = labelled(audit.call(case)[1])
        except Misbehaviour:
            return ""
        want = Tape(derivation, case).gradients(Change())
        wrong = {label for label, off in _errors(got, want).items() if off > WRONG}
        if not wrong:
            continue
        lengths = "one step" if length == 1 else f"{length} steps"
        for equation in derivation.adjoint:
            fed = {
                f"params.{e.of.name}" for e in derivation.parameters
                if any(_target_of(derivation, t.source) == equation.of.name for t in e.terms)
            }  # fmt: skip
            if fed and fed <= wrong:
                where = wording.where([equation.target.name])
                return f"it parts with {lengths}, first seen in {where}"
        names = listed(gradient_name(label) for label in sorted(wrong))
        return f"it parts with {lengths}, in {names}"
    return ""


def _target_of(derivation: Derivation, source: int) -> str:
    return str(derivation.forward[source - 1].target.name) if source else ""
