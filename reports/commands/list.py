"""`bptt list`: the catalogue, read as plain tables. Needs no SymPy."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace

from derive.cells import tables
from derive.language import syntax
from reports.terminal.console import Answer, columns


def run(arguments: Namespace) -> Answer:
    """Name, states, title and source of every cell of the catalogue."""
    cells = [
        {
            "name": name,
            "states": list(syntax.states_of(syntax.parse(table["equations"], name))),
            "title": table.get("title", name),
            "source": table.get("source", ""),
        }
        for name, table in tables().items()
    ]
    if arguments.quiet:
        return Answer(text="\n".join(cell["name"] for cell in cells), data={"cells": cells})
    rows = [("name", "states", "source")]
    rows += [(c["name"], ", ".join(c["states"]), f"{c['title']}: {c['source']}") for c in cells]
    return Answer(text="\n".join(map(_fitted, columns(rows))), data={"cells": cells})


def _fitted(line: str) -> str:
    """The line as it is; on a terminal, no wider than that."""
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width else line[: width - 1] + "…"
