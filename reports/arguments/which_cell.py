"""CELL on the command line → the cell: catalogue name, cell file, or Python object.

In: a word of the command line. Out: `Cell`. A cell file is data; a module is imported only
where the user names one as package.module:NAME.
"""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Final

from derive.cell import Cell, build, catalogue, dialects
from derive.cells import read_tables
from derive.language.syntax import CellError
from numeric.meaning.sizes import require_shown_sizes
from numeric.search.found import BEST, found_cell, is_search
from numeric.verification.derivation.check import require_derivation
from reports.terminal.console import CommandError, why

CELL_FILE: Final = re.compile(r"(?P<path>.*\.toml)(?::(?P<name>\w+))?", re.DOTALL)
_OBJECT: Final = re.compile(r"(?P<module>[^\W\d][\w.]*):(?P<name>\w+)")


def find_cell(word: str) -> Cell:
    """The cell that the word means.

    Raises:
        CommandError: if there is none; near names are named.
        CellError: if the cell's equations or declarations cannot be.
    """
    if found := CELL_FILE.fullmatch(word):
        return _from_file(Path(found["path"]), found["name"])
    folder, _, name = word.rpartition(":")
    if folder and name and is_search(Path(folder)):
        return _from_search(Path(folder), name)
    if found := _OBJECT.fullmatch(word):
        return _from_module(found["module"], found["name"])
    for home in (catalogue, dialects):
        if word in home:
            return home[word]
    near = catalogue.nearest(word) or dialects.nearest(word)
    hint = f"did you mean {' or '.join(near)}?" if near else "`bptt list` shows the names"
    raise CommandError(
        f"{word!r}: no such cell; expected a name of the catalogue, a .toml file or "
        f"package.module:NAME; {hint}"
    )


def checked_cell(word: str) -> Cell:
    """The cell that the word means, every line of its derivation compared with its equations.

    Raises:
        CommandError: if there is none; near names are named.
        CellError: if the cell's equations or declarations cannot be.
        WrongDerivationError: if a line is wrong, a fault of ours: nothing may be said of the cell.
    """
    cell = find_cell(word)
    require_derivation(cell)
    return cell


def computed_cell(word: str) -> Cell:
    """The same for a command that computes with it: its arrays show every size of its states.

    Raises:
        CommandError: if there is none, or a call without initial states would not know a size.
        CellError: if the cell's equations or declarations cannot be.
        WrongDerivationError: if a line is wrong, a fault of ours: nothing may be said of the cell.
    """
    cell = checked_cell(word)
    try:
        require_shown_sizes(cell)
    except ValueError as problem:
        raise CommandError(f"{word}: {problem}") from None
    return cell


def _from_file(path: Path, name: str | None) -> Cell:
    try:
        tables = read_tables(path)
        if name is None and len(tables) == 1:
            (name,) = tables
        if name in tables:
            return build(name, tables[name], path.name)
    except OSError as problem:
        raise CommandError(f"{path}: cannot be read: {why(problem)}") from None
    except CellError as problem:
        text = str(problem)
        raise CellError(text if text.startswith(path.name) else f"{path}: {text}") from None
    came = f"no cell {name!r}" if name else f"{len(tables)} cells"
    raise CommandError(
        f"{path}: expected one of its cells, came {came}; say {path}:NAME, with NAME one of "
        + ", ".join(tables)
    )


def _from_search(folder: Path, name: str) -> Cell:
    try:
        return found_cell(folder, name)
    except KeyError:
        raise CommandError(
            f"{folder}: the search found no {name!r}; expected a candidate's name, or {BEST}"
        ) from None
    except OSError as problem:
        raise CommandError(f"{folder}: cannot be read: {why(problem)}") from None


def _from_module(module: str, name: str) -> Cell:
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        with redirect_stdout(sys.stderr):  # standard output is for the answer
            home = import_module(module)
    except (Exception, SystemExit) as problem:
        raise CommandError(
            f"{module}:{name}: importing {module} raised {type(problem).__name__}: "
            + str(problem).split("\n", 1)[0]
        ) from problem
    finally:
        sys.path.remove(here)
    found = getattr(home, name, None)
    if not isinstance(found, Cell):
        came = type(found).__name__ if hasattr(home, name) else "no such name"
        raise CommandError(f"{module}:{name}: expected a Cell of derive, came {came}")
    return found
