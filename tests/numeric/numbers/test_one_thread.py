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
    [(["list"], "1"), (["bounds", "rnn", "--size", "9999999", "--lag", "x"], None),
     (["bounds", "rnn", "--weights", "none.npz"], None)],
)  # fmt: skip
def test_commands_that_may_have_large_matrices_keep_their_threads(words, threads, capsys):
    main(words)
    capsys.readouterr()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == threads
