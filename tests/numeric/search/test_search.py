"""A small search: the same table whatever the workers, and after any interruption."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from profiles import night_alone

from numeric.engine import Engine
from numeric.search import search as searching
from numeric.search.candidate import Budget, Candidate, judge
from numeric.search.found import BEST, found_cell, is_search, records_of
from numeric.search.search import Plan, Work, drawn_from, given, ranked, search
from numeric.search.store import Store
from numeric.search.tasks.known import TASKS
from numeric.search.training import BATCH, _sequences

PLAN = Plan(given("rnn", "mgu"), (("adding", 6), ("parity", 4)), 4, 3, Budget(4, 4))


def table(folder: Path):
    """All records but for the time they took."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records_of(folder)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    with Engine() as engine:
        search(PLAN, folder, engine)
    return folder


def test_all_settings_are_shown_the_sequences_of_the_seed() -> None:
    task, rng = TASKS["xml"](8), np.random.default_rng([5, 2])
    kept = _sequences(task, 5)
    assert kept is _sequences(TASKS["xml"](8), 5)
    drawn = [task.draw(BATCH, rng) for _ in range(3)]
    for number in (2, 0, 1):
        for ours, theirs in zip(kept.batch(number), drawn[number], strict=True):
            assert np.array_equal(ours, theirs)
    for ours, theirs in zip(kept.held_out, task.draw(128, np.random.default_rng([5, 1])),
                            strict=True):  # fmt: skip
        assert np.array_equal(ours, theirs)


def test_every_candidate_is_proved_bounded_and_trained(found: Path) -> None:
    records = records_of(found)
    assert len(records) == 4
    assert len({record["digest"] for record in records}) == 4
    for record in records:
        assert record["verdict"] == "right"
        assert record["problem"] is None
        assert record["error_probability"] < 1e-6
        assert {"certified", "measured"} <= {*record["growth"]["start"]}
        assert record["tasks"][0]["task"] == "adding"
        first = record["tasks"][0]
        assert (len(record["tasks"]) == 2) == first["learnt"]
    assert [r["name"] for r in records[:2]] == ["rnn", "mgu"]
    assert all(r["parent"] and r["mutation"] for r in records[2:])


@night_alone
def test_two_workers_find_the_same(found: Path, tmp_path: Path) -> None:
    with Engine(workers=2) as engine:
        search(PLAN, tmp_path, engine)
    assert table(tmp_path) == table(found)


@pytest.mark.long
def test_an_interrupted_search_goes_on_to_the_same_table(found: Path, tmp_path: Path) -> None:
    """Killed while the second chunk was being judged, with a torn file of it left behind."""
    calls = []

    def dying(candidate: Candidate):
        calls.append(candidate.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return judge(candidate)

    with Engine() as engine, pytest.raises(KeyboardInterrupt):
        search(PLAN, tmp_path, engine, work=Work(judge=dying))
    assert len(records_of(tmp_path)) == 2
    (tmp_path / "chunk-000001-0123456789abcdef.json").write_text("{torn")
    with Engine() as engine:
        search(PLAN, tmp_path, engine)
    assert table(tmp_path) == table(found)


@pytest.mark.long
def test_chunks_under_way_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are drawn before those before them are judged, and again after an interruption."""
    plan = Plan(given("rnn"), (("parity", 4),), 13, 0, Budget(4, 2))
    judged = []

    def judging(candidate: Candidate):
        if len(judged) == 9:
            judged.append("")
            raise KeyboardInterrupt
        judged.append(candidate.name)
        score = int(candidate.digest, 16) % 97
        return {**vars(candidate), "budget": None, "verdict": "right", "learnt": 0, "score": score}

    monkeypatch.setattr(searching, "CHUNK", 1)
    monkeypatch.setattr(searching, "AT_ONCE", 1)
    work = Work(judge=judging)
    with Engine() as engine:
        with pytest.raises(KeyboardInterrupt):
            search(plan, tmp_path / "a", engine, work=work)
        search(plan, tmp_path / "a", engine, work=work)
        search(plan, tmp_path / "b", engine, work=work)
    assert len(table(tmp_path / "b")) == 13
    assert table(tmp_path / "a") == table(tmp_path / "b")
    records = table(tmp_path / "b")
    pools = {r["name"]: ranked(records[: drawn_from(k)]) for k, r in enumerate(records)}
    assert all(r["parent"] in {p["name"] for p in pools[r["name"]]} for r in records[1:])
    assert [drawn_from(k) for k in (0, 1, 2, 3, 4, 20, 500)] == [0, 1, 1, 1, 2, 16, 400]


def test_more_may_be_asked_for_later_but_nothing_else(found: Path, tmp_path: Path) -> None:
    with Engine() as engine:
        search(Plan(given("rnn"), (("parity", 4),), 1, 0, Budget(4, 2)), tmp_path, engine)
        with pytest.raises(ValueError, match="another search was begun here: seed"):
            search(Plan(given("rnn"), (("parity", 4),), 1, 1, Budget(4, 2)), tmp_path, engine)
        longer = search(Plan(given("rnn"), (("parity", 4),), 3, 0, Budget(4, 2)), tmp_path, engine)
    assert len(longer) == 3


def test_the_best_is_a_cell(found: Path) -> None:
    assert is_search(found)
    assert not is_search(found.parent)
    best = ranked(records_of(found))[0]
    cell = found_cell(found, BEST)
    assert cell.name == best["name"]
    assert cell.text == best["equations"]
    with pytest.raises(KeyError):
        found_cell(found, "nobody")


def test_ranking_puts_what_was_learnt_first() -> None:
    def made(name, learnt, score, verdict="right"):
        return {"name": name, "learnt": learnt, "score": score, "verdict": verdict}

    records = [made("a", 0, 0.9), made("b", 1, 0.2), made("c", 1, 0.3), made("d", 9, 9, "wrong: x")]
    assert [r["name"] for r in ranked(records)] == ["c", "b", "a"]


def test_a_file_that_was_changed_is_not_believed(found: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(0, [{"name": "a"}])
    (path,) = tmp_path.glob("chunk-*.json")
    assert [*store.chunks()] == [[{"name": "a"}]]
    held = json.loads(path.read_text())
    held["records"][0]["name"] = "b"
    path.write_text(json.dumps(held))
    assert [*store.chunks()] == []


def test_a_wrong_gradient_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = next(searching._given(PLAN))
    found = judge(candidate)
    assert found["verdict"] == "right"
    kernel = judge.__globals__["compile_cell"]

    class Wrong:
        """The kernel with one gradient doubled."""

        def __init__(self, *given):
            self.kernel = kernel(*given)

        def forward(self, *given):
            return self.kernel.forward(*given)

        def backward(self, *given):
            made = self.kernel.backward(*given)
            made["params"]["W"] = made["params"]["W"] + made["params"]["W"]
            return made

        def __getattr__(self, name):
            return getattr(self.kernel, name)

    monkeypatch.setitem(judge.__globals__, "compile_cell", Wrong)
    assert judge(candidate)["verdict"].startswith("wrong")


def test_a_longer_lag_is_tried_with_the_settings_that_learnt_the_shorter() -> None:
    plan = Plan(given("gru"), (("adding", 6), ("adding", 7)), 1, 3, Budget(12, 120))
    short, long = judge(next(searching._given(plan)))["tasks"]
    assert short["learnt"]
    assert long["settings"] == short["settings"]
    assert long["updates"] == long["curve"][-1][0] < short["updates"]


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = next(searching._given(PLAN))
    slow = Candidate(**{**vars(candidate), "budget": Budget(6, 10**9, 0.5)})
    found = judge(slow)
    assert found["problem"] == "TimeoutError: more than 0.5 s of computing"


@night_alone
def test_a_cluster_of_two_processes_finds_the_same_though_one_is_killed(
    found: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        killed = []

        def kill_who_works() -> None:
            """The first process seen at work."""
            while not killed:
                for nanny in cluster.workers.values():
                    state = cluster.scheduler.workers.get(nanny.worker_address)
                    if state is not None and state.processing and not killed:
                        os.kill(nanny.pid, signal.SIGKILL)
                        killed.append(nanny.pid)
                time.sleep(0.01)

        killer = threading.Thread(target=kill_who_works, daemon=True)
        with Engine(scheduler=cluster.scheduler_address) as engine:
            killer.start()
            search(PLAN, tmp_path, engine)
    assert killed
    assert table(tmp_path) == table(found)
