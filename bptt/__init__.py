"""Everything public of `derive`, `numeric` and `reports` under one name.

`bptt.differentiate` is `derive.differentiate`, and so on; `bptt.testing` and `bptt.strategies`
are modules of `numeric`. Nothing of the three is imported before a name is asked for: this
package answers where another package stands in the way of one of them, and says so.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from bptt.shadows import PACKAGES, require

if TYPE_CHECKING:
    from derive import *  # noqa: F403 (their public names are ours, listed once, there)
    from numeric import *  # noqa: F403
    from numeric import strategies as strategies
    from numeric import testing as testing
    from reports import *  # noqa: F403

_MODULES: Final = {"strategies": "numeric.strategies", "testing": "numeric.testing"}


def __getattr__(name: str) -> object:
    """A public name, from the package that it belongs to.

    Raises:
        AttributeError: for any other name.
        ImportError: if another package stands where one of ours is looked for.
    """
    if name == "__all__":
        return __dir__()
    if name in _MODULES:
        require("derive", "numeric")
        return import_module(_MODULES[name])
    if not name.startswith("_"):
        for package in PACKAGES:  # each imports those before it
            require(package)
            home = import_module(package)
            if name in home.__all__:
                return getattr(home, name)
    raise AttributeError(f"module 'bptt' has no attribute {name!r}")


def __dir__() -> list[str]:
    require(*PACKAGES)
    return sorted({*_MODULES, *(name for p in PACKAGES for name in import_module(p).__all__)})
