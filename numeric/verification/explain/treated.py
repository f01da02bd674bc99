"""Right gradients that were treated: clipped, scaled, rounded to float32, never written.

In: an audit. Out: sentences. What is done to a whole array is no mistake of a term, and is told
before one is looked for; the array is judged where the treatment does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.verification.cases import Case
from numeric.verification.explain.anatomy import labelled
from numeric.verification.explain.audit import AGREEMENTS, Audit, agreement, equal
from numeric.verification.explain.factors import NICE, between, with_lengths
from numeric.verification.explain.unknown_numbers import limited
from numeric.verification.scope import Limit, norm_of
from numeric.verification.watch import Misbehaviour

LARGE: Final = 2.0**20  # what cotangents are multiplied by to reach a limit
SMALL: Final = 2.0**-20
SINGLE: Final = 1e-4  # of the array's largest entry: an error that float32 may make
NEAR: Final = 1e-6  # of each number: some units of float32
SMOOTH: Final = 0.01  # of an error: beyond it, it is another error at numbers so near
BELOW: Final = "; it is right where that changes nothing"
# of a network's calls: steps, samples, and what the weights of its readout are multiplied by
CALLS: Final = (*[(1, 1, 1.0), (1, 1, 2.0**-4), (1, 1, 2.0**3)] * 4, (4, 24, 1.0), (4, 200, 1.0),
                (4, 300, 1.0), (4, 300, 2.0**4), (4, 300, 2.0**8))  # fmt: skip
BY_SAMPLE: Final = (2.0**-4, 2.0**3, 2.0**6, 2.0**10, 2.0**15, LARGE)  # larger and larger gradients
SEVERAL: Final = 2
Sentences = dict[str, str]


def never_written(audit: Audit) -> bool:
    """Whether every gradient is zero at every seed, and none should be."""
    some = any(np.any(want[label]) for want in audit.right() for label in audit.labels)
    return some and not any(np.any(array) for got in audit.got for array in got.values())


def in_single_precision(audit: Audit) -> str:
    """What shows that float32 was used within, in words; "" if nothing does.

    The states have to be right for float32, or the loss; a gradient may be wrong beside.
    """
    if agreement() is not AGREEMENTS["float64"]:
        return ""  # that is known
    off = audit.output_errors.values()
    if (
        not any(error > agreement().equal for error in (*off, *audit.errors.values()))
        or max(off) > SINGLE
    ):
        return ""
    by_step = audit.anatomy.by_step  # one number, the loss, may be off so far by other means
    arrays = [array for got in (*audit.got, *audit.outputs) for array in got.values()]
    if all(np.array_equal(array, np.asarray(array, np.float32)) for array in arrays):
        agree = "states agree with the right ones" if by_step else "loss agrees with the right one"
        return said(
            "the code computes in float32 and returns float64: each number in it has "
            "the 24 bits of float32, and the {0} to {1}",
            agree,
            f"{max(off):.0e}",
        )
    in_part = by_step and all(agreement().equal < error <= SINGLE for error in off)
    if in_part and not _is_smooth(audit):
        return said(
            "the code computes in float32 in part: its states agree with the right "
            "ones to {0} only, which is float32's rounding",
            f"{max(off):.0e}",
        )
    return ""


def alone_in_single_precision(audit: Audit, label: str) -> str:
    """That one gradient of float64 has float32's numbers alone, and its error; "" if not."""
    arrays = [got[label] for got in audit.got]
    if (
        agreement() is not AGREEMENTS["float64"]
        or audit.errors[label] > SINGLE
        or not all(np.array_equal(array, np.asarray(array, np.float32)) for array in arrays)
    ):
        return ""
    return said(
        "it is computed in float32: each number in it has the 24 bits of float32, and it agrees "
        "with the right one to {0}", f"{audit.errors[label]:.0e}",
    )  # fmt: skip


def _is_smooth(audit: Audit) -> bool:
    """Whether what the outputs are off by hardly changes where every number does a little.

    Rounding to float32 falls out otherwise in numbers a few units of it away; another formula, as
    one with a small number added, is off by the same.
    """
    case = audit.tapes[0].case
    rng = np.random.default_rng(audit.seed)
    near = case.mapped(lambda array: array * (1 + NEAR * rng.uniform(-1, 1, np.shape(array))))
    try:
        moved = audit.call(near)[0]
    except Misbehaviour:
        return False
    right = audit.tape(near).outputs
    for name, want in audit.tapes[0].outputs.items():
        before, after = audit.outputs[0][name] - want, moved[name] - right[name]
        if np.max(np.abs(after - before)) > SMOOTH * np.max(np.abs(before)):
            return False
    return True


def scaled(audit: Audit, label: str) -> str:
    """The factor between the gradient and the right one, if it is one number; else ""."""
    if (factor := between(audit, label)) is None:
        return ""
    return with_lengths(audit, said("it is the right gradient {0}", factor.words), factor, label)


def clipped(audit: Audit) -> Sentences:
    """For each gradient that is cut at a limit, which limit, and that it is right below it."""
    if not audit.tapes[0].case.cotangents:
        cut, limits = _by_size(audit)
    else:
        cut, limits = _below_and_above(audit)
    found: Sentences = {}
    for limit in limits:
        found |= dict.fromkeys(limit.labels, said_of(limit))
    if {*cut} - {*found} and (mistake := limited(audit, LARGE)) is not None:
        where = audit.anatomy.where(mistake)
        return dict.fromkeys(cut, said("{0} ({1}){2}", mistake.what, where, BELOW))
    if {*cut} - {*found}:  # ±5 ± 5 ± 5 is ±5 in every entry of some of them
        found |= _by_sample(audit, cut)
    return found


def _by_sample(audit: Audit, cut: list[str]) -> Sentences:
    """For each gradient whose share of each sample is cut before the shares are added up."""
    cases, alone, whole = [], [], []
    for scale in BY_SAMPLE:
        case = audit.anatomy.times(audit.tapes[0].case, scale)
        shares = []
        for place in range(case.batch):
            one = case.sample(place)
            if (got := _answer(audit, one)) is None:
                return {}
            right = audit.gradients(audit.tape(one))
            shares.append({label: right[label] for label in got})
            alone.append((got, shares[-1]))
        if (got := _answer(audit, case)) is None:
            return {}
        whole.append(got)
        cases.append(shares)
    found: Sentences = {}
    for limit in _limits([k for k in cut if k.startswith("params.")], alone):
        made = [[limit.cut(share) for share in shares] for shares in cases]
        if _is_shown(limit, alone) and all(
            equal(got[label], sum(one[label] for one in shares))
            for got, shares in zip(whole, made, strict=True) for label in limit.labels
        ):  # fmt: skip
            words = said("of each sample by itself, {0}", said_of(limit))
            found |= dict.fromkeys(limit.labels, words)
    return found


def limits_of(audit: Audit) -> tuple[Limit, ...]:
    """The limits on whole gradients of a network, each seen to be kept in several calls."""
    return tuple(_by_size(audit)[1])


Pair = tuple[dict[str, Any], dict[str, Any]]  # the code's gradients and the right ones
Found = tuple[list[str], list[Limit]]  # the gradients that are cut, and the limits known of them


def _below_and_above(audit: Audit) -> Found:
    """By calls in which a limit is far away, and far passed: it is one and the same in all."""
    pairs: list[Pair] = []
    for tape, factor in [(audit.tapes[0], SMALL), *((tape, LARGE) for tape in audit.tapes)]:
        right = audit.gradients(tape)
        got = _answer(audit, audit.anatomy.times(tape.case, factor))
        if got is None:
            return [], []
        pairs.append((got, {label: factor * right[label] for label in got}))
    (low, low_want), (high, high_want), *_ = pairs
    cut = [k for k in low if equal(low[k], low_want[k]) and not equal(high[k], high_want[k])]
    return cut, [*_limits(cut, pairs)]


def _by_size(audit: Audit) -> Found:
    """By calls of a network in which gradients are small, and large: of one sample, and of many.

    A limit is told where it is passed in two calls, and each array has entries below it.
    """
    sizes, pairs = audit.problem.ordinary_sizes(), []
    for number, (steps, batch, scale) in enumerate(CALLS):
        case = audit.problem.case(sizes, steps=steps, batch=batch, seed=audit.seed + number)
        params = {**case.params, "readout.V": scale * case.params["readout.V"]}
        case = replace(case, params=params, lengths=None)
        if (got := _answer(audit, case)) is None:
            return [], []
        right = audit.gradients(audit.tape(case))
        pairs.append((got, {label: right[label] for label in got}))
    cut = [k for k in pairs[0][0] if not all(equal(got[k], want[k]) for got, want in pairs)]
    return cut, [limit for limit in _limits(cut, pairs) if _is_shown(limit, pairs)]


def _is_shown(limit: Limit, pairs: list[Pair]) -> bool:
    """Whether the limit is passed in several calls, and what stands below it is seen as well."""
    passed = 0
    for _, want in pairs:
        kept = limit.cut(want)
        passed += any(not equal(kept[label], want[label]) for label in limit.labels)
    if limit.how == "norm":
        return passed >= SEVERAL
    below = (sum(np.sum((np.abs(want[label]) < limit.most) & (want[label] != 0))
                 for _, want in pairs) for label in limit.labels)  # fmt: skip
    return passed >= SEVERAL and all(number >= SEVERAL for number in below)


def _answer(audit: Audit, case: Case) -> dict[str, Any] | None:
    """The code's gradients, if all are finite."""
    try:
        got = labelled(audit.call(case)[1])
    except Misbehaviour:
        return None
    return got if all(np.all(np.isfinite(array)) for array in got.values()) else None


def _limits(cut: list[str], pairs: list[Pair]) -> Iterator[Limit]:
    """The limits that make of every right gradient what the code returns."""
    left = []
    for label in cut:
        limit = Limit((label,), "entry", _near(max(float(np.max(np.abs(g[label])))
                                                   for g, _ in pairs)))  # fmt: skip
        if _kept(limit, pairs):
            yield limit
        else:
            left.append(label)
    together = Limit((*left,), "norm", _near(max(norm_of(g[k] for k in left) for g, _ in pairs)))
    if left and _kept(together, pairs):
        yield together
        return
    for label in left:
        limit = Limit((label,), "norm", _near(max(norm_of([g[label]]) for g, _ in pairs)))
        if _kept(limit, pairs):
            yield limit


def _kept(limit: Limit, pairs: list[Pair]) -> bool:
    """Whether the limit makes of each right gradient what the code returns."""
    return all(
        equal(got[label], array) for got, want in pairs for label, array in limit.cut(want).items()
    )


def _near(number: float) -> float:
    """The short fraction that a limit is, but for rounding, else the limit."""
    near = float(Fraction(number).limit_denominator(NICE))
    return near if abs(near - number) <= 1e-12 * number else number


def said_of(limit: Limit) -> str:
    """The limit in words."""
    if limit.how == "entry":
        return said("each entry is clipped to ±{0}{1}", f"{limit.most:.6g}", BELOW)
    whose = "of these gradients together" if len(limit.labels) > 1 else "of the array"
    return said("it is scaled so that the norm {0} is at most {1}{2}", whose, f"{limit.most:.6g}",
                BELOW)  # fmt: skip


def follows_its_forward(audit: Audit) -> bool:
    """Whether the gradients are those of the code's own forward pass, by central differences."""
    case, step = audit.tapes[0].case, 1e-5
    rng = np.random.default_rng(audit.seed)
    for group, name, value in case.groups():
        if f"{group}.{name}" not in audit.got[0]:
            continue
        direction = rng.normal(size=np.shape(value))
        moved = [_loss(audit, case, group, name, value + s * step * direction)
                 for s in (1, -1)]  # fmt: skip
        want = (moved[0] - moved[1]) / (2 * step)
        got = audit.got[0][f"{group}.{name}"]
        scale = float(np.sqrt(np.sum(np.square(got)) * np.sum(np.square(direction))))
        if abs(float(np.sum(got * direction)) - want) > 1e-6 * (scale + abs(moved[0]) * 1e-4):
            return False
    return True


def _loss(audit: Audit, case: Case, group: str, name: str, value: Any) -> float:
    changed: Any = {group: {**getattr(case, group), name: value}}
    moved = replace(case, **changed)
    return audit.anatomy.loss(moved, audit.call(moved)[0])
