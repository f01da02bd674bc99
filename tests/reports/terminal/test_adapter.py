"""The adapter is a module of ten lines for every cell; those of a course's cells fit a screen."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.verification.problems.of_cell import CellProblem
from reports.terminal.adapter import WIDTH, adapter

LINES = 10


@pytest.mark.parametrize("name", by_day(catalogue, 6))
def test_an_adapter_is_ten_lines_of_python(name: str) -> None:
    made = adapter(catalogue[name], "layer")
    names = [part.name for part in ast.parse(made).body if isinstance(part, ast.FunctionDef)]
    assert names == ["forward", "backward"]
    assert len(made.splitlines()) <= LINES
    assert made.count("fill in") >= 1
    assert "import layer" in made


@pytest.mark.parametrize("name", catalogue)
def test_the_adapter_of_a_cell_fits_a_screen(name: str) -> None:
    lines = adapter(catalogue[name], "my_layer").splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH


def test_an_adapter_of_many_parameters_passes_them_in_the_cell_s_order() -> None:
    cell = catalogue["lstm_fgr"]
    kernel = compile_cell(cell)
    own = [symbol.name for symbol in cell.parameters]
    layer = SimpleNamespace(
        lstm_fgr_forward=lambda x, y0, *params: _first(
            kernel.forward(dict(zip(own, params, strict=True)), {"x": x}, {"y": y0}), "y"
        ),
        lstm_fgr_backward=lambda dy, kept: _flat(kernel.backward(kept[0], kept[1], {"y": dy}), own),
    )
    source = adapter(cell, "layer").replace("import layer", "")
    names = {"layer": layer}
    exec(compile(source, "adapter", "exec"), names)
    problem = CellProblem(cell)
    case = problem.case(problem.ordinary_sizes(), steps=3, batch=2)
    layer.params = case.params
    _, tape = names["forward"](case.params, case.inputs, case.initial)
    found = names["backward"](case.params, (case.params, tape), case.cotangents)["params"]
    _, tape = kernel.forward(case.params, case.inputs, {"y": case.initial["y"]})
    want = kernel.backward(case.params, tape, {"y": case.cotangents["y"]})["params"]
    assert [*found] == own
    assert all(np.array_equal(found[name], want[name]) for name in own)


def _first(found: tuple[dict[str, Any], Any], state: str) -> tuple[Any, Any]:
    return found[0][state], found[1]


def _flat(found: dict[str, dict[str, Any]], own: list[str]) -> tuple[Any, ...]:
    return found["inputs"]["x"], found["initial"]["y"], *(found["params"][name] for name in own)
