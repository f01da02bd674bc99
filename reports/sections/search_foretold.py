"""Whether the growth of gradients foretells what a search's candidates learnt.

In: records of a search. Out: blocks of its report, and their figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.search.correlation import RankCorrelation, rank_correlation
from reports.document.figures import Labels, Picture
from reports.document.model import Block, Figure, Inlines, Paragraph, Table
from reports.document.search_figures import Panel, Point, scatter
from reports.document.words import Speaker

Record = Mapping[str, Any]
Growth = Mapping[str, float | None]
TIMES: Final = ("start", "end")


def _apart(growth: Growth) -> float | None:
    value = growth.get("certified")
    return None if value is None else abs(value)


MEASURES: Final[Mapping[str, Callable[[Growth], float | None]]] = {
    "certified": lambda growth: growth.get("certified"),
    "stepwise": lambda growth: growth.get("stepwise"),
    "measured": lambda growth: growth.get("measured"),
    "apart": _apart,
}
_NAMED: Final = {
    ("certified", "start"): "search.certified_start", ("certified", "end"): "search.certified_end",
    ("stepwise", "start"): "search.stepwise_start", ("stepwise", "end"): "search.stepwise_end",
    ("measured", "start"): "search.measured_start", ("measured", "end"): "search.measured_end",
    ("apart", "start"): "search.apart_start", ("apart", "end"): "search.apart_end",
}  # fmt: skip


_DRAWN: Final = 1500  # about so many points a panel: more make a file of megabytes
_FEW: Final = 150  # a family of so many is drawn whole
_IN_FAMILIES: Final = ("certified", "stepwise", "apart")


@dataclass(frozen=True)
class _Outcome:
    """What is to be foretold of a record: a task's largest lag learnt, or its error gone."""

    task: str
    lags: bool

    def of(self, record: Record) -> float | None:
        """None where it was not tried, or no number came of it."""
        tried = [one for one in record["tasks"] if one["task"] == self.task]
        if not tried:
            return None
        if self.lags:
            return max((one["lag"] for one in tried if one["learnt"]), default=0)
        share = tried[0]["share"]
        return None if share is None else max(0.0, 1.0 - share)


def foretold(
    say: Speaker, records: Sequence[Record], tasks: Sequence[tuple[str, int]], stem: str,
    words: Labels,
) -> tuple[tuple[Block, ...], Mapping[str, Picture]]:  # fmt: skip
    """The question, the scatter, rank correlations over all candidates and within families."""
    names = [*dict.fromkeys(task for task, _ in tasks)]
    several = {name for name in names if sum(task == name for task, _ in tasks) > 1}
    first = _Outcome(names[0], names[0] in several)
    families = families_of(records)
    outcomes = [first, *(_Outcome(name, True) for name in names[1:] if name in several)]
    success = "search.largest" if first.lags else "search.gone"
    shown, one_in = thinned(records, families)
    panels = [Panel(words(_NAMED[measure, when]),
                    [*_points(shown, families, first, measure, when)])
              for measure in ("certified", "stepwise") for when in TIMES]  # fmt: skip
    verdict = _verdict(*(_correlation(_points(records, families, first, measure, "start"))
                         for measure in ("certified", "apart")))  # fmt: skip
    caption = [say.sentence("search.lags" if first.lags else "search.scatter", names[0])]
    if one_in > 1:
        caption.append(say.sentence("search.thinned", one_in, _FEW))
    blocks = (
        Paragraph(say.sentence("search.question")),
        Figure(2, f"{stem}-scatter", say.together(caption), say.words("search.scatter_seen")),
        Table(2, say.sentence("search.correlations"),
              (*say.heads("search.foreteller"), *(_heading(say, one) for one in outcomes)),
              tuple(_rows(say, records, families, outcomes)), "l" + "r" * len(outcomes)),
        Table(3, say.sentence("search.in_families", _heading(say, first)),
              (*say.heads("search.family", "search.pairs"),
               *say.heads(*(_NAMED[measure, "start"] for measure in _IN_FAMILIES))),
              tuple(_by_family(say, records, families, first)), "lrrrr"),
        Paragraph(say.together([say.sentence(key) for key in verdict])),
    )  # fmt: skip
    picture = scatter(panels, "search.growth", success, words)
    return blocks, {f"{stem}-scatter": picture}


def _verdict(growth: RankCorrelation, apart: RankCorrelation) -> tuple[str, ...]:
    """What to say of the growth before training, and of how far it is from keeping its size."""
    if growth.low is None or growth.high is None:
        return ("search.unknown",)
    first = "search.none" if growth.low <= 0 <= growth.high else "search.some"
    if apart.low is None or apart.high is None:
        return first, "search.kin"
    second = "search.apart_none" if apart.low <= 0 <= apart.high else (
        "search.nearer" if apart.high < 0 else "search.farther")  # fmt: skip
    return first, second, "search.kin"


def families_of(records: Sequence[Record]) -> dict[str, str]:
    """The given cell that each candidate descends from."""
    found: dict[str, str] = {}
    for record in records:
        parent = record["parent"]
        found[record["name"]] = found[parent] if parent in found else record["name"]
    return found


def thinned(records: Sequence[Record], families: Mapping[str, str]) -> tuple[Sequence[Record], int]:
    """The records that a figure shows: one in so many of each large family, of the others all."""
    one_in = -(-len(records) // _DRAWN)
    sizes, met = Counter(families.values()), Counter[str]()
    shown = []
    for record in records:
        family = families[record["name"]]
        if sizes[family] <= _FEW or met[family] % one_in == 0:
            shown.append(record)
        met[family] += 1
    return shown, one_in


def _points(
    records: Sequence[Record], families: Mapping[str, str], outcome: _Outcome, measure: str,
    when: str,
) -> Iterator[Point]:  # fmt: skip
    for record in records:
        growth = MEASURES[measure](record.get("growth", {}).get(when, {}))
        success = outcome.of(record)
        if growth is not None and success is not None:
            yield Point(growth, success, families[record["name"]])


def _correlation(points: Iterator[Point]) -> RankCorrelation:
    held = [*points]
    return rank_correlation([p.growth for p in held], [p.success for p in held])


def _rows(
    say: Speaker, records: Sequence[Record], families: Mapping[str, str],
    outcomes: Sequence[_Outcome],
) -> Iterator[tuple[Inlines, ...]]:  # fmt: skip
    for (measure, when), key in _NAMED.items():
        found = [_correlation(_points(records, families, one, measure, when)) for one in outcomes]
        yield say.sentence(key), *(say(_written(one)) for one in found)


def _by_family(
    say: Speaker, records: Sequence[Record], families: Mapping[str, str], outcome: _Outcome
) -> Iterator[tuple[Inlines, ...]]:
    for family in (None, *dict.fromkeys(families.values())):
        own = [r for r in records if family in (None, families[r["name"]])]
        found = [_correlation(_points(own, families, outcome, measure, "start"))
                 for measure in _IN_FAMILIES]  # fmt: skip
        name = say.sentence("search.all") if family is None else say(family)
        yield name, say(str(found[0].pairs)), *(say(_written(one)) for one in found)


def _heading(say: Speaker, outcome: _Outcome) -> Inlines:
    return say.sentence("search.lag_of" if outcome.lags else "search.gone_of", outcome.task)


def _written(found: RankCorrelation) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "–"
    return f"{found.value:+.2f} ({found.low:+.2f} … {found.high:+.2f})".replace("-", "−")
