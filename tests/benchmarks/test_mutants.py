"""Every broken step of the compiler is noticed, and the whole one is not called broken."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from profiles import NIGHTLY

from derive import Cell
from derive.calculus import rules
from numeric.compiler import lower
from numeric.compiler.kernel import compile_cell
from numeric.numbers.rounding import COARSE
from numeric.verification.compare import Difference, differences, rounding_bounds
from numeric.verification.oracles import Answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.problem import Result
from numeric.verification.watch import Guard, subject_of

PATH = Path(__file__).parents[2] / "benchmarks" / "mutants.py"


def benchmark() -> ModuleType:
    """The benchmark as a module, without its folder on the path."""
    spec = importlib.util.spec_from_file_location("benchmark_mutants", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MUTANTS = benchmark()


@pytest.mark.parametrize(
    "mutant", MUTANTS.MUTANTS if NIGHTLY else MUTANTS.QUICK, ids=lambda mutant: mutant.name
)
def test_a_mutant_is_killed(mutant: object) -> None:
    assert MUTANTS.noticed(mutant) is not None


@pytest.mark.parametrize(
    "mutant", MUTANTS.MUTANTS if NIGHTLY else MUTANTS.QUICK, ids=lambda mutant: mutant.name
)
def test_a_mutant_is_killed_beside_what_other_forms_may_lose(
    mutant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that cannot account for its rounding is allowed that of other forms, and no more."""
    allowed = {}
    for cell in MUTANTS.CELLS:
        case, want = MUTANTS.expected(cell)
        guard = Guard(subject_of(compile_cell(cell, "fused")))
        allowed[id(want)] = rounding_bounds(CellProblem(cell), guard, case, COARSE)[0]

    def judged(found: Result, want: Answer) -> list[Difference]:
        return list(differences(found, want, allowed[id(want)]))

    monkeypatch.setattr(MUTANTS, "differences", judged)
    assert MUTANTS.noticed(mutant) is not None


def test_without_a_mutant_nothing_is_noticed() -> None:
    nothing = MUTANTS.Mutant("rules", "nothing", rules, "def vjp_sum", "def vjp_sum")
    assert MUTANTS.noticed(nothing) is None


def test_after_a_mutant_everything_is_as_before() -> None:
    before = dict(vars(rules)), dict(vars(lower))
    for mutant in (MUTANTS.MUTANTS[0], next(m for m in MUTANTS.MUTANTS if m.area == "lower")):
        MUTANTS.noticed(mutant)
    assert (dict(vars(rules)), dict(vars(lower))) == before


def test_every_edit_finds_its_place_and_every_area_is_broken() -> None:
    for mutant in MUTANTS.MUTANTS:
        source = Path(mutant.module.__file__).read_text(encoding="utf-8")
        assert mutant.old in source, mutant.name
    areas = {mutant.area for mutant in MUTANTS.MUTANTS}
    assert areas == {"rules", "adjoint", "lower", "passes", "stack", "emit"}
    assert len({mutant.name for mutant in MUTANTS.MUTANTS}) == len(MUTANTS.MUTANTS)


def test_a_mutant_that_only_an_unusual_cell_shows_survives_the_usual_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = tuple(cell for cell in MUTANTS.CELLS if cell.name != "mixed")
    monkeypatch.setattr(MUTANTS, "CELLS", usual)
    (softmax,) = (m for m in MUTANTS.MUTANTS if m.what == "softmax: mean forgotten")
    assert MUTANTS.noticed(softmax) is None
    assert isinstance(MUTANTS.MIXED, Cell)
