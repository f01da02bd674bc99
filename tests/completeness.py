"""What a table of completeness is: rows, columns, and the gaps between them by name.

A row is a node or a function of the language (`complete_nodes.py`, `complete_functions.py`); a
column is one interpretation of it, a probe that runs it and looks at what comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from derive.language.functions import ElementwiseFunction

Probe = Callable[[Any], None]
Table = Mapping[str, Probe]


def gaps(rows: Iterable[Any], table: Table, absent: Mapping[tuple[str, str], str]) -> list[str]:
    """Each row and column that does not work, and why; what is absent must not work."""
    found = []
    for row in rows:
        for column, probe in table.items():
            place = (name(row), column)
            try:
                probe(row)
            except Exception as problem:
                if place not in absent:
                    found.append(f"{place[0]} × {column}: {type(problem).__name__}: {problem}")
            else:
                if place in absent:
                    found.append(f"{place[0]} × {column}: is there, but said to be absent")
    return found


def name(row: Any) -> str:
    """What the row is called: a function by its own name, a node by its class."""
    return row.name if isinstance(row, ElementwiseFunction) else row.__name__
