"""One line in a test proves a cell, or raises with the smallest counterexample."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from numeric.compiler.target import load
from numeric.testing import verify_cell, verify_gradients

RNN = Path(__file__).with_name("handwritten_rnn.py").read_text(encoding="utf-8")


def module_of(old: str = "", new: str = "") -> ModuleType:
    """The handwritten RNN, with an edit that finds its place once."""
    assert not old or RNN.count(old) == 1
    return load(RNN.replace(old, new) if old else RNN, "rnn")


def test_one_line_in_a_test_proves_a_cell() -> None:
    verify_cell("rnn")
    module = module_of()
    verify_gradients("rnn", module.forward, module.backward)
    wrong = module_of("h_bar = a_bar @ W", "h_bar = a_bar @ W.T")
    with pytest.raises(AssertionError, match=r"smallest counterexample: T=\d, B=1, n=\d, m=1"):
        verify_gradients("rnn", wrong.forward, wrong.backward)
