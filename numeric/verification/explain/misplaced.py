"""Right arrays in a wrong place: returned for another, in another order of time, beside others.

In: an audit. Out: sentences. What the code computes is right, and no term of an equation is to
blame: a name, an order, or what was in the array before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from sympy import MatrixSymbol

from derive.cell import previous
from derive.saying import said
from numeric.numbers.arithmetic import FLOATS
from numeric.verification.batch_first import turned
from numeric.verification.cases import LONG
from numeric.verification.explain.anatomy import CellAnatomy, Labels, labelled
from numeric.verification.explain.audit import Audit, agreement, equal, gradient_errors
from numeric.verification.explain.change import Factor
from numeric.verification.explain.factors import factor_between, with_lengths
from numeric.verification.explain.loop import truncated
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.scope import Scope
from numeric.verification.verdict import gradient_name, listed
from numeric.verification.watch import LOSS, Misbehaviour

NICE: Final = 10_000  # a number is printed as a fraction up to this denominator
SMALLEST: Final = 1e-9  # a share of the weights below it is none
IN_TIME: Final[Mapping[str, Callable[[Any], Any]]] = {
    "it stands in reverse order of time: what belongs to step t is at T + 1 − t":
        lambda array: array[::-1],
    "it stands one step late: what belongs to step t is at t + 1":
        lambda array: np.roll(array, 1, axis=0),
    "it stands one step early: what belongs to step t is at t − 1":
        lambda array: np.roll(array, -1, axis=0),
}  # fmt: skip
TURNED: Final = (
    "the forward pass takes the first two axes of every sequence for each other: --batch-first "
    "says that they are (B, T, …), without it they are (T, B, …)"
)
ALL_STEPS: Final = (
    "in calls with lengths it is the gradient of all T steps: what stands after a sample's end "
    "counts as well"
)
LITTLE: Final = 1e-3  # of the largest entry: less is told with its size
ROUNDING: Final = 1e-13  # of the largest entry, in a call of a few steps
TABLE: Final = "embedding.E"
KEPT: Final = (
    "it is added to what earlier calls left in it: it is never set to zero between calls; one call "
    "alone gives it rightly"
)
UNSTEADY: Final = "equal calls give other values of it: no term of an equation can be blamed"


def other_at_each_call(audit: Audit, wrong: set[str]) -> dict[str, str]:
    """The gradients that equal calls give other values of, as where each call adds to the last."""
    tape, found = audit.tapes[0], []
    try:
        for _ in range(2):
            found.append({k: np.array(a) for k, a in labelled(audit.call(tape.case)[1]).items()})
    except Misbehaviour:
        return {}
    # what is no number in both calls is equal in them
    before, after = ({k: np.nan_to_num(array) for k, array in one.items()} for one in found)
    right = audit.gradients(tape)
    told: dict[str, str] = {}
    for label in wrong:
        if np.any(after[label] != before[label]):
            if equal(after[label] - before[label], right[label]):
                told[label] = said(KEPT)
            elif not equal(after[label], before[label]):
                told[label] = said(UNSTEADY)
    return told


def with_weights(audit: Audit, label: str) -> str:
    """The share of its own weights that a gradient has beside the right one; else ""."""
    group, name = label.split(".", 1)
    if group != "params":
        return ""
    share: float | None = None
    for tape, got, want in zip(audit.tapes, audit.got, audit.right(), strict=True):
        weights, more = np.asarray(tape.case.params[name]), got[label] - want[label]
        size = float(np.sum(weights * weights))
        if not size:
            return ""
        share = float(np.sum(more * weights)) / size if share is None else share
        own = min(abs(share), abs(share - 1)) < SMALLEST  # 1: summed on top of them, told elsewhere
        if own or not equal(more, share * weights):
            return ""
    near = Fraction(share or 0.0).limit_denominator(NICE)
    known = f"{float(near) if abs(float(near) - (share or 0)) < SMALLEST else share:.6g}"
    return said(
        "it is the right gradient and {0} times the weights themselves: the slope of a penalty on "
        "them, which is no part of this loss",
        known,
    )


def misplaced(audit: Audit, label: str, made: Sequence[Labels]) -> str:
    """What of the gradients made at each seed stands where this one belongs; "" if none does."""
    if words := in_the_table(audit, label):
        return words
    pairs = [*zip(audit.got, made, strict=True)]
    if label.startswith("inputs."):
        for words, moved in IN_TIME.items():
            if all(equal(got[label], moved(want[label])) for got, want in pairs):
                return said(words)
    for other in audit.labels:
        if other != label and all(equal(got[label], want[other]) for got, want in pairs):
            return said("it is {0}, returned in its place", gradient_name(other))
    return ""


def of_all_steps(audit: Audit, labels: set[str]) -> dict[str, str]:
    """The gradients of a network that are those of a loss at every step, where samples end."""
    if audit.ragged is None:
        return {}
    case, got, _ = audit.ragged
    right, whole = (
        labelled(autograd_answer(audit.problem, one).gradients)
        for one in (case, replace(case, lengths=None))
    )
    return {
        label: said(ALL_STEPS) for label in labels
        if equal(got[label], whole[label]) and not equal(got[label], right[label])
    }  # fmt: skip


def forgets(audit: Audit) -> str:
    """How far back a loss goes, where nothing reaches further and something should; else ""."""
    problem = audit.problem
    sizes = problem.ordinary_sizes()
    case = problem.case(sizes, steps=LONG, batch=2, seed=audit.seed, regime="contracting")
    case = Scope(last_step=True).asked(replace(case.widened(), lengths=None))
    try:
        got = labelled(audit.call(case)[1])
    except Misbehaviour:
        return ""
    right = audit.gradients(audit.tape(case))
    reached = 0
    for label in (label for label in got if label.startswith("inputs.")):
        own = tuple(range(1, np.ndim(got[label])))
        made, wanted = (np.any(array, axis=own) for array in (got[label], right[label]))
        if not np.any(wanted & ~made):
            continue
        first = int(np.argmax(made)) if np.any(made) else LONG
        if not equal(got[label][first:], right[label][first:]) or not np.all(made[first:]):
            return ""
        reached = max(reached, LONG - first)
    return said("no loss goes back further than {0} steps", reached) if reached else ""


def truncated_later(audit: Audit, steps: int) -> tuple[str, dict[str, float]]:
    """Where gradients are cut, and how far each is off, if a call of so many is the first wrong.

    Seen in a call of twice as many, in which all gradients are those of such a loop.
    """
    anatomy, count = audit.anatomy, steps - 1
    if not isinstance(anatomy, CellAnatomy) or not 0 < count < LONG // 2:
        return "", {}
    case = audit.case(2 * steps, audit.seed)
    try:
        got = labelled(audit.call(case)[1])
    except Misbehaviour:
        return "", {}
    tape = audit.tape(case)
    off = {k: error for k, error in gradient_errors(got, audit.gradients(tape)).items()
           if error > agreement().wrong}  # fmt: skip
    for mistake in truncated(anatomy.part.derivation, count) if off else ():
        made = anatomy.made_by(tape, mistake)
        if all(error <= agreement().equal for error in gradient_errors(got, made).values()):
            return mistake.what, off
    return "", {}


def in_the_table(audit: Audit, label: str) -> str:
    """How a table of embeddings was written to, if not by adding every row; else ""."""
    if label != f"params.{TABLE}":
        return ""
    if rows := _rows_left_at_zero(audit, label):
        if len(rows) > 1:
            return said("rows {0} are left at zero, as where they stand for padding", listed(rows))
        return said("row {0} is left at zero, as where it stands for padding", *rows)
    for words, write in WRITTEN.items():
        made = []
        for tape in audit.tapes:
            first = tape.network.cell.inputs[0].name
            table = np.zeros(np.shape(tape.case.params[TABLE]))
            write(table, tape.case.inputs[first], tape.gradients().received(first))
            made.append(table)
        if all(equal(got[label], table) for got, table in zip(audit.got, made, strict=True)):
            return said(words)
    return ""


def _rows_left_at_zero(audit: Audit, label: str) -> list[str]:
    """The rows that are zero and should not be, if all the others are right; else none."""
    zero: set[int] = set()
    found = zip(audit.got, audit.right(), strict=True)
    pairs = [(got[label], right[label]) for got, right in found]
    for got, want in pairs:
        zero |= {row for row, own in enumerate(want) if np.any(own) and not np.any(got[row])}
    for got, want in pairs:
        kept = want.copy()
        kept[[*zero]] = 0
        if not equal(got, kept):
            return []
    return [*map(str, sorted(zero))]


def _by_step(table: Any, rows: Any, shares: Any) -> None:
    for t in range(len(rows)):
        table[rows[t]] += shares[t]


def _by_sample(table: Any, rows: Any, shares: Any) -> None:
    for sample in range(rows.shape[1]):
        table[rows[:, sample]] += shares[:, sample]


def _at_once(table: Any, rows: Any, shares: Any) -> None:
    table[rows] += shares


def _overwritten(table: Any, rows: Any, shares: Any) -> None:
    for t in reversed(range(len(rows))):
        table[rows[t]] = shares[t]


WRITTEN: Final[Mapping[str, Callable[[Any, Any, Any], None]]] = {
    "a row that occurs twice among the samples of a step is added once: table[rows] += … keeps the "
    "last, np.add.at adds all": _by_step,
    "a row that occurs twice among the steps of a sample is added once: table[rows] += … keeps the "
    "last, np.add.at adds all": _by_sample,
    "a row that occurs twice is added once: table[rows] += … keeps the last, np.add.at adds all":
        _at_once,
    "a row is overwritten at each step where it occurs, not added to": _overwritten,
}  # fmt: skip


def other_loss(audit: Audit) -> str:
    """The right loss of a network times a number, if the code's loss is that; else ""."""
    pairs = [(outputs[LOSS], tape.outputs[LOSS], tape.case)
             for tape, outputs in zip(audit.tapes, audit.outputs, strict=True)]  # fmt: skip
    if (factor := factor_between(pairs)) is not None:
        return with_lengths(audit, said("the loss is the right one {0}", factor.words), factor)
    made = [tape.losses_made() for tape in audit.tapes]
    for words in made[0]:
        factor = factor_between(
            (got, one[words], case) for (got, _, case), one in zip(pairs, made, strict=True)
        )
        if factor is not None:
            return words if factor == Factor() else said("{0}, {1}", words, factor.words)
    return ""


def read_otherwise(audit: Audit) -> str:
    """How the readout reads both directions, where the loss is another for it; else ""."""
    if isinstance(audit.anatomy, CellAnatomy) or {*audit.wrong_outputs} != {LOSS}:
        return ""
    made = [tape.losses_read() for tape in audit.tapes]
    pairs = [*zip(audit.outputs, made, strict=True)]
    return next((words for words in made[0]
                 if all(equal(got[LOSS], one[words]) for got, one in pairs)), "")  # fmt: skip


def nearly_right(audit: Audit, failing: Iterable[str]) -> str:
    """How near wrong outputs come in usual calls, where that is no rounding; else ""."""
    found = {name: off for name, off in audit.output_errors.items()
             if f"states.{name}" in {*failing} and off > ROUNDING}  # fmt: skip
    return "" if audit.wrong_outputs else _right_to(audit, found)


def another_by_little(audit: Audit) -> str:
    """How near the outputs of another forward pass come, where that is near; else ""."""
    found = {name: audit.output_errors[name] for name in audit.wrong_outputs}
    return _right_to(audit, found) if max(found.values()) <= LITTLE else ""


def _right_to(audit: Audit, found: Mapping[str, float]) -> str:
    if not found:
        return ""
    name, off = max(found.items(), key=lambda item: item[1])
    return said("{0} is right to {1} only", audit.problem.output_word(name), f"{off:.0e}")


def returned_for(audit: Audit) -> str:
    """What stands where wrong outputs belong, if for all of them that is another value; else ""."""
    if not isinstance(audit.anatomy, CellAnatomy):
        return other_loss(audit) if {*audit.wrong_outputs} == {LOSS} else ""
    words = [_for(audit, audit.anatomy, name) for name in sorted(audit.wrong_outputs)]
    if not all(words):
        return ""
    first, *others = words
    for one in others:
        first = said("{0}, and {1}", first, one)
    return said("forward returns {0}", first)


def turned_axes(audit: Audit) -> str:
    """Whether the states are right once the first two axes of every sequence are exchanged."""
    case, problem = audit.tapes[0].case, audit.problem
    if not isinstance(problem, CellProblem) or problem.cell.sequences or problem.scope.lacks:
        return ""
    zeros = {name: np.zeros_like(array) for name, array in case.initial.items()}
    want = problem.outputs(replace(case, initial=zeros), FLOATS)
    other = replace(
        case, steps=case.batch, batch=case.steps, initial={},
        inputs={name: turned(array) for name, array in case.inputs.items()},
        cotangents={name: turned(array) for name, array in case.cotangents.items()},
    )  # fmt: skip
    try:
        got, _ = audit.call(other)
    except Misbehaviour:
        return ""
    if not all(equal(turned(got[name]), np.stack(values)) for name, values in want.items()):
        return ""
    return said(TURNED)


def _for(audit: Audit, anatomy: CellAnatomy, name: str) -> str:
    derivation, naming = anatomy.part.derivation, anatomy.part.naming
    (symbol,) = (s for s in derivation.cell.returned if s.name == name)
    made = [previous(s) for s in derivation.cell.states]
    made += [e.target for e in derivation.forward if e.target.shape == symbol.shape]
    pairs = [*zip(audit.tapes, audit.outputs, strict=True)]

    def holds(value: MatrixSymbol) -> bool:
        return all(
            value.name in tape.whole
            and tape.whole[value.name].size == outputs[name].size
            and equal(outputs[name], tape.whole[value.name].reshape(outputs[name].shape))
            for tape, outputs in pairs
        )

    for value in made:
        if value != symbol and holds(value):
            return said("{0} as {1}", naming(value), naming(symbol))
    if all(equal(outputs[name], tape.outputs[name][::-1]) for tape, outputs in pairs):
        return said("{0} in reverse order of time", naming.bare(symbol))
    return ""
