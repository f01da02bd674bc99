"""Whether a path is a device, a pipe or the like, which no file may replace."""

from __future__ import annotations

import stat
from pathlib import Path


def special(path: Path) -> bool:
    """Whether there is something at the path that is no file and no folder: a device, a pipe."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))
