"""Linear algebra on one thread: on small matrices more of them spin, and only burn time.

In: nothing. Out: nothing; the environment says so to a NumPy that is imported from here on, also
in processes that are started. What the user has set stands.
"""

from __future__ import annotations

import os
from typing import Final

_LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_EVERY_LOOP: Final = "OMP_NUM_THREADS"


def one_thread(*, loops: bool = False) -> None:
    """Ask for one thread in products of matrices, and with `loops` in every OpenMP loop."""
    for name in (*_LIBRARIES, _EVERY_LOOP)[: None if loops else -1]:
        os.environ.setdefault(name, "1")
