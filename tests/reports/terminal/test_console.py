"""Strict JSON, colour for terminals that want it, files whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from reports.document.special_files import special
from reports.terminal import console
from reports.terminal.console import CommandError, as_json, write_whole
from reports.write import write_files


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


def test_a_device_or_a_pipe_is_written_into_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert special(pipe)
    assert not special(tmp_path)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, "text")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    (tmp_path / "link").symlink_to("/dev/null")
    write_whole(tmp_path / "link", "text")
    assert Path("/dev/null").is_char_device()
    assert [*tmp_path.glob(".*.part")] == []


def test_files_of_a_report_never_replace_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lstm.html")
    with pytest.raises(OSError, match="a device or a pipe"):
        write_files({tmp_path / "lstm.tex": b"a", tmp_path / "lstm.html": b"b"})
    assert [path.name for path in tmp_path.iterdir()] == ["lstm.html"]
