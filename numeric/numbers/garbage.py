"""Garbage is looked for rarely: of what SymPy, NumPy and matplotlib make, nearly all stays.

In: nothing, or how modules are loaded. Out: this process is set so. Python looks after every 700
new objects, and each time again at many that live as long as the command: a fifteenth of a report
went there, and another twenty-fifth while modules were loaded, and into these again later. A
report makes hardly more objects than are waited for here, and takes 17 MB more for it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final, TypeVar

Loaded = TypeVar("Loaded")

_RARELY: Final = (200_000, 4, 20)


def collect_rarely() -> None:
    """Look after 200 000 new objects, at those of some age after 800 000: some megabytes."""
    gc.set_threshold(*_RARELY)


def kept(load: Callable[[], Loaded]) -> Loaded:
    """What is loaded: modules, which stay, so that no garbage is looked for in them, nor later."""
    gc.disable()
    try:
        return load()
    finally:
        gc.freeze()
        gc.enable()
