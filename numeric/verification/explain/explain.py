"""A wrong gradient → the mistake that makes it, in words.

In: a problem and the functions under audit. Out: for each gradient whether it is right for
cotangents of one time step only, and, for a wrong one, a sentence and the causes in it. First
what is done to whole arrays, then whether the forward pass is the right one, then the backward
passes with mistakes beside the right one; else what is known of the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.meaning.run_cell import run_cell
from numeric.verification.explain.anatomy import CellAnatomy
from numeric.verification.explain.audit import (
    SEEDS,
    Audit,
    Call,
    Excuse,
    agreement,
    no_excuse,
    relative_error,
)
from numeric.verification.explain.change import OVER_B, Mistake
from numeric.verification.explain.divided import divided_by_samples, undone
from numeric.verification.explain.factors import with_lengths
from numeric.verification.explain.misplaced import (
    KEPT,
    UNSTEADY,
    another_by_little,
    forgets,
    misplaced,
    nearly_right,
    of_all_steps,
    other_at_each_call,
    read_otherwise,
    returned_for,
    truncated_later,
    turned_axes,
    with_weights,
)
from numeric.verification.explain.other_cells import Dialect, dialects
from numeric.verification.explain.place import first_parting, right_in_whole, unexplained
from numeric.verification.explain.search import Search
from numeric.verification.explain.treated import (
    SINGLE,
    alone_in_single_precision,
    clipped,
    follows_its_forward,
    in_single_precision,
    never_written,
    scaled,
)
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.verdict import gradient_name

DIVIDED: Final = "{0}; it is divided by B as well, and what is said is of B times it"


@dataclass(frozen=True)
class Told:
    """What is said of one gradient: a sentence, and the causes in it that others may share."""

    sentence: str
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One gradient: the steps whose cotangents alone give it rightly, and what is wrong.

    `scaled_error` is the largest error met here, over the array's largest entry.
    """

    wrong: bool
    steps: Mapping[int, bool]
    sentence: str | None = None
    causes: tuple[str, ...] = ()
    scaled_error: float = 0.0


def explain_gradients(
    problem: Problem,
    call: Call,
    *,
    seed: int = 0,
    failing: Iterable[str] = (),
    counterexample: Mapping[str, Any] | None = None,
    excuse: Excuse = no_excuse,
) -> dict[str, Finding]:
    """Every gradient of the code: where it is right, and which mistake it is.

    `failing`: the gradients that other checks found wrong; what differs here counts as well,
    unless there is an excuse.

    Raises:
        Misbehaviour: if the code misbehaves.
    """
    with np.errstate(all="ignore"):
        audit = Audit(problem, call, seed, excuse=excuse)
        steps = _single_steps(audit)
        wrong = audit.wrong
        wrong |= {label for label, found in steps.items() if not all(found.values())}
        told = _told(audit, wrong, steps, counterexample)
        failing = {*failing}
        unusual = failing & {*audit.labels} - {*told}
        if unusual and audit.anatomy.by_step and (words := forgets(audit)):
            told |= {label: _of(label, words) for label in unusual}
        elif unusual and counterexample:
            words, late = truncated_later(audit, counterexample["T"])
            told |= {label: _of(label, words) for label in late}
            audit.errors |= late
            wrong |= {*late}
        if unusual and not audit.anatomy.by_step:
            found = of_all_steps(audit, unusual)
            told |= {label: _of(label, words) for label, words in found.items()}
        told |= {label: _of(label, words) for label in unusual - {*told}
                 if (words := alone_in_single_precision(audit, label))}  # fmt: skip
        unusual -= {*told}
        told |= _in_other_calls(audit, unusual, counterexample or {})
        if not audit.wrong and (words := nearly_right(audit, failing)):
            told |= {label: Told(said("{0}; {1} is right", words, gradient_name(label)), (words,))
                     for label in audit.labels if label not in failing}  # fmt: skip
    usual = ": no term is missing" if audit.anatomy.by_step else " without lengths"
    if problem.without_later:
        usual = " without lengths and final_cotangents"
    for label in unusual - {*told}:
        told[label] = Told(
            said(
                "{0} agrees to {1} in small, ordinary calls{2}; the counterexample shows "
                "a call in which it is off",
                gradient_name(label),
                f"{agreement().wrong:g}",
                usual,
            )
        )
    nothing = Told("")
    for label in told:
        if {said(KEPT), said(UNSTEADY)} & {*told[label].causes}:
            steps[label] = {}  # the next call may say otherwise
    return {
        label: Finding(
            label in wrong, steps[label], told.get(label, nothing).sentence or None,
            told.get(label, nothing).causes, audit.errors[label],
        )
        for label in audit.labels
    }  # fmt: skip


def _single_steps(audit: Audit) -> dict[str, dict[int, bool]]:
    """For each gradient: step k → whether it is right for cotangents that are zero but at k."""
    found: dict[str, dict[int, bool]] = {label: {} for label in audit.labels}
    for k, case in audit.anatomy.alone(audit.tapes[0].case):
        for label, off in audit.errors_of(case, audit.call(case), audit.tape(case)).items():
            found[label][k] = off <= agreement().wrong
    return found


def _told(
    audit: Audit,
    wrong: set[str],
    steps: Mapping[str, Mapping[int, bool]],
    counterexample: Mapping[str, Any] | None,
) -> dict[str, Told]:
    if never_written(audit):
        return dict.fromkeys(wrong, _once("every gradient is zero: none of them is ever written"))
    if single := in_single_precision(audit):
        return {label: _in_single(label, single, audit.errors[label]) for label in audit.labels}
    if audit.wrong_outputs:
        return _of_another_forward(audit, wrong, steps, counterexample)
    return _of_another_backward(audit, wrong, steps, counterexample)


def _of_another_backward(
    audit: Audit,
    wrong: set[str],
    steps: Mapping[str, Mapping[int, bool]],
    counterexample: Mapping[str, Any] | None,
) -> dict[str, Told]:
    """What is done to whole gradients, and what is wrong in the others."""
    treated = clipped(audit)
    if wrong - {*treated}:
        treated |= other_at_each_call(audit, wrong - {*treated})
        treated |= {label: words for label in wrong - {*treated}
                    if (words := with_weights(audit, label))}  # fmt: skip
    found = {label: _of(label, words) for label, words in treated.items()}
    whole = {label for label in wrong - {*found} if audit.errors[label] <= agreement().equal}
    found |= {
        label: _of(label, words) for label, words in right_in_whole(audit, whole, steps).items()
    }
    return found | _explained(audit, wrong - {*found}, steps, counterexample)


def _of_divided(others: Audit, divided: set[str], left: set[str]) -> dict[str, Told]:
    """What is wrong besides, in gradients that are divided by B; `others`: times B."""
    known = _explained(others, left & others.wrong, _single_steps(others), None)
    found = {label: known[label] for label in left & {*known}}
    for label in left & divided:
        more = known.get(label)
        if more is None or (more.causes and more == _equals(label, more.causes)):
            causes = (OVER_B.words, *(more.causes if more else ()))
            found[label] = _equals(label, causes)
        else:  # what does not complete "equals the gradient …" is not true of it as it is
            found[label] = Told(said(DIVIDED, more.sentence))
    return found


def _in_other_calls(
    audit: Audit, labels: set[str], counterexample: Mapping[str, Any]
) -> dict[str, Told]:
    """What is wrong in calls of the counterexample's length, where usual calls are right.

    Else of its samples too, else of its sizes.
    """
    if not labels or not audit.anatomy.by_step:
        return {}
    sizes = {*audit.problem.ordinary_sizes()}
    shape: dict[str, int] = {}
    for names in ({"T"}, {"B"}, sizes):
        shape |= {n: v for n, v in counterexample.items() if n in names and isinstance(v, int)}
        other = Audit(audit.problem, audit.call, audit.seed, shape=shape)
        if not (wrong := other.wrong & labels) or other.wrong_outputs:
            continue
        found = _explained(other, other.wrong, _single_steps(other), None)
        held = ", ".join(f"{name} = {value}" for name, value in shape.items())
        return {
            label: Told(
                said("{0}, in calls of {1}", told.sentence, held),
                tuple(said("{0}, in calls of {1}", cause, held) for cause in told.causes),
            )
            for label, told in found.items() if label in wrong
        }  # fmt: skip
    return {}


def _once(sentence: str) -> Told:
    return Told(sentence, (sentence,))


def _in_single(label: str, single: str, off: float) -> Told:
    if off <= SINGLE:
        return _once(single)
    more = said("off by {0}, which float32 does not explain", f"{off:.1e}")
    return Told(said("{0}; {1} is {2}", single, gradient_name(label), more), (single, more))


def _of(label: str, cause: str) -> Told:
    return Told(said("{0}: {1}", gradient_name(label), cause), (cause,))


def _explained(
    audit: Audit,
    wrong: set[str],
    steps: Mapping[str, Mapping[int, bool]],
    counterexample: Mapping[str, Any] | None,
) -> dict[str, Told]:
    """What is wrong in a backward pass whose forward pass is right."""
    if not wrong:
        return {}  # without making the list of all mistakes
    search = Search(audit, wrong)
    if search.one is None and (divided := divided_by_samples(audit, wrong)):
        others = undone(audit, divided)
        if wrong & others.wrong:
            return _of_divided(others, divided, wrong)
    chosen = search.explanations()
    found = {label: _sentence(audit, label, mistakes) for label, mistakes in chosen.items()}
    for label in wrong - {*found}:
        if words := (alone_in_single_precision(audit, label) or scaled(audit, label)
                     or misplaced(audit, label, audit.right())):  # fmt: skip
            found[label] = _of(label, words)
    found |= _beside(audit, wrong - {*found}, chosen)
    left = wrong - {*found}
    one_is_wrong = (counterexample or {}).get("T") == 1
    parting = first_parting(audit, left, one_is_wrong=one_is_wrong) if left else ""
    for label in left:
        found[label] = Told(unexplained(label, steps[label], parting, counterexample))
    return found


def _beside(
    audit: Audit, labels: set[str], chosen: Mapping[str, tuple[Mistake, ...]]
) -> dict[str, Told]:
    """Gradients that have the mistakes of others, and stand in a wrong place besides."""
    used = [*dict.fromkeys(mistake for mistakes in chosen.values() for mistake in mistakes)]
    if not used or not labels:
        return {}
    made = [audit.anatomy.made_by(tape, *used) for tape in audit.tapes]
    causes = [_cause(audit, mistake) for mistake in used]
    found = {}
    for label in labels:
        if words := misplaced(audit, label, made):
            whole = reduce(partial(said, "{0}, and {1}"), [words, *causes])
            found[label] = Told(said("{0}: {1}", gradient_name(label), whole), (words, *causes))
    return found


def _sentence(audit: Audit, label: str, chosen: tuple[Mistake, ...]) -> Told:
    return _equals(label, tuple(_cause(audit, mistake, label) for mistake in chosen))


def _equals(label: str, causes: tuple[str, ...]) -> Told:
    whole = reduce(partial(said, "{0}, and {1}"), causes)
    return Told(said("{0} equals the gradient {1}", gradient_name(label), whole), causes)


def _cause(audit: Audit, mistake: Mistake, label: str = "") -> str:
    """The mistake, as it is of the gradient, and its place."""
    where = audit.anatomy.where(mistake)
    what = with_lengths(audit, mistake.what, mistake.factor if label else None, label)
    return said("{0} ({1})", what, where) if where else what


# ---- the forward pass is another --------------------------------------------------------


def _of_another_forward(
    audit: Audit,
    wrong: set[str],
    steps: Mapping[str, Mapping[int, bool]],
    counterexample: Mapping[str, Any] | None,
) -> dict[str, Told]:
    if words := turned_axes(audit):
        return dict.fromkeys(audit.labels, _once(words))
    dialect = _dialect(audit)
    if dialect is None:
        returned = returned_for(audit)
        name, step = min(audit.wrong_outputs.items(), key=lambda item: item[1])
        of_cell = audit.anatomy.by_step
        what = returned or read_otherwise(audit) or another_by_little(audit) or (
            said("the forward pass computes another {0}, from t = {1} on", name, step) if of_cell
            else said("the forward pass computes another {0}", audit.problem.output_word(name))
        )  # fmt: skip
        if wrong and follows_its_forward(audit):
            whole = said("{0}; the backward pass is the gradient of that forward pass", what)
            return dict.fromkeys(audit.labels, _once(whole))
        whose = "is not a gradient of this cell" if of_cell else "is not a gradient of this network"
        found = {
            label: Told(said("{0}: {1} {2}", what, gradient_name(label), whose), (what,))
            for label in wrong
        }
        if returned:  # what the backward pass goes by may be right all the same
            found = _of_another_backward(audit, wrong, steps, counterexample)
            found = {
                label: Told(
                    said("{0}; {1}", what, told.sentence), told.causes and (what, *told.causes)
                )
                for label, told in found.items()
            }
        return found | {
            label: Told(said("{0}; {1} is right", what, gradient_name(label)), (what,))
            for label in audit.labels if label not in found
        }  # fmt: skip
    forward = said("your forward is this cell {0}", dialect.what)
    assert isinstance(audit.problem, CellProblem)
    problem = replace(audit.problem, cell=dialect.cell)
    other = Audit(problem, audit.call, audit.seed, from_zero=dialect.from_zero)
    if not other.wrong:
        whole = said("the backward pass is the gradient of your own forward; {0}", forward)
        return dict.fromkeys(audit.labels, _once(whole))
    found = _explained(other, other.wrong, _single_steps(other), None)
    return {
        label: Told(said("{0}; of that cell {1}", forward, told.sentence), (forward, *told.causes))
        for label, told in found.items()
    } | {
        label: Told(
            said("{0}; of that cell {1} is right", forward, gradient_name(label)), (forward,)
        )
        for label in audit.labels if label not in found
    }  # fmt: skip


def _dialect(audit: Audit) -> Dialect | None:
    """The cell whose states the code computes, at every seed."""
    if not isinstance(audit.anatomy, CellAnatomy):
        return None
    part = audit.anatomy.part
    for dialect in dialects(part.derivation, part.naming):
        with suppress(ValueError, TypeError, KeyError):
            if all(_computes(audit, dialect, number) for number in range(SEEDS)):
                return dialect
    return None


def _computes(audit: Audit, dialect: Dialect, number: int) -> bool:
    case = audit.tapes[number].case
    if dialect.from_zero:
        zeros = {name: np.zeros_like(value) for name, value in case.initial.items()}
        case = replace(case, initial=zeros)
    found = run_cell(dialect.cell, case.params, case.inputs, case.initial, case.constants)
    want = {name: np.stack(values) for name, values in found.items()}
    got = audit.outputs[number]
    return all(relative_error(got[name], want[name]) <= agreement().wrong for name in want)
