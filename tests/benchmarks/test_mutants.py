"""Every broken step of the compiler is noticed, and the whole one is not called broken."""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from c_code import needs_compiler
from profiles import NIGHTLY, by_day, night_alone
from sympy import MatAdd

from derive import Cell
from derive.calculus import rules
from numeric.compiler.kernel import compile_cell
from numeric.numbers.rounding import COARSE
from numeric.verification.compare import Difference, differences, rounding_bounds
from numeric.verification.oracles import Answer
from numeric.verification.problems.extents import Result
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, subject_of

ROOT = Path(__file__).parents[2]
PATH = ROOT / "benchmarks" / "mutants.py"


def benchmark() -> ModuleType:
    """The benchmark as a module; its folder is on the path while it is imported."""
    spec = importlib.util.spec_from_file_location("benchmark_mutants", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(PATH.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PATH.parent))
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


@pytest.mark.long
@needs_compiler
@pytest.mark.parametrize(
    "mutant", by_day(MUTANTS.C_MUTANTS, 12, 3), ids=lambda mutant: mutant.name
)  # fmt: skip
def test_a_mutant_of_what_writes_c_is_killed(mutant: object) -> None:
    assert MUTANTS.noticed_in_c(mutant, MUTANTS.broken) is not None


@needs_compiler
@night_alone
def test_without_a_mutant_c_is_right() -> None:
    nothing = replace(MUTANTS.C_MUTANTS[0], what="nothing", wrong=lambda right: right)
    assert MUTANTS.noticed_in_c(nothing, MUTANTS.broken) is None


def test_without_a_mutant_nothing_is_noticed() -> None:
    nothing = MUTANTS.Mutant("rules", "nothing", rules.VJP_RULES, MatAdd, lambda right: right)
    assert MUTANTS.noticed(nothing) is None


def test_after_a_mutant_everything_is_as_before() -> None:
    before = {mutant.name: mutant.right for mutant in MUTANTS.MUTANTS}
    spaces = [dict(vars(module)) for module in MUTANTS.users()]
    for mutant in MUTANTS.MUTANTS:
        with MUTANTS.broken(mutant):
            assert mutant.right is not before[mutant.name], mutant.name
    assert {mutant.name: mutant.right for mutant in MUTANTS.MUTANTS} == before
    assert [dict(vars(module)) for module in MUTANTS.users()] == spaces


def test_there_are_as_many_mutants_as_ever_and_every_area_is_broken() -> None:
    assert len(MUTANTS.MUTANTS) >= 52
    areas = {mutant.area for mutant in MUTANTS.MUTANTS}
    assert areas == {"rules", "adjoint", "lower", "passes", "stack", "emit"}
    assert len({mutant.name for mutant in MUTANTS.MUTANTS}) == len(MUTANTS.MUTANTS)
    assert len({mutant.name for mutant in MUTANTS.C_MUTANTS}) == len(MUTANTS.C_MUTANTS) >= 25


def test_no_mutant_quotes_a_line_of_what_it_breaks() -> None:
    folders = ("derive", "numeric")
    sources = [p.read_text(encoding="utf-8") for f in folders for p in (ROOT / f).rglob("*.py")]
    lines = {line.strip() for source in sources for line in source.splitlines()}
    for path in (PATH, *map(PATH.with_name, ("wrong_steps.py", "c_mutants.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                quoted = {line.strip() for line in node.value.splitlines()} & lines
                assert not {line for line in quoted if len(line) > 12}, quoted


@pytest.mark.long
def test_a_mutant_that_only_an_unusual_cell_shows_survives_the_usual_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = tuple(cell for cell in MUTANTS.CELLS if cell.name != "mixed")
    monkeypatch.setattr(MUTANTS, "CELLS", usual)
    (softmax,) = (m for m in MUTANTS.MUTANTS if m.what == "softmax: mean forgotten")
    assert MUTANTS.noticed(softmax) is None
    assert isinstance(MUTANTS.MIXED, Cell)
