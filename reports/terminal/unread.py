"""What drawing loads and a command never reads: tables for readers of docstrings, subsets of fonts.

In: how modules are loaded. Out: matplotlib is loaded without the tables of every artist's settings
that it writes into docstrings, and what cuts fonts down is loaded when it is asked for: Type 3
fonts, as figures here have, do without. Only a process that is the command's own is set so: in a
caller's somebody may ask for help.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any, Final, TypeVar

Loaded = TypeVar("Loaded")
_ARTIST: Final = "matplotlib.artist"
_TABLES: Final = "kwdoc"
_LATER: Final = "fontTools.subset"


class _Untold(Loader):
    """Loads as another does, then puts the writer of tables aside."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        if written := getattr(module, _TABLES, None):
            _aside.append((module, written))
            setattr(module, _TABLES, lambda artist: "")


class _Unread(MetaPathFinder):
    """Finds the two modules where others do."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in (_ARTIST, _LATER):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader) if name == _LATER else _Untold(spec.loader)
        return spec


_aside: Final[list[tuple[ModuleType, Any]]] = []
_FINDER: Final = _Unread()


def unread(load: Callable[[], Loaded]) -> Loaded:
    """What is loaded, without what is never read."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    try:
        return load()
    finally:
        while _aside:
            module, written = _aside.pop()
            setattr(module, _TABLES, written)
