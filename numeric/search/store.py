"""Records on disk: one file a chunk, named by its place and its content, whole or not there.

In: a folder. Out: `Store`. A search that was killed goes on after the last whole chunk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

Record = dict[str, Any]
_CHUNK: Final = re.compile(r"chunk-(\d{6})-([0-9a-f]{16})\.json")
SCHEMA: Final = "bptt.search.chunk/1"


class Store:
    """The chunks of one search."""

    SETTINGS: ClassVar = "search.json"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Note what is searched for, or see that it is what was begun here.

        Raises:
            ValueError: if the folder holds another search, naming what differs.
            OSError: if it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / self.SETTINGS
        if not path.exists():
            _write(path, json.dumps(settings, indent=1, sort_keys=True))
            return
        held = json.loads(path.read_text(encoding="utf-8"))
        differ = [key for key in settings if held.get(key) != json.loads(json.dumps(settings[key]))]
        if differ:
            key = differ[0]
            raise ValueError(f"{path}: another search was begun here: {key} was {held.get(key)!r}, "
                             f"came {settings[key]!r}; name an empty folder")  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """What is searched for.

        Raises:
            OSError: if there is no search here.
        """
        text = (self.folder / self.SETTINGS).read_text(encoding="utf-8")
        return dict(json.loads(text))

    def add(self, place: int, records: Sequence[Record]) -> None:
        """One more chunk."""
        text = json.dumps({"schema": SCHEMA, "chunk": place, "records": list(records)},
                          indent=1, allow_nan=False)  # fmt: skip
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        _write(self.folder / f"chunk-{place:06d}-{digest}.json", text)

    def chunks(self) -> Iterator[list[Record]]:
        """The chunks in order, up to the first that is missing or not what its name says."""
        held = {}
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if match := _CHUNK.fullmatch(path.name):
                    held[int(match[1])] = (path, match[2])
        for place in range(len(held)):
            if place not in held:
                return
            path, digest = held[place]
            text = path.read_text(encoding="utf-8")
            if hashlib.sha256(text.encode()).hexdigest()[:16] != digest:
                path.unlink()
                return
            yield json.loads(text)["records"]


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
