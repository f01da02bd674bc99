"""The modules of the examples."""

import pytest
from scripts import module_at


@pytest.fixture
def recurrent(monkeypatch):
    return module_at("examples/recurrent.py", monkeypatch)


@pytest.fixture
def restore_case(monkeypatch):
    return module_at("examples/restore_case.py", monkeypatch)


@pytest.fixture
def char_rnn(monkeypatch):
    return module_at("examples/char_rnn.py", monkeypatch)
