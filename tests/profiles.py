"""Which tests run: by day a few examples, the same each time; by night all, and new ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, TypeVar

import pytest

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "dev")
NIGHTLY: Final = PROFILE == "nightly"

Item = TypeVar("Item")


def by_day(items: Iterable[Item], every: int, start: int = 0) -> list[Item]:
    """All by night; by day one in so many, the same each day."""
    return [*items] if NIGHTLY else [*items][start::every]


night_alone = pytest.mark.skipif(not NIGHTLY, reason="takes long: by night")
