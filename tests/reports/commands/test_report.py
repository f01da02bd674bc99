"""`bptt report`: the files that were asked for, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import is_refusal


def test_report_writes_what_was_asked_for(bptt: Any) -> None:
    said = bptt("report", "rnn", "-o", "out", "--formats", "tex,html", "--json")
    assert said.status == 0
    data = said.data
    assert data["schema"] == "bptt.report/1"
    assert {Path(file).name for file in data["files"]} >= {"rnn.tex", "rnn.html"}
    for file in data["files"]:
        assert Path(file).is_file()
    assert not list(Path("out").glob("*.part"))


def test_a_missing_engine_is_refused_before_anything_is_written(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Path("empty")
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    said = bptt("report", "rnn", "-o", "out", "--formats", "html,pdf")
    assert is_refusal(said)
    assert "latexmk" in said.err
    assert not Path("out").exists()
