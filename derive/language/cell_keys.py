"""The keys of a cell file and the types of their values.

In: the table of one cell, plain data. Out: nothing; what cannot be is refused by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from derive.language.syntax import CellError

KEYS: Final = {
    "name": str, "source": str, "title": str, "equations": str,
    "inputs": list, "outputs": list, "constants": list, "scalars": list, "matrices": list,
    "sizes": dict, "latex": dict, "defaults": dict, "stages": list, "parts": dict,
}  # fmt: skip


def check_keys(name: str, table: Mapping[str, Any], file: str) -> None:
    """Each key is known and its value of the right type.

    Raises:
        CellError: if one is not, or the equations are missing.
    """
    for key, value in table.items():
        if key not in KEYS:
            raise CellError(f"{file}: unknown key {key!r}; known are {', '.join(KEYS)}")
        if not isinstance(value, KEYS[key]):
            raise CellError(
                f"{file}: {key!r} must be a {KEYS[key].__name__}, came {type(value).__name__}"
            )
        if key == "stages":
            continue
        strings = value if isinstance(value, list) else value.values() if key in {
            "sizes", "latex"} else ()  # fmt: skip
        if not all(isinstance(item, str) for item in strings):
            raise CellError(f"{file}: {key!r} must hold strings only")
    if "equations" not in table:
        raise CellError(f"{file}: cell {name!r} has no 'equations'")
