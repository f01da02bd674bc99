"""The pytest plugin: one line in a test, nothing paid for at the start, no project broken."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "bptt.pytest_plugin"
TESTS = """
def test_right(verify_cell):
    assert verify_cell("rnn", style="textbook").profile == "dev"

def test_wrong(verify_gradients):
    verify_gradients("rnn", lambda *arguments: None, lambda *arguments: None)
"""
NAMESAKES = ("derive", "numeric", "reports")


def python(*words: str, cwd: Path | None = None, first: str = "") -> str:
    paths = os.pathsep.join(filter(None, [first, str(ROOT)]))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("CI", None)  # where it is set, pytest's summary repeats errors in full
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, env=environment, check=False, cwd=cwd,
    )  # fmt: skip
    return done.stdout + done.stderr


def pytest_in(project: Path, *words: str, first: str = "", module: bool = True) -> str:
    """`python -m pytest` in the folder, which is on sys.path from the start; or `pytest`."""
    start = ["-m", "pytest"] if module else ["-P", "-c", "import pytest; exit(pytest.main())"]
    return python(*start, "-q", "-p", PLUGIN, "-c", os.devnull, "--rootdir", str(project), *words,
                  cwd=project, first=first)  # fmt: skip


def project_with(folder: Path, names: tuple[str, ...], *, packages: bool = True) -> Path:
    """A project with folders of those names, a test of its own and one of ours."""
    imports = "".join(f"    import {name}\n    assert {name}.mine\n" for name in names)
    for name in names:
        (folder / name).mkdir()
        if packages:
            (folder / name / "__init__.py").write_text("mine = True\n", encoding="utf-8")
    if packages:
        text = f"def test_own():\n{imports or '    pass'}"
        (folder / "test_own.py").write_text(text, encoding="utf-8")
    text = "def test_ours(verify_cell):\n    assert callable(verify_cell)\n"
    (folder / "test_ours.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.long
def test_a_test_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "test_one.py"
    path.write_text(TESTS, encoding="utf-8")
    said = python("-m", "pytest", "-q", "-p", PLUGIN, "-c", os.devnull, str(path))
    assert "1 failed, 1 passed" in said, said
    assert "AssertionError: rnn: inconclusive" in said
    assert "forward returned NoneType" in said
    assert "testing.py" not in said


def test_the_plugin_is_entered_and_costs_nothing_at_the_start() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert PLUGIN in data["project"]["entry-points"]["pytest11"].values()
    ours = "{'numpy', 'sympy', 'hypothesis', 'derive', 'numeric', 'reports'} & {*sys.modules}"
    assert python("-c", f"import sys, {PLUGIN}; print({ours})").strip() == "set()"


@pytest.mark.by_default("pytest")
@pytest.mark.parametrize("module", [True, False], ids=["python -m pytest", "pytest"])
def test_a_project_with_folders_of_our_names_runs_its_own_tests(
    tmp_path: Path, module: bool
) -> None:
    project = project_with(tmp_path, NAMESAKES)
    assert "1 passed" in pytest_in(project, "test_own.py", module=module)


@pytest.mark.by_default("python -m pytest")
@pytest.mark.parametrize("module", [True, False], ids=["python -m pytest", "pytest"])
def test_the_fixture_says_what_hides_our_package_and_what_to_do(
    tmp_path: Path, module: bool
) -> None:
    project = project_with(tmp_path, NAMESAKES)
    said = pytest_in(project, module=module)
    assert "1 passed, 1 error" in said, said
    assert said.count(f"{project / 'numeric'} hides the package 'numeric' of bptt-toolkit") == 1
    assert f"{project / 'derive'} hides the package 'derive'" in said
    assert "Rename it" in said
    assert "`bptt verify FILE.py --cell CELL`" in said
    assert "Traceback" not in said


@pytest.mark.long
def test_a_folder_that_the_fixture_does_not_need_does_not_matter(tmp_path: Path) -> None:
    said = pytest_in(project_with(tmp_path, ("reports",)))
    assert "2 passed" in said, said


@pytest.mark.long
def test_folders_without_packages_hide_nothing(tmp_path: Path) -> None:
    project = project_with(tmp_path, NAMESAKES, packages=False)
    assert "1 passed" in pytest_in(project, first=str(project))
