"""The flags that ask for code in segments of time, and what they mean; one home for commands.

In: a parser, or parsed arguments. Out: the flags, or the settings of `compile_cell`.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from reports.terminal.console import CommandError

if TYPE_CHECKING:
    from derive.network import Network


def add_segment_flags(parser: ArgumentParser) -> None:
    """`--checkpoint`, `--truncate` and `--parallel`."""
    parser.add_argument(
        "--checkpoint", nargs="?", const=0, type=_steps, metavar="k",
        help="keep states every k steps and compute the rest again (the root of T)",
    )  # fmt: skip
    parser.add_argument(
        "--truncate", type=_steps, metavar="K",
        help="gradients that go back over no multiple of K steps",
    )  # fmt: skip
    parser.add_argument(
        "--parallel", action="store_true", default=None,
        help="all steps at once, by Newton's method and a scan (targets numpy and jax)",
    )  # fmt: skip


def segments_asked(arguments: Namespace, network: Network | None = None) -> dict[str, int]:
    """The settings of `compile_cell` that were given.

    Raises:
        CommandError: if they come with a network.
    """
    found = {
        name: value
        for name in ("checkpoint", "truncate", "parallel")
        if (value := getattr(arguments, name, None)) is not None
    }
    if found and network is not None:
        raise CommandError(
            f"bptt {arguments.command}: --{next(iter(found))} goes with a cell, not with layers "
            "of it; leave one of them out"
        )
    return found


def segment_words(arguments: Namespace) -> list[str]:
    """The flags that were given, as words of the command line."""
    words: list[str] = []
    for name, value in segments_asked(arguments).items():
        words += [f"--{name}", *([str(value)] if value and value is not True else [])]
    return words


def _steps(text: str) -> int:
    """A number of steps.

    Raises:
        ArgumentTypeError: if it is no whole number from 1 up.
    """
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number of steps from 1 up, came {text!r}")
    return int(text)
