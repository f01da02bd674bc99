"""The public face: `dir` shows the API and nothing else, and names stand for cells everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import find

import bptt
from derive import Cell, CellError, Network, catalogue, differentiate
from derive.cell import UnknownCellError, cell_of
from numeric import compile_cell, diagnose, from_torch, strategies, to_torch, verify
from numeric.testing import verify_cell, verify_gradients
from reports import show_latex, show_text, write_report

ROOT = Path(__file__).parents[2]
THREE = ("derive", "numeric", "reports")


def imported_for_types(path: Path) -> dict[str, str]:
    """Public name → its home, as the type checker is told."""
    (block,) = (
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If)
    )
    return {
        alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("package", THREE)
def test_dir_shows_the_public_names_and_nothing_else(package: str) -> None:
    module = import_module(package)
    told = imported_for_types(ROOT / package / "__init__.py")
    assert dir(module) == sorted(module.__all__) == sorted(told)
    for name in dir(module):
        assert getattr(module, name) is getattr(import_module(told[name]), name), name
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Any'"):
        _ = module.Any


def test_bptt_offers_what_the_three_offer() -> None:
    homes = {name: import_module(p) for p in THREE for name in import_module(p).__all__}
    assert dir(bptt) == sorted({*homes, "strategies", "testing"}) == bptt.__all__
    for name, home in homes.items():
        assert getattr(bptt, name) is getattr(home, name), name
    assert bptt.testing.verify_cell is bptt.verify_cell
    assert bptt.strategies is strategies
    with pytest.raises(AttributeError, match="module 'bptt' has no attribute 'nothing'"):
        _ = bptt.nothing


def test_no_two_packages_offer_one_name() -> None:
    names = [name for package in THREE for name in import_module(package).__all__]
    assert len(names) == len({*names})


@pytest.mark.parametrize("module", [*THREE, "bptt", "bptt.__main__", "bptt.shadows"])
def test_importing_costs_nothing(module: str) -> None:
    heavy = "{'sympy', 'numpy', 'hypothesis', 'matplotlib', 'autograd'} & {*sys.modules}"
    code = f"import sys, {module}; dir({module}); print({heavy})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "set()", found.stderr


@pytest.mark.long
def test_a_star_brings_the_public_names() -> None:
    code = "from bptt import *; import bptt; print({*bptt.__all__} - {*globals()})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "set()", found.stderr


# ---- a name of the catalogue, wherever a cell is taken ---------------------------------------


def test_a_cell_and_its_name_mean_the_same() -> None:
    rnn = catalogue["rnn"]
    assert cell_of("rnn") is cell_of(rnn) is rnn
    assert Network("rnn", layers=2) == Network(rnn, layers=2)
    assert differentiate("rnn").cell is rnn
    assert compile_cell("rnn", "textbook").source == compile_cell(rnn, "textbook").source
    assert show_text("rnn") == show_text(rnn)
    assert show_latex("rnn") == show_latex(rnn)
    state = to_torch({"W": [[1.0]], "U": [[2.0]], "b": [3.0]}, rnn)
    assert from_torch(state, rnn, single=True) == from_torch(state, "rnn", single=True)


def test_names_are_taken_by_what_runs_code() -> None:
    kernel = compile_cell("rnn", "textbook")
    assert verify(kernel, cell="rnn").status == "pass"
    assert verify_cell("rnn", style="textbook").status == "pass"
    assert verify_gradients("rnn", kernel.forward, kernel.backward).status == "pass"
    params = {"W": [[0.5]], "U": [[1.0]], "b": [0.0]}
    assert diagnose("rnn", params, {"n": 1, "m": 1}, input_box=(-1.0, 1.0)).verdict == "vanishes"


@pytest.mark.long
def test_names_are_taken_by_strategies() -> None:
    assert find(strategies.sizes("rnn"), lambda drawn: True) == {"n": 1, "m": 1}
    assert {*find(strategies.parameters("rnn"), lambda drawn: True)} == {"W", "U", "b"}
    assert {*find(strategies.degenerate_case("rnn"), lambda drawn: True).params} == {"W", "U", "b"}


TAKERS: dict[str, Callable[[Any], object]] = {
    "catalogue": lambda name: catalogue[name],
    "differentiate": differentiate,
    "compile_cell": compile_cell,
    "Network": Network,
    "verify": lambda name: verify(None, cell=name),
    "verify_cell": verify_cell,
    "verify_gradients": lambda name: verify_gradients(name, print, print),
    "diagnose": lambda name: diagnose(name, {}, {}),
    "show_text": show_text,
    "show_latex": show_latex,
    "write_report": lambda name: write_report(name, "nowhere"),
    "strategies": lambda name: find(strategies.case(name), lambda drawn: True),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_an_unknown_name_is_answered_with_the_nearest(taker: str) -> None:
    with pytest.raises(UnknownCellError) as found:
        TAKERS[taker]("lstmm")
    assert isinstance(found.value, KeyError)
    assert isinstance(found.value, CellError)
    assert str(found.value).startswith("cell 'lstmm': no such cell")
    assert "did you mean lstm" in str(found.value)


def test_a_name_like_no_other_is_told_where_names_are() -> None:
    with pytest.raises(KeyError, match=r"list\(catalogue\) shows the names"):
        _ = catalogue["qqqqqqqqqqqq"]
    assert catalogue.get("lstmm") is None
    assert "lstmm" not in catalogue
    assert 3 not in catalogue


def test_what_is_neither_cell_nor_name_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a Cell or a name of the catalogue, came int"):
        compile_cell(3)  # type: ignore[arg-type]


def test_the_catalogue_shows_what_it_holds() -> None:
    assert repr(catalogue).startswith(f"<catalogue of {len(catalogue)} cells: ")
    assert all(name in repr(catalogue) for name in catalogue)
    assert all(isinstance(catalogue[name], Cell) for name in ("rnn", "lstm"))
