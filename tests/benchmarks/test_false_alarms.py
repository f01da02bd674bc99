"""The false-alarm benchmark: it counts, goes on where it was, and fails where it has to."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import module_at


@pytest.fixture
def false_alarms(monkeypatch: pytest.MonkeyPatch):
    return module_at("benchmarks/false_alarms.py", monkeypatch)


def test_it_goes_on_where_it_was_and_fails_for_a_right_one_refused(
    false_alarms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    asked: list[str] = []

    def status(item) -> str:
        asked.append(item.key)
        return "fail" if item.kind == false_alarms.WRONG or item.key in refused else "pass"

    refused: set[str] = set()
    monkeypatch.setattr(false_alarms, "status", status)
    out = tmp_path / "out.jsonl"
    assert false_alarms.main(["--seeds", "1", "-o", str(out)]) == 0
    assert len(asked) == 24
    refused = {"right/3/1"}
    assert false_alarms.main(["--seeds", "2", "-o", str(out)]) == 1
    assert len(asked) == len({*asked}) == 48
    assert "right/3/1: fail" in capsys.readouterr().out
    assert false_alarms.main(["--seeds", "3", "--seconds", "0", "-o", str(out)]) == 1
    assert "24 left to run" in capsys.readouterr().out


def test_an_entry_off_by_a_billionth_is_refused(false_alarms) -> None:
    item = false_alarms.Item(false_alarms.WRONG, "rnn", 1)
    assert false_alarms.status(item) == "fail"
    assert false_alarms.bad(item.kind, "pass")
