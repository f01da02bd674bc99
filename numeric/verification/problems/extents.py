"""How large the calls of a problem are, and what comes of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Outputs = Mapping[str, Sequence[Any] | Any]  # each state, or the loss: its values, over time
Result = tuple[dict[str, Any], dict[str, dict[str, Any]]]  # outputs; gradients by group and name


@dataclass(frozen=True)
class Limits:
    """How large a drawn call may be; without `longest`, as long as its regime allows."""

    largest: int
    longest: int | None = None
    widest: int = 3


@dataclass(frozen=True)
class Extents:
    """The sizes of an exact check's example; whether it `counts` for the error probability."""

    sizes: Mapping[str, int]
    steps: int
    batch: int
    counts: bool
