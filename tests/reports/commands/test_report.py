"""`bptt report`: the files that were asked for, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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


@pytest.mark.long
def test_a_cell_without_a_value_at_the_drawn_numbers_is_reported_on_those_given(bptt: Any) -> None:
    Path("ratio.toml").write_text('equations = "h = 0.5 * h_prev + log(W @ x)"\n')
    words = "report", "ratio.toml", "-o", "out", "--formats", "html"
    said = bptt(*words)
    assert is_refusal(said)
    assert "log needs a positive number; give --weights and --inputs" in said.err
    np.savez("w.npz", W=np.ones((2, 1)))
    np.save("x.npy", np.ones((5, 1)))
    said = bptt(*words, "--weights", "w.npz", "--inputs", "x.npy", "--json")
    assert [Path(file).name for file in said.data["files"] if file.endswith(".html")]
