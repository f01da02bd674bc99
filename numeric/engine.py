"""Where many items are worked on: this process, processes of this machine, or a dask cluster.

In: a function of one item and items, plain data. Out: their results in the order of the items. A
worker that dies or a call that raises costs its own item: it is tried once more, then given up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any, Final, Generic, TypeVar

from numeric.compiler.target import MissingError
from numeric.numbers.this_process import collect_rarely, one_thread

try:
    import resource
except ImportError:  # no POSIX system
    resource = None  # type: ignore[assignment]

Item = TypeVar("Item")
Result = TypeVar("Result")
# An item has a limit of computing of its own. By the clock only what waits for ever is given up:
# on a machine that others use, a second of computing may take a minute.
_PATIENCE: Final = 100
_MEMORY: Final = 4 << 30  # bytes that a process of ours may ask for
_Handed = tuple[Executor, Future[Any]]


@dataclass(frozen=True)
class GivenUp:
    """What became of an item that has no result; `problem` is what was raised, if anything was."""

    why: str
    problem: Exception | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Batch(Generic[Result]):
    """Results to come, in the order of the items, and what they wait for."""

    results: Iterator[Result | GivenUp]
    handed: Sequence[_Handed] = ()

    def __iter__(self) -> Iterator[Result | GivenUp]:
        """The results, each waited for; in this process, computed now."""
        return self.results

    @property
    def waits_for(self) -> list[Future[Any]]:
        """What is not done yet; in this process nothing is."""
        return [future for _, future in self.handed if not future.done()]


class Engine:
    """Runs functions on items; `workers` of 0 means in this process."""

    def __init__(
        self, workers: int = 0, scheduler: str | None = None, seconds: float | None = None
    ) -> None:
        self.workers, self.scheduler, self.seconds = workers, scheduler, seconds
        self._executor: Executor | None = None
        self._client: Any = None

    def __enter__(self) -> Engine:
        """Connect to the cluster, where one is named.

        Raises:
            MissingError: if dask is not installed.
        """
        one_thread(loops=True)
        if self.scheduler is not None:
            try:  # only here: it takes longer to import than a report's figures to draw
                distributed = import_module("distributed")
            except ImportError:
                hint = "--scheduler needs dask: pip install 'bptt-toolkit[cluster]'"
                raise MissingError(hint) from None
            self._client = distributed.Client(self.scheduler)
        elif self.workers and _can_be_copied():  # now: soon a thread may draw how far the work is
            self._pool().submit(int)
        return self

    def __exit__(self, *problem: object) -> None:
        """Let the workers go."""
        if self._client is not None:
            self._client.close()
        elif self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def results(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Batch[Result]:
        """The results in the order of the items; workers begin at once, this process when asked."""
        if not self.workers and self._client is None:
            return Batch(map(function, items))
        handed = [self._submitted(function, item) for item in items]
        results = (self._result(function, item, handed, place, items)
                   for place, item in enumerate(items))  # fmt: skip
        return Batch(results, handed)

    def completed(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | GivenUp]]:
        """Each item with its result, whichever is ready first.

        Raises:
            ConnectionError: if the cluster's scheduler is gone.
        """
        if not self.workers and self._client is None:
            yield from ((item, function(item)) for item in items)
            return
        batches = {place: self.results(function, [item]) for place, item in enumerate(items)}
        try:
            while batches:
                came = self.await_one(*batches.values())
                ready = [k for k, batch in batches.items() if not (came and batch.waits_for)]
                for place in ready:
                    yield items[place], next(iter(batches.pop(place)))
        finally:
            for batch in batches.values():
                for future in batch.waits_for:
                    future.cancel()

    @property
    def _limit(self) -> float | None:
        """How long a result is waited for."""
        return None if self.seconds is None else self.seconds * _PATIENCE

    def await_one(self, *batches: Batch[Any]) -> bool:
        """Wait until one result more is there; whether it came in the time that one has."""
        open_ = [future for batch in batches for future in batch.waits_for]
        return bool(wait(open_, timeout=self._limit, return_when=FIRST_COMPLETED).done)

    def _pool(self) -> Executor:
        if self._executor is None:
            self._executor = (
                self._client.get_executor(pure=False) if self._client is not None
                else _processes(self.workers)
            )  # fmt: skip
        return self._executor

    def _submitted(self, function: Callable[[Item], Result], item: Item) -> _Handed:
        """The item, handed to the pool that there is; a broken one is replaced."""
        pool = self._pool()
        try:
            return pool, pool.submit(function, item)
        except BrokenProcessPool:
            self._drop(pool)
            pool = self._pool()
            return pool, pool.submit(function, item)

    def _drop(self, pool: Executor) -> None:
        """Forget a broken pool, unless another has taken its place."""
        if self._executor is pool:
            self._executor = None

    def _result(
        self, function: Callable[[Item], Result], item: Item, handed: list[_Handed],
        place: int, items: Sequence[Item],
    ) -> Result | GivenUp:  # fmt: skip
        """One result; a pool that died is made anew, and what it had not done is handed out again.

        Whoever was at work when a process died is tried by itself, so that the one that kills it
        costs itself alone.

        Raises:
            ConnectionError: if the cluster's scheduler is gone; then nothing is known of the item.
        """
        limit = self._limit
        pool, future = handed[place]
        try:
            result: Result = future.result(timeout=limit)
            return result
        except BrokenProcessPool:
            self._drop(pool)
            with _processes(1) as alone:
                try:
                    found: Result | GivenUp = alone.submit(function, item).result(timeout=limit)
                except Exception as problem:
                    found = GivenUp(_said(problem), problem)
            for later in range(place + 1, len(items)):
                before, waiting = handed[later]
                if before is not pool or (waiting.done() and waiting.exception() is None):
                    continue
                handed[later] = self._submitted(function, items[later])
            return found
        except Exception as problem:
            if self._client is not None and self._client.status != "running":
                raise ConnectionError(f"{self.scheduler}: the scheduler is gone") from None
            return GivenUp(_said(problem), problem)


def _processes(count: int) -> ProcessPoolExecutor:
    """Processes of this machine; one that asks for too much memory is told so.

    Copies of this one where that is safe: they need not load again what is loaded here, for which
    each would take as long as for a cell.
    """
    how = get_context("fork" if _can_be_copied() else "spawn")
    return ProcessPoolExecutor(count, how, initializer=_begun)


def _can_be_copied() -> bool:
    """Whether this process has one thread alone: no other can hold a lock while it is copied."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:  # no Linux
        return False


def _begun() -> None:
    """A process ends with the one that started it, however that one ends."""
    collect_rarely()
    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = _MEMORY if most == resource.RLIM_INFINITY else min(most, _MEMORY)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}".split("\n", 1)[0][:200]
