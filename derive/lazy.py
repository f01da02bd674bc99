"""Public names of a package that are imported when first used.

In: a package's name, and the modules that hold its public names. Out: the two functions that make
it so, `__getattr__` and `__dir__` (PEP 562). Importing SymPy takes a second, which `bptt --help`
and the start of pytest save.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

Lookup = Callable[[str], object]
Listing = Callable[[], list[str]]


def lazily(package: str, held: Mapping[str, Sequence[str]]) -> tuple[Lookup, Listing]:
    """`__getattr__` and `__dir__` of the package: the public names of each module, and no other."""
    homes = {name: module for module, names in held.items() for name in names}

    def look_up(name: str) -> object:
        """The public name, from its home.

        Raises:
            AttributeError: for any other name.
        """
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return look_up, lambda: sorted(homes)
