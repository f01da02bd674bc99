"""The flags that say where many items are worked on; one home for commands and benchmarks.

In: a parser. Out: the flags, which `numeric.engine.Engine` takes as they are.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Final

_MOST: Final = 256


def add_engine_flags(parser: ArgumentParser, workers: int = 0) -> None:
    """`--workers` and `--scheduler`."""
    parser.add_argument(
        "--workers", type=_processes, default=workers, metavar="N",
        help=f"processes, 0: this one alone ({workers})",
    )  # fmt: skip
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a dask cluster instead")


def _processes(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _MOST:
        return int(text)
    raise ArgumentTypeError(f"expected a whole number from 0 to {_MOST}, came {text!r}")
