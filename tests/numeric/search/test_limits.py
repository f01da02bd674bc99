"""A block that computes too long is ended, in the main thread and beside it; others are not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from numeric.search.limits import within


def computes() -> None:
    while True:
        sum(range(1000))


def here(task: Callable[[], None]) -> None:
    task()


def beside(task: Callable[[], None]) -> None:
    """In another thread, as a worker of a cluster runs it; its error is raised here."""
    problems = []

    def run() -> None:
        try:
            task()
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]


@pytest.mark.parametrize("where", [here, beside])
def test_what_computes_too_long_is_ended(where: Callable[[Callable[[], None]], None]) -> None:
    def limited() -> None:
        with within(0.05):
            computes()

    with pytest.raises(TimeoutError, match=r"more than 0\.05 s of computing"):
        where(limited)


@pytest.mark.parametrize("where", [here, beside])
def test_an_error_that_is_lost_comes_again(where: Callable[[Callable[[], None]], None]) -> None:
    lost = []

    def limited() -> None:
        with within(0.05):
            try:
                computes()
            except TimeoutError as problem:
                lost.append(problem)
            computes()

    with pytest.raises(TimeoutError, match=r"more than 0\.05 s of computing"):
        where(limited)
    assert lost


@pytest.mark.parametrize("where", [here, beside])
def test_what_ends_in_time_or_only_waits_is_let_be(
    where: Callable[[Callable[[], None]], None],
) -> None:
    def quick() -> None:
        with within(0.05):
            time.sleep(0.15)
        sum(range(1000))

    where(quick)


@pytest.mark.parametrize("where", [here, beside])
def test_other_errors_are_handed_on(where: Callable[[Callable[[], None]], None]) -> None:
    def fails() -> None:
        with within(5):
            raise TimeoutError("of the block itself")

    with pytest.raises(TimeoutError, match="of the block itself"):
        where(fails)


AFTERWARDS = """
import sys, threading
from numeric.search.limits import within

def limited():
    try:
        with within(0.05):
            while True:
                sum(range(1000))
    except TimeoutError:
        pass

thread = threading.Thread(target=limited)
thread.start()
thread.join()
sys.settrace(lambda *_: None)
print(sum(range(10)))
"""


def test_a_traced_process_goes_on_afterwards() -> None:
    """As one under a debugger, or under Hypothesis, which traces what it tries again."""
    said = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert said.stdout == "45\n"
