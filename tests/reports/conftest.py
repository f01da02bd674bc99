"""The command `bptt` as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Said

from reports.cli import main


@pytest.fixture
def bptt(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command, run in an empty folder; its exit status and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPTT_DEBUG", raising=False)

    def run(*words: object) -> Said:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return run
