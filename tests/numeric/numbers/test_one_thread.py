"""Threads of the linear algebra: one where that is faster, and what the user says before ours."""

from __future__ import annotations

import os

import pytest

from numeric.numbers.one_thread import one_thread
from reports.cli import main

NAMES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "3")
        monkeypatch.delenv(name)


def test_what_the_user_has_set_stands(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    one_thread()
    assert [os.environ.get(name) for name in NAMES] == ["4", "1", None]
    one_thread(loops=True)
    assert os.environ["OMP_NUM_THREADS"] == "1"


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
