"""Which tests are long: the cases beside those that stand for them, by day; and none is lost."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from import_graph import PACKAGES, imports
from profiles import is_by_default, mark_long_cases

ROOT = Path(__file__).parent.parent


class Case:
    """As much of a test's case as is asked for."""

    path, originalname = Path("test_it.py"), "test_it"

    def __init__(self, name: str, by_default: tuple[str, ...]) -> None:
        self.callspec, self.long = SimpleNamespace(id=name), False
        self.marker = pytest.mark.by_default(*by_default).mark

    def get_closest_marker(self, name: str) -> pytest.Mark:
        return self.marker

    def add_marker(self, name: str) -> None:
        assert name == "long"
        self.long = True


@pytest.mark.parametrize(
    ("named", "long"),
    [
        (("a",), ["b-a2", "aa", "lstm, a"]),
        (("b-a2", "lstm, a"), ["c-a", "a-c", "aa"]),
        (("of another name",), []),
    ],
)
def test_cases_beside_those_that_are_named_are_long(
    named: tuple[str, ...], long: list[str]
) -> None:
    cases = [Case(name, named) for name in ("c-a", "b-a2", "a-c", "aa", "lstm, a")]
    mark_long_cases(cases)
    assert [case.callspec.id for case in cases if case.long] == long


def test_the_cases_that_stand_for_others_exist(request: pytest.FixtureRequest) -> None:
    """Where none has such a name any more, all run, and this says so."""
    for item in request.session.items:
        if item.get_closest_marker("by_default") and not item.get_closest_marker("long"):
            assert is_by_default(item), item.nodeid


def test_the_process_that_hands_tests_out_loads_no_package() -> None:
    text = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    loaded = {name.partition(".")[0] for _, name in imports(ast.walk(ast.parse(text)))}
    assert loaded.isdisjoint({*PACKAGES, "hypothesis", "numpy", "sympy"})


HERE = """
import pytest

def test_short(): pass

@pytest.mark.long
def test_long(): pass

@pytest.mark.by_default("a")
@pytest.mark.parametrize("one", ["a", "b"])
def test_cases(one): pass
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("profile", "words", "taken"),
    [
        ("dev", [], {"short", "cases[a]"}),
        ("dev", ["-m", "long"], {"long", "cases[b]"}),
        ("dev", ["-m", ""], {"short", "long", "cases[a]", "cases[b]"}),
        ("nightly", [], {"short", "long", "cases[a]", "cases[b]"}),
    ],
)
def test_what_is_long_is_left_out_by_day_alone(
    tmp_path: Path, profile: str, words: list[str], taken: set[str]
) -> None:
    (tmp_path / "test_here.py").write_text(HERE, encoding="utf-8")
    paths = [str(ROOT), str(ROOT / "tests")]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "conftest",
         "-p", "no:cacheprovider", "-n", "0", "-q", "--collect-only", *words, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HYPOTHESIS_PROFILE": profile},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    names = (line.partition("::test_")[2] for line in found.stdout.splitlines())
    assert {name for name in names if name} == taken, found.stdout + found.stderr
