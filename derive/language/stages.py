"""What the parts of a cell are called, and by which stages its forward pass is told.

In: the keys `stages` and `parts` of a cell file, plain data. Out: `Stage`s, checked against the
targets of the cell's equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from derive.language.syntax import CellError

_KEYS: Final = {"name": str, "equations": list, "says": str}
_SHORT: Final = 60


@dataclass(frozen=True)
class Stage:
    """A stage of the forward pass: the targets of its equations, and what it does in words."""

    name: str
    equations: tuple[str, ...]
    says: str = ""


def read_stages(given: Sequence[Any], targets: Sequence[str], cell: str) -> tuple[Stage, ...]:
    """The stages that the tables mean; no equation belongs to two of them.

    Raises:
        CellError: for a key or type that cannot be, or a target that no equation has.
    """
    found: list[Stage] = []
    taken: dict[str, str] = {}
    for place, table in enumerate(given, 1):
        where = f"'stages', entry {place}"
        if isinstance(table, Stage):
            table = {"name": table.name, "equations": [*table.equations], "says": table.says}
        if not isinstance(table, Mapping):
            raise CellError(f"{where}: expected a table, came {type(table).__name__}", cell=cell)
        for key, value in table.items():
            if key not in _KEYS:
                raise CellError(
                    f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}", cell=cell
                )
            if not isinstance(value, _KEYS[key]):
                raise CellError(
                    f"{where}: {key!r} must be a {_KEYS[key].__name__}, came "
                    f"{type(value).__name__}", cell=cell,
                )  # fmt: skip
        name, equations = table.get("name", ""), table.get("equations", [])
        if not name.strip() or len(name) > _SHORT:
            raise CellError(f"{where}: expected a name of 1 to {_SHORT} characters", cell=cell)
        if not equations:
            raise CellError(f"{where}, {name!r}: expected targets of 'equations'", cell=cell)
        for target in equations:
            if target not in targets:
                raise CellError(
                    f"{where}, {name!r}: no equation assigns {target!r}; assigned are "
                    + ", ".join(targets), cell=cell,
                )  # fmt: skip
            if target in taken:
                raise CellError(
                    f"{where}, {name!r}: {target!r} is in the stage {taken[target]!r} already",
                    cell=cell,
                )
            taken[target] = name
        found.append(Stage(name, tuple(equations), table.get("says", "")))
    return tuple(found)


def check_parts(parts: Mapping[str, Any], targets: Sequence[str], cell: str) -> None:
    """Each part is a target with a short name.

    Raises:
        CellError: if one is not.
    """
    for target, name in parts.items():
        if target not in targets:
            raise CellError(f"'parts' names {target!r}, which no equation assigns", cell=cell)
        if not isinstance(name, str) or not name.strip() or len(name) > _SHORT:
            raise CellError(
                f"'parts' of {target!r}: expected a name of 1 to {_SHORT} characters", cell=cell
            )
