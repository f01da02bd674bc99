"""The adapter is a module of ten lines for every cell; those of a course's cells fit a screen."""

from __future__ import annotations

import ast

import pytest
from profiles import by_day

from derive import catalogue
from reports.terminal.adapter import adapter

LINES, WIDTH = 10, 100


@pytest.mark.parametrize("name", by_day(catalogue, 6))
def test_an_adapter_is_ten_lines_of_python(name: str) -> None:
    made = adapter(catalogue[name], "layer")
    names = [part.name for part in ast.parse(made).body if isinstance(part, ast.FunctionDef)]
    assert names == ["forward", "backward"]
    assert len(made.splitlines()) <= LINES
    assert made.count("fill in") >= 1
    assert "import layer" in made


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_the_adapter_of_a_course_s_cell_fits_a_screen(name: str) -> None:
    assert max(map(len, adapter(catalogue[name], "layer").splitlines())) <= WIDTH
