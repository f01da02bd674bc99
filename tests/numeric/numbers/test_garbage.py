"""How rarely a command looks for garbage."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from numeric.numbers.garbage import collect_rarely, kept
from reports.cli import main

OFTEN = (700, 10, 10)


@pytest.fixture
def often() -> Iterator[None]:
    """Python's own habit; the tests have the command's."""
    before = gc.get_threshold()
    gc.set_threshold(*OFTEN)
    yield
    gc.set_threshold(*before)


@pytest.mark.long
@pytest.mark.usefixtures("often")
def test_a_command_and_its_workers_look_for_garbage_rarely() -> None:
    collect_rarely()
    rarely = gc.get_threshold()
    assert rarely[0] > 10 * OFTEN[0]
    asked = (
        "import gc, sys, reports.cli\n"
        "from numeric.engine import Engine\n"
        "sys.argv = ['bptt', '--version']\n"
        "if __name__ == '__main__':\n"
        "    reports.cli.main()\n"
        "    with Engine(1) as engine:\n"
        "        (found,) = engine.results(eval, ['__import__(\"gc\").get_threshold()'])\n"
        "    print(gc.get_threshold() == found, found[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"True {rarely[0]}"


@pytest.mark.usefixtures("often")
def test_a_caller_of_the_command_in_its_own_process_keeps_its_habit() -> None:
    assert main(["--version"]) == 0
    assert gc.get_threshold() == OFTEN


def test_while_modules_are_loaded_nothing_is_looked_for_and_later_not_in_them() -> None:
    before = gc.get_freeze_count()
    try:
        assert kept(gc.isenabled) is False
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_a_command_of_its_own_keeps_its_modules_and_a_caller_does_not() -> None:
    asked = (
        "import gc, sys, reports.cli\n"
        "reports.cli.main(['list', '-q'])\n"
        "called = gc.get_freeze_count()\n"
        "sys.argv = ['bptt', 'list', '-q']\n"
        "reports.cli.main()\n"
        "print(called, gc.get_freeze_count() > 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 True"
