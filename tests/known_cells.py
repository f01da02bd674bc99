"""The catalogue's cells by what their states are."""

from __future__ import annotations

from typing import Final

from derive import catalogue

MATRICES: Final = frozenset(
    name for name in catalogue if any(s.shape[1] != 1 for s in catalogue[name].states)
)
VECTORS: Final = tuple(name for name in catalogue if name not in MATRICES)
