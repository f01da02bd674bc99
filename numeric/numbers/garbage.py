"""Garbage is looked for rarely: of what SymPy, NumPy and matplotlib make, nearly all stays.

In: nothing. Out: nothing; this process is set so. Python looks after every 700 new objects, and
each time again at many that live as long as the command: a fifteenth of a report went there.
"""

from __future__ import annotations

import gc
from typing import Final

_RARELY: Final = (20_000, 20, 20)


def collect_rarely() -> None:
    """Look after 20 000 new objects, at those of some age after 400 000: some megabytes."""
    gc.set_threshold(*_RARELY)
