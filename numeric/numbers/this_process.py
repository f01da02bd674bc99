"""How this process computes: garbage is looked for rarely, linear algebra has one thread.

In: nothing, or how modules are loaded. Out: this process is set so. Of what SymPy, NumPy and
matplotlib make, nearly all stays. Python looks after every 700 new objects, and each time again at
many that live as long as the command: a fifteenth of a report went there, and another twenty-fifth
while modules were loaded, and into these again later. A report makes hardly more objects than are
waited for here, and takes 17 MB more for it. More threads on small matrices spin, and only burn
time.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Final, TypeVar

Loaded = TypeVar("Loaded")

_RARELY: Final = (200_000, 4, 20)
_LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_EVERY_LOOP: Final = "OMP_NUM_THREADS"


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


def one_thread(*, loops: bool = False) -> None:
    """Ask for one thread in products of matrices, and with `loops` in every OpenMP loop.

    A NumPy that is imported from here on reads it, also in processes that are started. What the
    user has set stands.
    """
    for name in (*_LIBRARIES, _EVERY_LOOP)[: None if loops else -1]:
        os.environ.setdefault(name, "1")
