"""Public names of a package that are imported when first used.

In: a package's name, and for each of its public names the module that holds it. Out: the two
functions that make it so, `__getattr__` and `__dir__` (PEP 562). Importing SymPy takes a second,
which `bptt --help` and the start of pytest save.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

Lookup = Callable[[str], object]
Listing = Callable[[], list[str]]


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Lookup, Listing]:
    """`__getattr__` and `__dir__` of the package: its public names, and no other."""

    def look_up(name: str) -> object:
        """The public name, from its home.

        Raises:
            AttributeError: for any other name.
        """
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return look_up, lambda: sorted(homes)
