"""The table of checkers: ours takes no wrong gradient for a right one, where others do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "checkers.py"


@pytest.fixture(scope="module")
def checkers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_checkers", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_has_no_wrong_acceptance_of_ours(
    checkers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkers, "EXPONENTS", (0, -10, -300))
    both = {name: checkers.CHECKERS[name] for name in ("autograd", checkers.OURS)}
    monkeypatch.setattr(checkers, "CHECKERS", {**both, "absent": ("no_such_package", None)})
    assert checkers.main([]) == 0
    printed = capsys.readouterr().out
    assert "accept a wrong gradient: autograd" in printed
    assert "not installed: absent" in printed
    rows = [line.split() for line in printed.splitlines() if line.startswith(("loss", "weights"))]
    assert len(rows) == 5
    assert {tuple(row[-2:]) for row in rows} == {("–", "missing")}


def test_a_checker_of_ours_that_is_fooled_is_a_failure(
    checkers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkers, "EXPONENTS", (0,))
    fooled = {checkers.OURS: ("numpy", lambda problem, gradient: True)}
    monkeypatch.setattr(checkers, "CHECKERS", fooled)
    assert checkers.main(["--json"]) == 1
    assert '"dropped"' in capsys.readouterr().out


def test_the_gradients_reach_the_smallest_numbers(checkers: ModuleType) -> None:
    for problem in (checkers.scaled(1e-300), checkers.contracting(-300)):
        assert 0 < problem.norm < 1e-295
        assert np.max(np.abs(problem.gradients["dropped"])) > 0
