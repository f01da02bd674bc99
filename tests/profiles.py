"""Which tests run: by day a few examples, the same each time; by night all, and new ones.

Of those by day, `python -m pytest` leaves out what is long: `python -m pytest -m long` runs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "dev")
NIGHTLY: Final = PROFILE == "nightly"

all_drawn = True  # every picture; else those of one cell, as where long tests are left out

Item = TypeVar("Item")


def by_day(items: Iterable[Item], every: int, start: int = 0) -> list[Item]:
    """All by night; by day one in so many, the same each day."""
    return [*items] if NIGHTLY else [*items][start::every]


night_alone = pytest.mark.skipif(not NIGHTLY, reason="takes long: by night")


def mark_long_cases(items: Iterable[pytest.Item]) -> None:
    """Marks as long the cases of a test beside those that its `by_default` names.

    Where none of those was collected, because another was asked for or they have new names, all
    stay as they are: no case is left out without one that stands for it.
    """
    of_test: dict[tuple[Path, str], list[Any]] = {}
    for item in items:
        if item.get_closest_marker("by_default") is not None:
            of_test.setdefault((item.path, item.originalname), []).append(item)
    for cases in of_test.values():
        if any(map(is_by_default, cases)):
            for case in cases:
                if not is_by_default(case):
                    case.add_marker("long")


def is_by_default(case: Any) -> bool:
    """Whether one of the names of `by_default` is the case's, or a whole part of it."""
    names = case.get_closest_marker("by_default").args
    return any(f"-{name}-" in f"-{case.callspec.id}-" for name in names)
