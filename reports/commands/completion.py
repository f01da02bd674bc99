"""`bptt completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

from argparse import Namespace

from derive.cells import tables
from reports.terminal.completion import script
from reports.terminal.console import Answer


def run(arguments: Namespace) -> Answer:
    """The script of a shell."""
    text = script(arguments.shell, arguments.parser(), tables())
    return Answer(text=text, data={"shell": arguments.shell, "script": text})
