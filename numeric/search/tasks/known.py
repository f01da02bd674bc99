"""The tasks by name; of a name and a lag always the same value, for which things can be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from numeric.search.tasks.arithmetic import arithmetic
from numeric.search.tasks.brackets import brackets
from numeric.search.tasks.reading import reading
from numeric.search.tasks.remembering import adding, copying, parity
from numeric.search.tasks.task import Task

_KINDS: Final = {
    "adding": adding, "copy": copying, "arithmetic": arithmetic, "xml": brackets,
    "text": reading, "parity": parity,
}  # fmt: skip
TASKS: Final[Mapping[str, Callable[[int], Task]]] = {
    name: lru_cache(maxsize=16)(kind) for name, kind in _KINDS.items()
}
