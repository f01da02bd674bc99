"""A limit of computing time around a block, in whatever thread it runs.

In: seconds. Out: a context in which TimeoutError is raised once so many seconds have been computed.
A process of our own is told by a signal. A worker of a cluster runs tasks beside its main thread,
where no signal arrives: another thread watches that one's clock and raises the error in it. Either
error may be lost, where Python calls back and passes over what is raised there: it comes again.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_LOOK: Final = 0.1


class LateError(TimeoutError):
    """What is raised in a thread that has computed too long."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block once so many seconds of computing have passed."""
    main = threading.current_thread() is threading.main_thread()
    with (_signalled if main else _watched)(seconds):
        yield


def _late(seconds: float) -> str:
    return f"more than {seconds:g} s of computing"


@contextmanager
def _signalled(seconds: float) -> Iterator[None]:
    over = False

    def late(*_: Any) -> None:
        if not over:
            raise TimeoutError(_late(seconds))

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _LOOK)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def _watched(seconds: float) -> Iterator[None]:
    """The error is raised bare in the thread, and given its words when it leaves the block.

    Raises:
        LateError: within the block.
        TimeoutError: if the block has computed that long.
    """
    thread = threading.get_ident()
    clock = _clock_of(thread)
    limit = clock() + seconds
    done, lock, fired = threading.Event(), threading.Lock(), []

    def watch() -> None:
        while not done.wait(_LOOK):
            if clock() < limit:
                continue
            with lock:
                if not done.is_set():
                    fired.append(True)
                    _raise_in(thread, LateError)

    threading.Thread(target=watch, daemon=True).start()
    arrived = False
    try:
        try:
            yield
        except LateError:
            arrived = True
            raise
        finally:
            with lock:  # from here on nothing is raised any more
                done.set()
            if len(fired) > arrived:
                # On its way: it arrives at the next instructions, or was caught in the block. Taken
                # back it may not be: CPython 3.11 then asks for it at every instruction, for ever.
                for _ in range(1000):
                    pass
    except LateError:
        raise TimeoutError(_late(seconds)) from None
    finally:
        done.set()


def _clock_of(thread: int) -> Callable[[], float]:
    """The thread's processor time; where the system does not tell it, the time of day."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    known = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(known)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise the error in that thread at its next instruction."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
