"""How rarely a command looks for garbage; threads: what the user says comes before ours."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from numeric.numbers.this_process import collect_rarely, kept, one_thread
from reports.cli import main

OFTEN = (700, 10, 10)
NAMES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


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


@pytest.fixture
def nothing_said(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "3")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("nothing_said")
def test_what_the_user_has_set_stands(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    one_thread()
    assert [os.environ.get(name) for name in NAMES] == ["4", "1", None]
    one_thread(loops=True)
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.usefixtures("nothing_said")
@pytest.mark.parametrize(
    ("words", "threads"),
    [(["list"], "1"), (["bounds", "rnn", "--size", "512", "--window", "x"], None),
     (["bounds", "rnn", "--size", "511", "--window", "x"], "1"),
     (["bounds", "rnn", "--weights", "none.npz"], "1"),
     (["bounds", "rnn", "--weights", "small.npz"], "1"),
     (["bounds", "rnn", "--weights", "large.npz"], None)],
)  # fmt: skip
def test_commands_that_may_have_large_matrices_keep_their_threads(
    words, threads, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name, size in (("small", 1000), ("large", 4_000_000)):
        (tmp_path / f"{name}.npz").write_bytes(bytes(size))
    main(words)
    capsys.readouterr()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == threads
