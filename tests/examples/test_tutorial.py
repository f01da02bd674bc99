"""examples/tutorial.ipynb: its names are public by day; by night it is run, as a reader runs it."""

from __future__ import annotations

import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from profiles import night_alone

import bptt

TUTORIAL = Path(__file__).resolve().parents[2] / "examples" / "tutorial.ipynb"
RUNNER = "nbclient"


def code() -> list[str]:
    cells = json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def imported(sources: list[str]) -> set[str]:
    return {
        name.name for text in sources for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module == "bptt" for name in node.names
    }  # fmt: skip


def test_the_tutorial_imports_public_names_and_stores_no_output():
    assert {"Cell", "differentiate", "compile_cell", "verify", "diagnose"} == imported(code())
    assert imported(code()) <= set(dir(bptt))
    assert not imported(["from bptt import nothing"]) <= set(dir(bptt))
    cells = json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)


@night_alone
@pytest.mark.skipif(find_spec(RUNNER) is None, reason="no nbclient")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_tutorial_runs():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip(RUNNER)
    book = nbformat.read(TUTORIAL, as_version=4)
    nbclient.NotebookClient(book, timeout=300).execute()
    last = [cell for cell in book.cells if cell.cell_type == "code"][-1]
    assert last.outputs
