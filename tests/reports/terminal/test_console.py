"""Strict JSON, colour for terminals that want it, files whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reports.terminal import console
from reports.terminal.console import CommandError, as_json, write_whole


def test_json_is_strict() -> None:
    held = json.loads(as_json("verify", "fail", {"a": {"scaled_error": float("inf")}, "b": [1.5]}))
    assert held["a"]["scaled_error"] is None
    assert held["a"]["reason"] == "scaled_error is inf"
    assert held["b"] == [1.5]


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.painted("params.W  pass") == "params.W  \x1b[32mpass\x1b[0m"
    assert console.painted("password, passes") == "password, passes"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.painted("params.W  pass") == "params.W  pass"


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "first")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(CommandError, match=r"a\.txt: cannot be written: No space left"):
        write_whole(path, "second")
    assert path.read_text() == "first"
    assert [*tmp_path.iterdir()] == [path]
