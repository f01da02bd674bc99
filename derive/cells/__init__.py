"""The catalogue as plain tables: a family of cells per `.toml` file. Needs no SymPy.

In: a cell file, the user's or ours. Out: the keys of each cell in it, nothing parsed yet.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from derive.language.syntax import CellError

FOLDER: Final = Path(__file__).parent
MAX_FILE: Final = 1_000_000


def read_tables(path: Path) -> dict[str, dict[str, Any]]:
    """The cells of a file by name: one at the top level, or a table for each.

    One at the top level without a name has that of the file, what no name holds as _.

    Raises:
        CellError: if the file is no TOML, or holds no cell.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise CellError(f"{path.name}: not a cell file: longer than {MAX_FILE} bytes")
    try:
        data = tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as problem:  # integers of thousands of digits, too
        raise CellError(f"{path.name}: not a cell file: {problem}") from None
    if "equations" in data:
        name = data.get("name")
        return {name if isinstance(name, str) else re.sub(r"[^A-Za-z0-9_]", "_", path.stem): data}
    if not data or not all(isinstance(table, dict) for table in data.values()):
        raise CellError(f"{path.name}: expected the key 'equations' (a text), found none")
    return data


@cache
def tables() -> dict[str, dict[str, Any]]:
    """The catalogue's cells by name, file after file."""
    return _in_folder(FOLDER)


@cache
def dialect_tables() -> dict[str, dict[str, Any]]:
    """The frameworks' own forms of well-known cells by name, `torch_lstm` and the like."""
    return _in_folder(FOLDER / "dialects")


def _in_folder(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: table
        for path in sorted(folder.glob("*.toml"))
        for name, table in read_tables(path).items()
    }
