"""The answer about given weights: how much over which lag, by what, where, and what changes it.

In: a `Diagnosis` along a sequence. Out: `Answer`; each number is either certified or measured, as
its name says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.bounds.diagnosis import Diagnosis
from numeric.bounds.one_sequence.path_shares import PathShare, PathShares, UnitShare
from numeric.bounds.remedy import Remedies, remedies

_APART: Final = 1e-3  # by this share the largest singular value exceeds the next, to name a unit
_HALF: Final = 0.505


@dataclass(frozen=True)
class Span:
    """The fewest consecutive steps, first to last, that make half of log10 of the norm."""

    first: int
    last: int
    steps: int

    @property
    def length(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Answer:
    """What is said first about weights; `path`, `unit`, `span` and `remedy` are measured.

    `most`: the path alone carries more than half, and more than all others together. No `unit`
    where other vectors are stretched as much: units then carry as a vector is chosen.
    """

    one: Diagnosis
    lag: int
    measured: float
    path: PathShare | None
    unit: UnitShare | None
    span: Span | None
    remedy: Remedies | None
    most: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        path, unit, span = self.path, self.unit, self.span
        return {
            "path": None if path is None else {
                "path": path.label, "share": path.share,
                "growth": path.growth if math.isfinite(path.growth) else None},
            "unit": None if unit is None else {
                "state": unit.state, "index": unit.index, "share": unit.share},
            "half_of_it_in_steps": None if span is None else [span.first, span.last],
            "remedy": None if self.remedy is None else self.remedy.to_dict(),
        }  # fmt: skip


def answer(one: Diagnosis, *, cure: bool = True) -> Answer | None:
    """The answer for a diagnosis along a sequence; None where there is none. `cure` tries changes.

    Assumes: the units of a state count from 1.
    """
    if one.run is None or one.log10_measured is None:
        return None
    lag, shares = one.lags[-1], one.shares
    clear = one.track is not None and one.track.gap > _APART
    path = shares.most if shares and len(shares.paths) > 1 else None
    unit = None
    if shares and clear:
        unit = max(shares.units, key=lambda one: one.share, default=None)
    found = None
    if cure and one.track is not None:
        found = remedies(one.run, lag, shares.by_name() if shares else None, one.track)
    return Answer(
        one, lag, one.log10_measured[-1],
        path, unit, span_of(one.log10_measured, one.run.steps), found,
        clear and shares is not None and path is not None and _most(path, shares),
    )  # fmt: skip


def _most(path: PathShare, shares: PathShares) -> bool:
    """Whether a path carries more than half, as printed, and more than the others together."""
    others = sum(abs(other.share) for other in shares.paths if other is not path)
    return path.share >= _HALF and path.share > others


def span_of(logs: Sequence[float], last: int) -> Span | None:
    """The shortest run of steps over which log10 of the norm changes by half of its whole.

    `logs` are those at the lags 1, 2, …; lag l joins step last − l + 1 to the product.
    """
    values = [0.0, *logs]
    whole = values[-1]
    if not all(map(math.isfinite, values)) or whole == 0:
        return None
    best: tuple[int, int] | None = None
    for begin in range(len(values) - 1):
        for end in range(begin + 1, len(values)):
            if best is not None and end - begin >= best[1] - best[0]:
                break
            if (values[end] - values[begin]) / whole >= 0.5:
                best = begin, end
                break
    assert best is not None
    return Span(last - best[1] + 1, last - best[0], len(logs))
