"""Right gradients that were treated: clipped, scaled, rounded to float32, never written.

In: an audit. Out: sentences. What is done to a whole array is no mistake of a term, and is told
before one is looked for; the array is judged where the treatment does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.verification.cases import Case
from numeric.verification.explain.anatomy import labelled
from numeric.verification.explain.audit import AGREEMENTS, Audit, agreement, equal
from numeric.verification.explain.unknown_numbers import limited
from numeric.verification.watch import Misbehaviour

LARGE: Final = 2.0**20  # what cotangents are multiplied by to reach a limit
SMALL: Final = 2.0**-20
SINGLE: Final = 1e-4  # of the array's largest entry: an error that float32 may make
BELOW: Final = "; it is right where that changes nothing"
NICE: Final = 1000  # a factor is printed as a fraction up to this denominator
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
    if by_step and all(agreement().equal < error <= SINGLE for error in off):
        return said(
            "the code computes in float32 in part: its states agree with the right "
            "ones to {0} only, which is float32's rounding",
            f"{max(off):.0e}",
        )
    return ""


def scaled(audit: Audit, label: str) -> str:
    """The factor between the gradient and the right one, if it is one number; else ""."""
    factors = []
    for got, want in zip(audit.got, audit.right(), strict=True):
        right = want[label]
        size = float(np.sum(right * right))
        factor = float(np.sum(got[label] * right)) / size if size else 0.0
        if not factor or not equal(got[label], factor * right):
            return ""
        factors.append(factor)
    first = factors[0]
    if any(abs(factor - first) > agreement().equal * abs(first) for factor in factors):
        return ""
    near = Fraction(first).limit_denominator(NICE)
    close = abs(float(near) - first) <= agreement().equal * abs(first)
    known = str(near) if close else f"{first:.6g}"
    return said("it is the right gradient multiplied by {0}", known)


def clipped(audit: Audit) -> Sentences:
    """For each gradient that is cut at a limit, which limit, and that it is right below it."""
    case = audit.tapes[0].case
    if not case.cotangents:  # nothing there makes all gradients larger by a factor
        return {}
    small = _answers(audit, case, SMALL)
    large = _answers(audit, case, LARGE)
    if small is None or large is None:
        return {}
    (low, low_want), (high, high_want) = small, large
    cut = [k for k in low if equal(low[k], low_want[k]) and not equal(high[k], high_want[k])]
    found = dict(_entries(cut, high, high_want))
    left = [label for label in cut if label not in found]
    found |= dict(_norms(left, high, high_want))
    if {*cut} - {*found} and (mistake := limited(audit, LARGE)) is not None:
        where = audit.anatomy.where(mistake)
        return dict.fromkeys(cut, f"{mistake.what} ({where}){BELOW}")
    return found


def _answers(
    audit: Audit, case: Case, factor: float
) -> tuple[dict[str, Any], Mapping[str, Any]] | None:
    """The code's gradients and the right ones for cotangents that many times as large."""
    cotangents = {name: factor * value for name, value in case.cotangents.items()}
    try:
        got = labelled(audit.call(replace(case, cotangents=cotangents))[1])
    except Misbehaviour:
        return None
    if not all(np.all(np.isfinite(array)) for array in got.values()):
        return None
    right = audit.gradients(audit.tapes[0])
    return got, {label: factor * right[label] for label in got}


def _entries(
    labels: list[str], got: Mapping[str, Any], want: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Each entry held between −m and m."""
    for label in labels:
        limit = float(np.max(np.abs(got[label])))
        if equal(got[label], np.clip(want[label], -limit, limit)):
            yield label, said("each entry is clipped to ±{0}{1}", f"{limit:.6g}", BELOW)


def _norms(
    labels: list[str], got: Mapping[str, Any], want: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """The array, or all of them together, made shorter where the norm is above m."""
    along = [k for k in labels if equal(got[k] * _norm(want[k]), want[k] * _norm(got[k]))]
    together = np.sqrt(sum(_norm(got[label]) ** 2 for label in along))
    factors = [_norm(got[label]) / _norm(want[label]) for label in along]
    one = len(along) > 1 and max(factors) - min(factors) <= agreement().equal * max(factors)
    for label in along:
        norm = float(together if one else _norm(got[label]))
        whose = "of these gradients together" if one else "of the array"
        yield (
            label,
            said(
                "it is scaled so that the norm {0} is at most {1}{2}", whose, f"{norm:.6g}", BELOW
            ),
        )


def _norm(array: Any) -> float:
    return float(np.sqrt(np.sum(np.square(array))))


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
