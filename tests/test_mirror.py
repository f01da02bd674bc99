"""Tests mirror the sources, and no file is too long to be read at a sitting.

`derive/language/build.py` is tested in `tests/derive/language/test_build.py`. Where a law needs
several sources at once, one test file holds it, and `THROUGH` says which sources it stands for
and why; a test file of no source is in `ALONE`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from import_graph import PACKAGES, ROOT, files, graph, imports, module_name, nodes_of
from mirrored import ALONE, THROUGH, Through

LONGEST: Final = 400
HOPS: Final = 3  # from what a test imports to what it stands for
MIRRORED: Final = (*PACKAGES, "benchmarks", "examples")


def edges(root: Path) -> Mapping[str, set[str]]:
    """The imports of the packages; those by a name in a text, and the commands, among them."""
    found = {name: {*targets} for name, targets in graph(root).items()}
    for path in files(root):
        for node in nodes_of(path):
            if isinstance(node, ast.Constant) and node.value in found:
                found[module_name(path, root)].add(str(node.value))
    commands = {name for name in found if name.startswith("reports.commands.")}
    found.setdefault("reports.cli", set()).update(commands)
    return found


def knows(test: Path, module: str, known: Mapping[str, set[str]]) -> bool:
    """Whether the test imports the module, at most so many hops away, or names it in a text."""
    text = test.read_text(encoding="utf-8")
    if module in text:
        return True
    met = {target for _, target in imports(nodes_of(test))}
    for _ in range(HOPS):
        met |= {further for name in met for further in known.get(name, ())}
    return module in met


def complaints(root: Path, through: tuple[Through, ...], alone: Mapping[str, str]) -> Iterator[str]:
    """A line for each source without a test, each test without a source, each stale entry."""
    tests, known = root / "tests", edges(root)
    sources = {
        path.relative_to(root).as_posix(): path
        for folder in MIRRORED
        for path in sorted((root / folder).rglob("*.py"))
        if path.name != "__init__.py"
    }
    exempt = {source: entry for entry in through for source in entry.sources}
    mirrored = set()
    for name in sources:
        folder, _, file = name.rpartition("/")
        own = tests / folder / f"test_{file}"
        if own.is_file():
            mirrored.add(own)
            if name in exempt:
                yield f"{name}: has a test of its own; its entry in THROUGH is stale"
        elif folder in {"benchmarks", "examples"}:
            continue  # programs: what they print is held where it is claimed
        elif name not in exempt:
            yield f"{name}: no {own.relative_to(root)}, and no entry in THROUGH"
    for entry in through:
        if not (test := tests / entry.test).is_file():
            yield f"tests/{entry.test}: in THROUGH, but there is no such file"
            continue
        for source in entry.sources:
            if source not in sources:
                yield f"{source}: in THROUGH, but there is no such file"
            elif not knows(test, module_name(root / source, root), known):
                yield f"{source}: tests/{entry.test} neither imports nor names it"
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(tests).as_posix()
        if (path in mirrored) == (name in alone):
            yield f"tests/{name}: " + (
                "tests a source; its entry in ALONE is stale" if path in mirrored
                else "mirrors no source, and has no entry in ALONE")  # fmt: skip


def too_long(root: Path) -> Iterator[str]:
    """The files of more lines than one reads at a sitting."""
    for folder in (*MIRRORED, "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            count = path.read_text(encoding="utf-8").count("\n")
            if count > LONGEST:
                yield f"{path.relative_to(root).as_posix()}: {count} lines, at most {LONGEST}"


def test_tests_mirror_the_sources() -> None:
    found = list(complaints(ROOT, THROUGH, ALONE))
    assert not found, "\n".join(found)


def test_no_source_is_exempt_twice_and_every_reason_is_said() -> None:
    sources = [source for entry in THROUGH for source in entry.sources]
    assert len(sources) == len({*sources})
    assert all(entry.reason for entry in THROUGH)


def test_no_file_is_too_long() -> None:
    found = list(too_long(ROOT))
    assert not found, "\n".join(found)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "derive/a.py": "",
        "derive/b.py": "import derive.a\n",
        "tests/derive/test_b.py": "import derive.b\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_source_without_a_test_is_named(project: Path) -> None:
    assert list(complaints(project, (), {})) == [
        "derive/a.py: no tests/derive/test_a.py, and no entry in THROUGH"
    ]
    assert (
        list(complaints(project, (Through("derive/test_b.py", "b", ("derive/a.py",)),), {})) == []
    )


def test_an_exemption_has_to_hold(project: Path) -> None:
    (project / "tests/derive/test_b.py").write_text("import json\n", encoding="utf-8")
    entries = (
        Through("derive/test_b.py", "b", ("derive/a.py", "derive/c.py", "derive/b.py")),
        Through("derive/test_d.py", "d", ()),
    )
    assert list(complaints(project, entries, {})) == [
        "derive/b.py: has a test of its own; its entry in THROUGH is stale",
        "derive/a.py: tests/derive/test_b.py neither imports nor names it",
        "derive/c.py: in THROUGH, but there is no such file",
        "derive/b.py: tests/derive/test_b.py neither imports nor names it",
        "tests/derive/test_d.py: in THROUGH, but there is no such file",
    ]


def test_a_test_of_no_source_is_named(project: Path) -> None:
    (project / "tests/test_more.py").write_text("", encoding="utf-8")
    through = (Through("derive/test_b.py", "b", ("derive/a.py",)),)
    assert list(complaints(project, through, {"derive/test_b.py": "stale"})) == [
        "tests/derive/test_b.py: tests a source; its entry in ALONE is stale",
        "tests/test_more.py: mirrors no source, and has no entry in ALONE",
    ]


def test_a_long_file_is_named(project: Path) -> None:
    (project / "derive/a.py").write_text("\n" * (LONGEST + 1), encoding="utf-8")
    assert list(too_long(project)) == [f"derive/a.py: {LONGEST + 1} lines, at most {LONGEST}"]
