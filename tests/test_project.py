"""What the project says of itself: its README, versions, package data, and configuration."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from import_graph import nodes_of
from profiles import NIGHTLY, by_day

from derive import catalogue
from numeric import compile_cell
from reports.arguments.command_list import COMMANDS
from reports.cli import main

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh.md")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("derive", "numeric", "reports", "bptt")
USE = "python -m pip install . && bptt report rnn lstm -o out"
CHECK = 'python -m pip install ".[test]" && python -m pytest'


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [USE, CHECK])
def test_the_readme_has_the_command_on_a_line_of_its_own(command: str) -> None:
    assert text("README.md").splitlines().count(command) == 1


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    found = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "--command"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == CHECK


def test_continuous_integration_runs_what_the_command_leaves_out() -> None:
    left_out = re.findall(r"-m 'not (\w+)'", PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"])
    _, after = text(".ci/run").split('-c "$command"')
    assert re.findall(r"^run python -m pytest -m (\w+) ", after, re.M) == left_out == ["long"]


def test_continuous_integration_refuses_a_readme_without_the_command(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text(text(".ci/run"))
    (tmp_path / "README.md").write_text("# Nothing\n\npython -m pytest\n")
    found = subprocess.run(
        ["bash", str(tmp_path / ".ci" / "run"), "--command"], capture_output=True, text=True
    )
    assert found.returncode == 2
    assert "README.md" in found.stderr


def test_the_links_and_pictures_of_the_pages_exist() -> None:
    for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        targets = re.findall(r"\]\(([^)#]+)\)", text(name))
        for target in targets:
            assert target.startswith("https://") or (ROOT / target).exists(), (name, target)


def folders(parent: Path) -> set[Path]:
    return {path for path in parent.iterdir() if path.is_dir() and path.name[0] not in "._"}


def test_the_layout_of_the_readme_is_that_of_the_folders() -> None:
    """Of a folder's folders all are named or none; a target language's stand in a sentence."""
    (tree,) = re.findall(r"## Layout\n\n```text\n(.*?)```", text("README.md"), re.S)
    named, above = set[Path](), {0: ROOT}
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip())
        for name in re.match(r" *((?:[\w.]+(?:/|\.py) ?)+)", line)[1].split():
            path = above[depth] / name
            assert path.exists(), path
            named.add(path)
            if name.endswith("/"):
                above[depth + 2] = path
    for parent in (ROOT / package for package in PACKAGES):
        assert folders(parent) <= named, folders(parent) - named
        for inner in folders(parent):
            held = {path for path in folders(inner) if not path.name.startswith("to_")}
            assert held <= named or not held & named, held - named


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "report-page.png").stat().st_size < 200_000


def test_code_in_the_readme_is_emitted_code() -> None:
    (shown,) = re.findall(
        r"```python\n# from `bptt emit lstm --style textbook`\n(.*?)```", text("README.md"), re.S
    )
    source = compile_cell(catalogue["lstm"], "textbook").source
    assert shown in source
    assert 8 <= shown.count("\n") <= 24


@pytest.mark.long
@pytest.mark.parametrize("readme", by_day(READMES, 2))
def test_the_cell_file_of_the_readme_does_what_the_readme_says(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, *others = re.findall(r"```toml\n(.*?)```", text(readme), re.S)
    (commands,) = re.findall(r"```sh\n(bptt show.*?)```", text(readme), re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_unit.toml").write_text(cell, encoding="utf-8")
    for line in commands.splitlines():
        _, *words = shlex.split(line)
        assert main(words) == 0, line
    made = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert made == {"my_unit.toml", "my_unit.py", "out"}
    assert (tmp_path / "out" / "my_unit.html").is_file()
    for other in others:
        (tmp_path / "other.toml").write_text(other, encoding="utf-8")
        assert main(["verify" if NIGHTLY else "show", "other.toml"]) == 0


@pytest.mark.parametrize("readme", by_day(READMES, 2))
def test_the_python_of_the_readme_runs(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(import .*?)```", text(readme), re.S)
    if not NIGHTLY:  # from few examples, which a process of its own does not know of
        monkeypatch.chdir(tmp_path)
        exec(code, {})
        return
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr


def test_the_chinese_readme_speaks_of_what_there_is() -> None:
    said = text("README.zh.md")
    assert f"{USE} --language zh" in said
    for command in re.findall(r"`bptt ([a-z-]+)", said):
        assert command in {known.name for known in COMMANDS}
    assert len(said) < len(text("README.md"))


def test_the_citation_names_this_version_and_licence() -> None:
    held = dict(re.findall(r"^(\S+): (.+)$", text("CITATION.cff"), re.M))
    project = PYPROJECT["project"]
    assert held["version"] == project["version"]
    assert held["license"] == project["license"]
    assert held["title"] == project["name"]
    assert held["abstract"].rstrip(".") == project["description"]


def test_classifiers_name_the_python_that_is_asked_for() -> None:
    named = PYPROJECT["project"]["classifiers"]
    lowest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {lowest}" in named
    assert named == sorted(named)


def test_the_changelog_knows_the_version() -> None:
    version = PYPROJECT["project"]["version"]
    headings = re.findall(r"^## \[([^\]]+)\]", text("CHANGELOG.md"), re.M)
    assert headings[0] == "Unreleased"
    assert headings[1] == version
    assert re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text("CHANGELOG.md"), re.M
    )


def test_the_wheel_is_made_of_the_packages() -> None:
    backend = PYPROJECT["tool"]["uv"]["build-backend"]
    assert backend == {"module-root": "", "module-name": list(PACKAGES)}
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file()
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            assert (folder / "__init__.py").is_file(), folder
    assert {path.stem for path in (ROOT / "derive" / "cells").glob("*.toml")} >= {"rnn", "lstm"}


def test_the_command_is_declared() -> None:
    assert PYPROJECT["project"]["scripts"] == {"bptt": "bptt.__main__:main"}


def missing(pyproject: dict[str, object], root: Path) -> list[str]:
    """Paths that the configuration names and that are not there: such a check checks nothing."""
    tool = pyproject["tool"]
    named = [
        *tool["mypy"]["packages"],
        *tool["pytest"]["ini_options"]["testpaths"],
        *(re.split(r"[*{]", glob)[0] for glob in tool["ruff"]["lint"]["per-file-ignores"]),
    ]
    files = [pyproject["project"]["readme"], *pyproject["project"]["license-files"]]
    return [
        *(
            name
            for name in named
            if not (root / name).is_file() and not any((root / name).rglob("*.py"))
        ),
        *(name for name in files if not (root / name).is_file()),
    ]


def test_the_paths_of_the_configuration_exist() -> None:
    assert missing(PYPROJECT, ROOT) == []
    assert PYPROJECT["tool"]["mypy"]["packages"] == list(PACKAGES)


def test_a_missing_path_of_the_configuration_is_found(tmp_path: Path) -> None:
    assert "derive" in missing(PYPROJECT, tmp_path)
    assert "README.md" in missing(PYPROJECT, tmp_path)


def test_dependencies_are_those_that_are_imported() -> None:
    declared = {re.split(r"[><=\[]", name)[0] for name in PYPROJECT["project"]["dependencies"]}
    imported = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in nodes_of(path):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add(str(node.module).split(".")[0])
                elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
                    imported |= {str(a.value).split(".")[0] for a in node.args
                                 if isinstance(a, ast.Constant)}  # fmt: skip
    others = imported - sys.stdlib_module_names - {*PACKAGES}
    extras = PYPROJECT["project"]["optional-dependencies"]
    imported_there = ("cluster", "keras", "torch", "jax", "onnx")
    optional = {re.split(r"[><=\[]", name)[0] for key in imported_there for name in extras[key]}
    assert others == declared | optional | {"pytest"}  # which alone loads the plugin


@pytest.mark.long
@pytest.mark.parametrize(
    "first", ["import numeric.verification.verify", "from numeric import verify"]
)
def test_numeric_verify_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}\nfrom numeric import verify\nassert callable(verify), verify"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_no_file_names_a_machine() -> None:
    found = []
    for path in (
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run")
    ):
        found += re.findall(
            r"(?<![\w.])/(?:work|root|home|tmp)/\S*", path.read_text(encoding="utf-8")
        )
    assert found == []
