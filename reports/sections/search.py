"""What a search found, as a document: the best cells, how they came about, whether bounds foretell.

In: the records of a search. Out: `Document`, and the figures that it places.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from derive.typeset.layout import Layout, Notation
from numeric.numbers.printed import ceiling_signed
from numeric.search.mutations import retold
from numeric.search.search import ranked
from reports.document.figures import Labels, Picture, labels
from reports.document.graph_layout import NoLayoutError
from reports.document.model import (
    Beside,
    Block,
    Bullets,
    Document,
    Figure,
    Listing,
    Paragraph,
    Section,
    Table,
    Words,
    counted,
)
from reports.document.search_figures import Ancestor, curves, pedigree
from reports.document.words import Speaker
from reports.sections.cell import AUTHOR
from reports.sections.search_foretold import foretold

Record = Mapping[str, Any]
NAME: Final = "search"
_BEST: Final = 10
_SIDE_BY_SIDE: Final = 4
_DRAWN: Final = 5
_COLUMNS: Final = 40
_NARROW: Final = 24


def build_search(
    records: Sequence[Record], settings: Mapping[str, Any], language: str = "en"
) -> tuple[Document, dict[str, Picture]]:
    """The report of a search.

    Raises:
        ValueError: if no candidate is right.
    """
    say, words = Speaker(Layout(Notation({})), language=language), labels(language)
    best = ranked(records)[:_BEST]  # type: ignore[arg-type]
    if not best:
        raise ValueError("no candidate of the search is right: there is nothing to report yet")
    tasks = [(task, lag) for task, lag in settings["tasks"]]
    pictures = {f"{NAME}-curves": curves(best[:_DRAWN], tasks[0], words)}
    descent, tree = _descent(say, records, best[:_DRAWN], words)
    said, drawn = foretold(say, records, tasks, NAME, words)
    sections = (
        Section("best", say.words("search.best"), _best(say, records, best, tasks)),
        Section("descent", say.words("search.descent"), descent),
        Section("foretold", say.words("search.foretold"), said),
    )
    document = Document(
        NAME, say.words("search.title"), say.words("search.subtitle"), AUTHOR,
        (say.words("search.title"),), counted(sections), language,
    )  # fmt: skip
    return document, {**pictures, **tree, **drawn}


def _best(
    say: Speaker,
    records: Sequence[Record],
    best: Sequence[Record],
    tasks: Sequence[tuple[str, int]],
) -> tuple[Block, ...]:
    right = sum(record["verdict"] == "right" for record in records)
    wrong = sum(record["verdict"].startswith("wrong") for record in records)
    problems = sum(record["problem"] is not None for record in records)
    opening = Paragraph(say.sentence("search.opening", *map(str, (len(records), right, wrong,
                                                                  problems))))  # fmt: skip
    lags = {task: [lag for name, lag in tasks if name == task] for task, _ in tasks}
    head = (*say.heads("search.cell"),
            *(say(f"{task} {', '.join(map(str, of))}") for task, of in lags.items()),
            *say.heads("search.numbers", "search.at_start", "search.at_end"))  # fmt: skip
    rows = []
    for record in best:
        held = {(t["task"], t["lag"]): t for t in record["tasks"]}
        growth = record.get("growth", {})
        rows.append((
            say(record["name"]),
            *((Words("  ".join(_share(held.get((task, lag))) for lag in of)),)
              for task, of in lags.items()),
            say(str(record.get("parameters", "–"))),
            *(say(_number(growth.get(when, {}).get("certified"))) for when in ("start", "end")),
        ))  # fmt: skip
    table = Table(1, say.sentence("search.table"), head, tuple(rows), "l" + "r" * (len(head) - 1))
    side_by_side = Beside(tuple(
        (say.sentence("search.titled", Words(record["name"], "emphasis"), _score(record)),
         _equations(record))
        for record in best[:_SIDE_BY_SIDE]
    ))  # fmt: skip
    caption = say.sentence("search.curves", f"{tasks[0][0]} {tasks[0][1]}")
    figure = Figure(1, f"{NAME}-curves", caption, say.words("search.curves_seen"))
    return opening, table, side_by_side, figure


def _equations(record: Record) -> Listing:
    """One below the other, a long one in several lines."""
    lines = record["equations"].strip().split("\n")
    return Listing("\n".join(
        part for line in lines
        for part in textwrap.wrap(line, _COLUMNS, subsequent_indent="    ", break_long_words=False,
                                  break_on_hyphens=False)
    ))  # fmt: skip


def _descent(
    say: Speaker, records: Sequence[Record], best: Sequence[Record], words: Labels
) -> tuple[tuple[Block, ...], Mapping[str, Picture]]:
    """The mutations from cells that were given to the best ones: a diagram, and the first's line.

    Where no Graphviz is found there is no diagram.
    """
    line, *others = [_line(records, one) for one in best]
    in_words = {one["name"]: _told(say, one) for other in (line, *others) for one in other}
    items = tuple(
        say.sentence("search.given", one["name"]) if not one["parent"]
        else say.sentence("search.mutated", one["name"],
                          say.words("words.semicolon").join(in_words[one["name"]]), _score(one))
        for one in line
    )  # fmt: skip
    named = say.sentence("search.pedigree", best[0]["name"])
    blocks: tuple[Block, ...] = (Paragraph(named), Bullets(items, numbered=True))
    mine = {one["name"] for one in line}
    kin = {one["name"]: one for other in (line, *others) for one in other}
    drawn = in_words
    if say.language != "en" and not words.fonts:  # as the other words in figures
        drawn = {name: retold(one["mutation"]) for name, one in kin.items()}
    try:
        picture = pedigree([
            Ancestor(name, (name, _score(one)), one["parent"], _narrow(drawn[name]), name in mine)
            for name, one in kin.items()
        ], words)  # fmt: skip
    except NoLayoutError:
        return blocks, {}
    figure = Figure(1, f"{NAME}-pedigree", say.sentence("search.tree", str(len(best))),
                    say.words("search.tree_seen"))  # fmt: skip
    return (figure, *blocks), {f"{NAME}-pedigree": picture}


def _narrow(changes: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for change in changes for part in textwrap.wrap(change, _NARROW))


def _line(records: Sequence[Record], last: Record) -> list[Record]:
    held = {record["name"]: record for record in records}
    line = [last]
    while line[0]["parent"] in held:
        line.insert(0, held[line[0]["parent"]])
    return line


def _told(say: Speaker, record: Record) -> tuple[str, ...]:
    return tuple(map(say.phrase, retold(record["mutation"]))) if record["mutation"] else ()


def _share(task: Mapping[str, Any] | None) -> str:
    if task is None:
        return "–"
    if task["share"] is None:
        return "∞"
    return f"{task['share']:.2f}{'*' if task['learnt'] else ''}"


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else ceiling_signed(value)


def _score(record: Record) -> str:
    return f"{record['score']:.3f}"
