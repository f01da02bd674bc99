"""What is going on, on standard error, while it goes on: only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done now; it says nothing if quiet or unseen."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True).status("", spinner="line") as status:
        yield lambda text: status.update(escape(text))


@contextmanager
def progress_bar(quiet: bool, what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A function that is told what was finished, how many are, and of how many."""
    if quiet or not sys.stderr.isatty():
        yield lambda name, done, whole: None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[name]}", style="dim"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, name="")

        def tell(name: str, done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole, name=escape(name))

        yield tell
