"""Which tests run: by day a few examples, the same each time; by night all, and new ones."""

from __future__ import annotations

import os
from typing import Final

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "dev")
NIGHTLY: Final = PROFILE == "nightly"
