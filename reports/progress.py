"""What is going on, on standard error, while it goes on: only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done now; it says nothing if quiet or unseen."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True).status("", spinner="line") as status:
        yield lambda text: status.update(escape(text))
