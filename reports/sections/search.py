"""What a search found, as a document: the best cells, how they came about, whether bounds foretell.

In: the records of a search. Out: `Document`, and the figures that it places.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from derive.typeset.layout import Layout, Notation
from numeric.search.correlation import rank_correlation
from numeric.search.search import ranked
from reports.document.figures import Picture, labels
from reports.document.model import (
    Block,
    Bullets,
    Document,
    Figure,
    Inlines,
    Listing,
    Paragraph,
    Section,
    Table,
)
from reports.document.search_figures import Point, curves, scatter
from reports.document.words import Speaker
from reports.sections.cell import AUTHOR

Record = Mapping[str, Any]
NAME: Final = "search"
_BEST: Final = 10
_SIDE_BY_SIDE: Final = 3
_DRAWN: Final = 5
_MEASURES: Final = ("certified", "measured")
_CAPTIONS: Final = {"certified": "search.lags_certified", "measured": "search.lags_measured"}


def build_search(
    records: Sequence[Record], settings: Mapping[str, Any], language: str = "en"
) -> tuple[Document, dict[str, Picture]]:
    """The report of a search.

    Raises:
        ValueError: if no candidate is right.
    """
    say = Speaker(Layout(Notation({})), language=language)
    best = ranked(records)[:_BEST]  # type: ignore[arg-type]
    if not best:
        raise ValueError("no candidate of the search is right: there is nothing to report yet")
    tasks = [(task, lag) for task, lag in settings["tasks"]]
    families = _families(records)
    points = _points(records, families)
    pictures = {f"{NAME}-curves": curves(best[:_DRAWN], tasks[0], labels(language)),
                f"{NAME}-scatter": scatter(points, "search.gone", labels(language))}  # fmt: skip
    lags = [lag for task, lag in tasks if task == tasks[0][0]]
    far = {key: _far(records, families, tasks[0][0], key) for key in _MEASURES}
    foretold = _foretold(say, points)
    if len(lags) > 1:
        pictures[f"{NAME}-lags"] = scatter(far["certified"], "search.largest", labels(language))
        foretold += _lags(say, far)
    sections = (
        Section("best", say.words("search.best"), _best(say, records, best, tasks)),
        Section("descent", say.words("search.descent"), _descent(say, records, best[0])),
        Section("foretold", say.words("search.foretold"), foretold),
    )
    document = Document(
        NAME, say.words("search.title"), say.words("search.subtitle"), AUTHOR,
        (say.words("search.title"),), sections, language,
    )  # fmt: skip
    return document, pictures


def _best(
    say: Speaker,
    records: Sequence[Record],
    best: Sequence[Record],
    tasks: Sequence[tuple[str, int]],
) -> tuple[Block, ...]:
    right = sum(record["verdict"] == "right" for record in records)
    opening = Paragraph(say.sentence("search.opening", str(len(records)), str(right)))
    head = (*say.heads("search.cell"), *(say(f"{task} {lag}") for task, lag in tasks),
            *say.heads("search.numbers", "search.certified", "search.measured"))  # fmt: skip
    rows = []
    for record in best:
        growth = record.get("growth", {}).get("start", {})
        held = {(t["task"], t["lag"]): t for t in record["tasks"]}
        rows.append((
            say(record["name"]), *(say(_share(held.get(task))) for task in tasks),
            say(str(record.get("parameters", "–"))),
            *(say(_number(growth.get(key))) for key in _MEASURES),
        ))  # fmt: skip
    table = Table(1, say.sentence("search.table"), head, tuple(rows), "l" + "r" * (len(head) - 1))
    blocks: list[Block] = [opening, table]
    for record in best[:_SIDE_BY_SIDE]:
        blocks += [Paragraph((), record["name"]), Listing(record["equations"].strip())]
    caption = say.sentence("search.curves")
    blocks.append(Figure(1, f"{NAME}-curves", caption, say.words("search.curves_seen")))
    return tuple(blocks)


def _descent(say: Speaker, records: Sequence[Record], last: Record) -> tuple[Block, ...]:
    """The mutations from a cell that was given to the best one."""
    held = {record["name"]: record for record in records}
    line = [last]
    while line[0]["parent"] in held:
        line.insert(0, held[line[0]["parent"]])
    items = tuple(
        say.sentence("search.given", one["name"]) if not one["parent"]
        else say.sentence("search.mutated", one["name"], one["mutation"], _score(one))
        for one in line
    )  # fmt: skip
    return Paragraph(say.sentence("search.pedigree", last["name"])), Bullets(items, numbered=True)


def _foretold(say: Speaker, points: Sequence[Point]) -> tuple[Block, ...]:
    """The scatter, and rank correlations over all candidates and within families."""
    table = Table(2, say.sentence("search.correlations"), _heads(say), _correlations(say, points),
                  "lrrr")  # fmt: skip
    whole = rank_correlation([p.growth for p in points], [p.success for p in points])
    key = "search.unknown" if whole.low is None or whole.high is None else (
        "search.none" if whole.low <= 0 <= whole.high else "search.some")  # fmt: skip
    return (
        Paragraph(say.sentence("search.question")),
        Figure(2, f"{NAME}-scatter", say.sentence("search.scatter"),
               say.words("search.scatter_seen")),
        table,
        Paragraph(say.sentence(key)),
    )  # fmt: skip


def _lags(say: Speaker, far: Mapping[str, Sequence[Point]]) -> tuple[Block, ...]:
    """The same of the largest lag learnt, for the certified growth and for the measured."""
    blocks: list[Block] = [
        Figure(3, f"{NAME}-lags", say.sentence("search.lags"), say.words("search.lags_seen"))
    ]
    for number, (key, points) in enumerate(far.items(), 3):
        caption = say.sentence(_CAPTIONS[key])
        blocks.append(Table(number, caption, _heads(say), _correlations(say, points), "lrrr"))
    return tuple(blocks)


def _heads(say: Speaker) -> tuple[Inlines, ...]:
    return say.heads("search.family", "search.pairs", "search.rank", "search.interval")


def _correlations(say: Speaker, points: Sequence[Point]) -> tuple[tuple[Inlines, ...], ...]:
    """Rank correlations over all candidates and within families."""
    rows = []
    families: list[str | None] = [None, *dict.fromkeys(point.family for point in points)]
    for family in families:
        own = [point for point in points if family in (None, point.family)]
        found = rank_correlation([p.growth for p in own], [p.success for p in own])
        name = say.sentence("search.all") if family is None else say(family)
        interval = "–" if found.low is None or found.high is None else (
            f"{found.low:.2f} … {found.high:.2f}")  # fmt: skip
        value = "–" if found.value is None else f"{found.value:.2f}"
        rows.append((name, say(str(found.pairs)), say(value), say(interval)))
    return tuple(rows)


def _families(records: Sequence[Record]) -> dict[str, str]:
    """The given cell that each candidate descends from."""
    found: dict[str, str] = {}
    for record in records:
        parent = record["parent"]
        found[record["name"]] = found[parent] if parent in found else record["name"]
    return found


def _points(records: Sequence[Record], families: Mapping[str, str]) -> list[Point]:
    made = []
    for record in records:
        growth = record.get("growth", {}).get("start", {}).get("certified")
        if growth is None or not record["tasks"] or record["tasks"][0]["share"] is None:
            continue
        gone = max(0.0, 1.0 - record["tasks"][0]["share"])
        made.append(Point(growth, gone, families[record["name"]]))
    return made


def _far(
    records: Sequence[Record], families: Mapping[str, str], task: str, measure: str
) -> list[Point]:
    """Growth against the largest lag of the task that was learnt, 0 for none."""
    made = []
    for record in records:
        growth = record.get("growth", {}).get("start", {}).get(measure)
        if growth is not None and record["tasks"]:
            lags = [t["lag"] for t in record["tasks"] if t["task"] == task and t["learnt"]]
            made.append(Point(growth, max(lags, default=0), families[record["name"]]))
    return made


def _share(task: Mapping[str, Any] | None) -> str:
    if task is None or task["share"] is None:
        return "–"
    return f"{task['share']:.3f}{' *' if task['learnt'] else ''}"


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:+.1f}"


def _score(record: Record) -> str:
    return f"{record['score']:.3f}"
