"""What a command says and how it says it: one answer, for people or as one JSON object.

In: an `Answer` or a `CommandError`. Out: text on the two streams, and files that appear whole
or not at all. Needs the standard library alone, so that `bptt --help` answers at once.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from derive.typeset.columns import columns_of
from reports.document.special_files import special

DISTRIBUTION: Final = "bptt-toolkit"
GOOD, WRONG, REFUSED, INCONCLUSIVE, PARTIAL, FAULT = 0, 1, 2, 3, 4, 101
EXIT_OF_STATUS: Final = {
    "ok": GOOD, "same": GOOD, "pass": GOOD, "fail": WRONG, "inconclusive": INCONCLUSIVE,
    "partial": PARTIAL,
}  # fmt: skip
_COLOURS: Final = {"pass": "32", "fail": "31", "inconclusive": "33", "partial": "33"}


class CommandError(Exception):
    """Usage, a cell file, I/O or a missing engine: one or two lines that say what to do."""


@dataclass(frozen=True)
class Answer:
    """What a command found: `text` was asked for, `notes` are for people who want more.

    `status` is "ok", "stale" or a verdict's; `data` goes beside it into the JSON object.
    """

    status: str = "ok"
    text: str = ""
    notes: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """The exit status that the status stands for."""
        return EXIT_OF_STATUS.get(self.status, WRONG)


def toolkit_version() -> str:
    """The installed version of this toolkit; "0" where it runs from a bare folder."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"


def as_json(command: str, status: str, data: Mapping[str, Any]) -> str:
    """One strict JSON object: what is not finite is null, with a reason beside it."""
    held = {"schema": f"bptt.{command}/1", "status": status, **data}
    return json.dumps(strict(held), allow_nan=False, indent=2)


def strict(value: Any) -> Any:
    """The value as strict JSON may hold it."""
    if isinstance(value, Mapping):
        held = {str(key): strict(item) for key, item in value.items()}
        lost = [f"{key} is {item}" for key, item in value.items() if _infinite(item)]
        return held | ({"reason": "; ".join(lost)} if lost and not held.get("reason") else {})
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return None if _infinite(value) else value


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def colours_wanted() -> bool:
    """Whether people's output goes to a terminal that shows colours."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") != "dumb"
    )


def painted(line: str, said: Callable[[str], str] = str) -> str:
    """The line with its statuses in their colours, on a terminal that shows them.

    `said` is what a status is called in the line's language.
    """
    if not colours_wanted():
        return line
    colours = {said(status): colour for status, colour in _COLOURS.items()}
    status = re.compile(rf"(?<![^\s：])({'|'.join(map(re.escape, colours))})(?![^\s,、])")
    return status.sub(lambda found: f"\x1b[{colours[found[0]]}m{found[0]}\x1b[0m", line)


def columns(
    rows: Sequence[tuple[str, ...]], indent: str = "", *, numbers: bool = False
) -> list[str]:
    """The rows as lines, each column as wide as its widest entry; the last is not filled up.

    With `numbers` all columns but the first stand at the right.
    """
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]

    def filled(place: int, cell: str) -> str:
        room = " " * (widths[place] - columns_of(cell))
        return room + cell if numbers and place else cell + room

    return [
        indent + "  ".join(filled(place, cell) for place, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def why(problem: OSError) -> str:
    """What the operating system said, without the file's name."""
    return problem.strerror or str(problem)


def write_whole(path: Path, text: str) -> None:
    """The file holds the text, or is what it was before; a device or a pipe is written into.

    Raises:
        CommandError: if it cannot be written.
    """
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if special(target):
            target.write_text(text, encoding="utf-8", newline="\n")
            return
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        beside.replace(target)
    except OSError as problem:
        raise CommandError(
            f"{path}: cannot be written: {why(problem)}; name a file in a folder you may write to"
        ) from None
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
