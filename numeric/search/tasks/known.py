"""The tasks by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from numeric.search.tasks.adding import adding
from numeric.search.tasks.arithmetic import arithmetic
from numeric.search.tasks.brackets import brackets
from numeric.search.tasks.copying import copying
from numeric.search.tasks.parity import parity
from numeric.search.tasks.reading import reading
from numeric.search.tasks.task import Task

TASKS: Final[Mapping[str, Callable[[int], Task]]] = {
    "adding": adding, "copy": copying, "arithmetic": arithmetic, "xml": brackets,
    "text": reading, "parity": parity,
}  # fmt: skip
