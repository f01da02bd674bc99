"""Many items on an engine: results in order or as they come, and what dies costs itself alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from profiles import night_alone

from numeric.compiler.target import MissingError
from numeric.engine import Engine, GivenUp


def dies(place: int) -> int:
    """The third kills its process."""
    if place == 2:
        os._exit(1)
    return place


def raises(place: int) -> int:
    return 1 // place


def much(count: int) -> int:
    return len(bytearray(count << 30))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One worker for these tests: what one gives up, the next ones do not feel."""
    with Engine(workers=1) as engine:
        yield engine


def test_a_process_that_asks_for_too_much_memory_is_told_so(engine: Engine) -> None:
    few, many = engine.results(much, [1, 8])
    assert few == 1 << 30
    assert isinstance(many, GivenUp)
    assert many.why.startswith("MemoryError")


@night_alone
def test_a_worker_that_dies_costs_its_own_candidate() -> None:
    with Engine(workers=2) as engine:
        results = [*engine.results(dies, [0, 1, 2, 3, 4])]
    assert [r for r in results if not isinstance(r, GivenUp)] == [0, 1, 3, 4]
    assert isinstance(results[2], GivenUp)


def test_a_call_that_raises_costs_its_own_candidate(engine: Engine) -> None:
    results = [*engine.results(raises, [1, 0, 1])]
    assert results[0] == results[2] == 1
    assert results[1] == GivenUp("ZeroDivisionError: integer division or modulo by zero")


def test_a_cluster_needs_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingError, match=r"bptt-toolkit\[cluster\]"),
        Engine(scheduler="tcp://x:1"),
    ):
        pass


@pytest.mark.long
def test_a_command_without_a_cluster_does_not_import_dask() -> None:
    asked = "import sys, reports.commands.report; print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_results_come_as_they_are_ready(engine: Engine) -> None:
    found = dict(engine.completed(raises, [1, 0, 2]))
    assert (found[1], found[2]) == (1, 0)
    assert isinstance(found[0], GivenUp)
    assert isinstance(found[0].problem, ZeroDivisionError)


def test_in_this_process_what_is_raised_is_raised() -> None:
    with Engine() as engine:
        found = engine.completed(raises, [1, 0])
        assert next(found) == (1, 1)
        with pytest.raises(ZeroDivisionError):
            next(found)


COPIED = """
import sys, threading
from numeric.engine import Engine
def known(place):
    return getattr(sys, "set_by_the_parent", None)
if __name__ == "__main__":
    sys.set_by_the_parent = True
    with Engine(workers=1) as engine:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        copied = [*engine.results(known, [0])]
    with Engine(workers=1) as engine:
        print(*copied, *engine.results(known, [0]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are not copied")
def test_workers_are_copies_of_a_process_with_one_thread(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(COPIED)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "None"]


PARENT = """
import os, sys, time
from numeric.engine import Engine
if __name__ == "__main__":
    with Engine(workers=1) as engine:
        print(*engine.results(os.getpgid, [0]), *engine._executor._processes, flush=True)
        [*engine.results(time.sleep, [600])]
"""


@night_alone
def test_workers_end_with_who_started_them(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as run:
        worker = int(run.stdout.readline().split()[-1])
        os.kill(worker, 0)
        run.kill()
    for _ in range(100):
        time.sleep(0.1)
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
    pytest.fail(f"process {worker} goes on")
