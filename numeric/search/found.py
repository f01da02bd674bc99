"""What a search has found so far, from its folder.

In: the folder of a search. Out: its records, or one of its cells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from derive.cell import Cell
from numeric.search.candidate import Record
from numeric.search.search import ranked
from numeric.search.store import Store

BEST: Final = "BEST"


def is_search(folder: Path) -> bool:
    """Whether the folder is that of a search."""
    return (folder / Store.SETTINGS).is_file()


def records_of(folder: Path) -> list[Record]:
    """Every record, in the order in which they were drawn.

    Raises:
        OSError: if the folder cannot be read.
    """
    return [record for chunk in Store(folder).chunks() for record in chunk]


def found_cell(folder: Path, name: str) -> Cell:
    """The candidate of that name; BEST for the first of the ranking.

    Raises:
        KeyError: if there is none.
        OSError: if the folder cannot be read.
    """
    records = records_of(folder)
    held = ranked(records)[:1] if name == BEST else [r for r in records if r["name"] == name]
    if not held:
        raise KeyError(name)
    _, _, inputs = Store(folder).settings()["start"][0]
    return Cell.parse(name=held[0]["name"], equations=held[0]["equations"], inputs=tuple(inputs))
