"""What a search draws: so many examples that count, the same for a seed on every machine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from derive import catalogue
from numeric.verification.cases import Case
from numeric.verification.counterexample import WrongError, search
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.strategies import call
from numeric.verification.verdict import Check

PROBLEM = CellProblem(catalogue["rnn"])


def searched(
    test: Callable[[Case], float], examples: int, is_defined: Callable[[Case], bool] = bool,
    seed: int = 0,
) -> tuple[Check, list[Case]]:  # fmt: skip
    noted: list[Case] = []
    session = SimpleNamespace(
        seed=seed, undefined=[], stopped=None, unjudged={}, forgiving=False, problem=PROBLEM,
        is_defined=is_defined, note=lambda check, case, said: noted.append(case),
    )  # fmt: skip
    make = partial(call, problem=PROBLEM, limits=PROBLEM.limits())
    return search(session, "autograd", [], make, examples, test), noted


def drawn(examples: int, is_defined: Callable[[Case], bool] = bool, seed: int = 0) -> list[bytes]:
    tried: list[bytes] = []

    def test(case: Case) -> float:
        tried.append(case.content())
        return 0.0

    check, _ = searched(test, examples, is_defined, seed)
    assert (check.status, check.figures["examples"]) == ("pass", len(tried))
    return tried


def test_what_a_seed_draws_hangs_on_no_module_that_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [drawn(80, seed=seed) for seed in range(8)]
    (tmp_path / "numbers_of_a_user.py").write_text(f"SOME = {[*range(1000, 1300)]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("numbers_of_a_user")
    assert [drawn(80, seed=seed) for seed in range(8)] == before
    assert len({*before[0]}) == len(before[0]) == 80


def test_as_many_examples_count_where_some_are_not_defined() -> None:
    assert len(drawn(30, lambda case: case.steps > 1)) == 30


@pytest.mark.parametrize("examples", [40, 200])
def test_what_fails_is_found_and_made_smaller(examples: int) -> None:
    def test(case: Case) -> float:
        if case.sizes["n"] > 1 and case.steps > 1:
            raise WrongError("wrong")
        return 0.0

    check, noted = searched(test, examples)
    assert (check.status, check.reason) == ("fail", "wrong")
    assert min((c.steps, c.batch, *c.sizes.values()) for c in noted) == (2, 1, 2, 1)
