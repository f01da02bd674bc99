"""The command `bptt`: arguments in, one answer and one exit status out.

In: the command line. Out: an answer on standard output, or a refusal of one or two lines. The
command's own module is imported when it is called: `--help`, `--version` and `list` need
neither SymPy nor NumPy.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Final, NoReturn

from derive.language.syntax import CellError
from numeric.numbers.this_process import collect_rarely, kept, one_thread
from reports.arguments.command_list import COMMANDS
from reports.terminal.console import (
    DISTRIBUTION,
    FAULT,
    GOOD,
    REFUSED,
    CommandError,
    as_json,
    toolkit_version,
)
from reports.terminal.plain_signs import shown_in

_NOWHERE: Final = os.path.join(os.devnull, "none")  # so that no cache is left in the user's folder
# from here on two threads take less time than one (a fifth less at 512 units); below they take as
# much, and four times as much beside other work
_UNITS, _BYTES = 512, 4_000_000  # of the state, or of a file of weights
_TOP: Final = """\
Derives the gradients of recurrent cells through time, emits them as NumPy code, verifies that
code, and writes reports.

CELL is a name that `bptt list` shows; the path of a cell file (FILE.toml, or FILE.toml:NAME if
it holds several), which is plain data: nothing in it is executed; or package.module:NAME, a
Python object, whose module is imported."""
_EXITS: Final = """\
exit status: 0 good; 1 a wrong gradient, a stale file or cells that differ; 2 usage, cell file,
I/O or a missing engine; 3 inconclusive; 4 partial: what could be judged is right; 101 a fault of
this program (BPTT_DEBUG=1 shows its traceback)"""


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse.

        Raises:
            CommandError: always.
        """
        raise CommandError(f"{self.prog}: {message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    raw = argparse.RawDescriptionHelpFormatter
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object instead of text")
    common.add_argument("-q", "--quiet", action="store_true", help="say only what was asked for")
    top = Parser("bptt", description=_TOP, epilog=_EXITS, formatter_class=raw)
    top.add_argument("--version", action="version", version=f"{DISTRIBUTION} {toolkit_version()}")
    top.set_defaults(parser=parser)  # what completes words asks it
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        made = commands.add_parser(
            command.name,
            help=command.short,
            description=command.full,
            epilog=f"example: {command.example}",
            formatter_class=raw,
            parents=[common],
        )
        made.set_defaults(refuse=made.error)
        for add in command.arguments:
            add(made)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """The command: its exit status."""
    own = words is None  # the process is the command's
    if words is None:
        words = sys.argv[1:]
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", _NOWHERE)
        collect_rarely()
    try:
        return _main(words, own)
    except BrokenPipeError:  # who reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("bptt: interrupted\n")
        return REFUSED


def _main(words: Sequence[str], own: bool) -> int:
    try:
        arguments, unknown = parser().parse_known_args(words)
        if unknown:  # the command's own parser knows which options it has
            arguments.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit:  # --help and --version have printed what they print
        return GOOD
    except CommandError as problem:
        return _refuse(words, str(problem), REFUSED)
    command = next(c for c in COMMANDS if c.name == arguments.command)
    if not _large(arguments):
        one_thread()
    try:
        load = partial(import_module, command.home)
        found = (kept(load) if own else load()).run(arguments)
    except (CommandError, CellError) as problem:
        return _refuse(words, str(problem), REFUSED)
    except Exception as problem:
        if os.environ.get("BPTT_DEBUG"):
            traceback.print_exc()
        what = f"{type(problem).__name__}: {problem}".split("\n", 1)[0]
        hint = "set BPTT_DEBUG=1 for the traceback"
        return _refuse(words, f"bptt: a fault of this program: {what}; {hint}", FAULT)
    if arguments.json:
        _say(as_json(command.name, found.status, found.data))
    else:
        said = (found.text, "" if arguments.quiet else found.notes)
        _say("\n".join(part.rstrip("\n") for part in said if part))
    return int(found.exit_status)


def _large(arguments: argparse.Namespace) -> bool:
    """Whether matrices may come that more threads are good for."""
    if (getattr(arguments, "size", None) or 0) >= _UNITS:
        return True
    weights = getattr(arguments, "weights", None)
    try:
        return weights is not None and os.path.getsize(weights) >= _BYTES
    except OSError:  # whoever reads it says so
        return False


def _refuse(words: Sequence[str], message: str, status: int) -> int:
    """The message on standard error; with --json, an object that holds it as well."""
    lines = "\n".join(message.split("\n")[:2])
    sys.stderr.write(shown_in(lines, getattr(sys.stderr, "encoding", None) or "utf-8") + "\n")
    if "--json" in words:
        names = {command.name for command in COMMANDS}
        name = next((word for word in words if word in names), "bptt")
        _say(as_json(name, "error", {"error": lines, "exit_status": status}))
    return status


def _say(text: str) -> None:
    """The text on standard output, in whatever characters it can show."""
    if text:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        sys.stdout.write(shown_in(text, encoding) + "\n")
        sys.stdout.flush()
