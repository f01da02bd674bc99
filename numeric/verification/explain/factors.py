"""Factors between right arrays and the code's, by calls of other sizes, and by one with lengths.

In: arrays of several calls. Out: the one `Factor` between them, a number or extents of the call;
and in words what stands for T and B in calls with lengths, which without lengths is one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any, Final

import numpy as np

from derive.saying import said
from numeric.verification.cases import Case
from numeric.verification.explain.audit import Audit, agreement, equal
from numeric.verification.explain.change import Factor, extents_of
from numeric.verification.explain.divided import together
from numeric.verification.watch import LOSS

NICE: Final = 1000  # a factor is printed as a fraction up to this denominator
OWN: Final = (Fraction(1), Fraction(2), Fraction(1, 2))  # as of a square without its half
MOST: Final = 4  # extents in one product

# What may be counted for T and B in calls with lengths: in words, and of T, B and the lengths.
COUNTED: Final[Mapping[str, Callable[[int, int, Any], dict[str, Any]]]] = {
    "": lambda steps, batch, ends: {},
    "the number of valid steps stands for T B":
        lambda steps, batch, ends: {"T": np.sum(ends), "B": 1},
    "the largest length stands for T": lambda steps, batch, ends: {"T": np.max(ends)},
    "each sample's own length stands for T": lambda steps, batch, ends: {"T": ends},
}  # fmt: skip


def factors(number: float, case: Case) -> Iterator[Factor]:
    """Those that are the number in that call: it alone, then extents times a simple number."""
    near = Fraction(number).limit_denominator(NICE)
    close = abs(float(near) - number) <= agreement().equal * abs(number)
    yield Factor(number=near if close else number)
    known = extents_of(case)
    for count in range(1, MOST + 1):
        for names in combinations(known, count):
            for over in (True, False):
                for own in OWN:
                    factor = Factor(names, own, over)
                    if abs(factor.of(case) - number) <= agreement().equal * abs(number):
                        yield factor


def factor_between(pairs: Iterable[tuple[Any, Any, Case]]) -> Factor | None:
    """The one factor between two arrays in every call, if there is just one."""
    known = [*pairs]
    numbers = []
    for got, want, _ in known:
        size = float(np.sum(want * want))
        number = float(np.sum(got * want)) / size if size else 0.0
        if not number or not math.isfinite(number) or not equal(got, number * want):
            return None
        numbers.append(number)
    found = [
        factor for factor in factors(numbers[0], known[0][2])
        if all(
            abs(factor.of(case) - number) <= agreement().equal * abs(number)
            for number, (*_, case) in zip(numbers, known, strict=True)
        )
    ]  # fmt: skip
    # where the calls cannot differ in a size, a number is as true as it
    return found[0] if len(found) == 1 or (found and not found[0].extents) else None


def between(audit: Audit, label: str) -> Factor | None:
    """The one factor between a gradient of the code and the right one."""
    return factor_between(
        (got[label], want[label], tape.case)
        for got, want, tape in zip(audit.got, audit.right(), audit.tapes, strict=True)
    )


def with_lengths(audit: Audit, what: str, factor: Factor | None, label: str = LOSS) -> str:
    """The words for a factor of the loss or of a gradient, and what it is in calls with lengths."""
    if factor is None or "T" not in factor.extents or audit.ragged is None:
        return what
    case, got, alone = audit.ragged
    for words, counted in COUNTED.items():
        other = counted(case.steps, case.batch, case.lengths)
        if not {*other} <= {*factor.extents}:
            continue
        weights = np.broadcast_to(factor.of(case, **other), case.batch)
        shares = [weight * one[label] for weight, one in zip(weights, alone, strict=True)]
        if equal(got[label], together(label, shares)):
            return said("{0}; with lengths, {1}", what, said(words)) if words else what
    return said("{0}, in calls without lengths", what)
