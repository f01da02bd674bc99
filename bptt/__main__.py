"""The command: `python -m bptt`, and the console script `bptt`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from bptt.shadows import PACKAGES, ShadowedError, require


def main(words: Sequence[str] | None = None) -> int:
    """The command's exit status; 2, with the reason in a line, where a package hides ours."""
    try:
        require(*PACKAGES)
    except ShadowedError as problem:
        sys.stderr.write(f"bptt: {problem}\n")
        return 2
    run: Callable[[Sequence[str] | None], int] = import_module("reports.cli").main
    return run(words)


if __name__ == "__main__":
    sys.exit(main())
