"""Contenders in processes of their own, each of which works when it is asked and waits else.

In: a `Task`. Out: contenders as `contenders.py` has them, called through a pipe. Threads of one
library that wait busily for more work do not take the cores of another then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final

from contenders import FAMILIES, families
from tasks import Arrays, Run, Task, copied, seconds_of

REST: Final = 0.15  # seconds: OpenBLAS's threads wait busily for 0.1 s after a product
WARM: Final = 0.1  # seconds of calls that are not counted: threads that slept start on one core


@dataclass(frozen=True)
class Apart:
    """A contender in another process."""

    pipe: Connection
    name: str

    def asked(self, *words: Any) -> Any:
        """The answer to a question."""
        self.pipe.send((self.name, *words))
        return self.pipe.recv()

    def __call__(self) -> Arrays | None:
        """Run it once: its gradients, copied here."""
        found: Arrays | None = self.asked()
        return found

    def seconds(self, count: int, clock: str) -> float:
        """The seconds of a call, of so many made there.

        Before them the others' threads fall asleep, and calls that are not counted find the cores.
        """
        time.sleep(REST)
        self.asked(int(WARM / max(float(self.asked(1, clock)), 1e-9)) + 1, clock)
        return float(self.asked(count, clock))


@contextmanager
def contenders_apart(
    task: Task, target: str = "numpy", torch_compile: bool = False
) -> Iterator[dict[str, Run | None]]:
    """Who runs, each family in a process of its own; None for what is not installed."""
    context, processes = get_context("spawn"), []
    runs: dict[str, Run | None] = {}
    try:
        for family in families(torch_compile):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, family, task, target))
            process.start()
            there.close()
            processes.append((process, here))
        for _, pipe in processes:
            runs |= {
                name: Apart(pipe, name) if is_there else None for name, is_there in pipe.recv()
            }
        yield runs
    finally:
        for process, pipe in processes:
            pipe.close()
            process.join(10)
            process.kill()


def _serve(pipe: Connection, family: str, task: Task, target: str) -> None:
    """A family's process: tell who is there, then answer until nobody asks any more."""
    runs = FAMILIES[family](task, target)
    pipe.send([(name, run is not None) for name, run in runs.items()])
    while True:
        try:
            name, *words = pipe.recv()
        except EOFError:
            return
        run = runs[name]
        assert run is not None
        pipe.send(seconds_of(run, *words) if words else copied(run()))
