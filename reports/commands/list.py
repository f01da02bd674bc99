"""`bptt list`: the catalogue by families, read as plain tables. Needs no SymPy."""

from __future__ import annotations

import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from derive.cells import tables
from derive.language import syntax
from derive.theorems.sentences import sentences
from reports.site.families import family_of, family_title
from reports.terminal.console import Answer, CommandError

_WIDTH: Final = 80
_SENTENCES: Final = Path(__file__).parents[1] / "languages"


def run(arguments: Namespace) -> Answer:
    """Name, states, title and source of the cells of the catalogue, or of those asked for.

    Raises:
        CommandError: for a name, a family or a state that there is not.
    """
    families = family_of()
    cells = [
        {
            "name": name,
            "family": families[name],
            "states": list(syntax.states_of(syntax.parse(table["equations"], name))),
            "title": table.get("title", name),
            "source": table.get("source", ""),
        }
        for name, table in tables().items()
    ]
    cells = _asked(cells, arguments)
    text = "\n".join(cell["name"] for cell in cells)
    return Answer(text=text if arguments.quiet else "\n".join(_lines(cells)),
                  data={"cells": cells})  # fmt: skip


def _asked(cells: Sequence[dict[str, Any]], arguments: Namespace) -> list[dict[str, Any]]:
    """The cells that were named, of the family, whose title or source holds the text.

    Raises:
        CommandError: for a name or a family that there is not.
    """
    known = {cell["name"] for cell in cells}
    for name in arguments.names:
        if name not in known:
            raise CommandError(
                f"bptt list: expected names of the catalogue, came {name!r}; `bptt list -q` has all"
            )
    families = {*family_of().values()}
    if arguments.family is not None and arguments.family not in families:
        raise CommandError(
            f"bptt list: --family: expected one of {', '.join(sorted(families))}, "
            f"came {arguments.family!r}"
        )
    found = [cell for cell in cells if not arguments.names or cell["name"] in arguments.names]
    found = [cell for cell in found if arguments.family in {None, cell["family"]}]
    for word in arguments.match or ():
        found = [cell for cell in found if word.lower() in _text(cell)]
    return found


def _text(cell: Mapping[str, Any]) -> str:
    return f"{cell['name']} {cell['title']} {cell['source']}".lower()


def _lines(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A family after the other; every line as wide as the terminal, or 80 columns."""
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    width = max(min(wide, 2 * _WIDTH), 40)
    names = max((len(cell["name"]) for cell in cells), default=0)
    words = sentences("en", _SENTENCES).texts.__getitem__
    for family in dict.fromkeys(family_of().values()):
        group = [cell for cell in cells if cell["family"] == family]
        if group:
            yield f"{family}: {family_title(family, words)}"
        for cell in group:
            first = f"  {cell['name']:<{names}}  "
            yield from textwrap.wrap(
                f"{cell['title']}; states {', '.join(cell['states'])}", width,
                initial_indent=first, subsequent_indent=" " * len(first),
            )  # fmt: skip
            yield from textwrap.wrap(
                cell["source"], width, initial_indent=" " * len(first),
                subsequent_indent=" " * len(first), break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
