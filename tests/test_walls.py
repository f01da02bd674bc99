"""The walls inside the packages: which room may import which, and no circle between files.

A room is a folder of a package, or a file beside the folders. `test_layering.py` holds the walls
between the packages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from import_graph import ROOT, circles, graph, reached

MAY: Mapping[str, tuple[str, ...]] = {
    "derive.lazy": (),
    "derive.saying": (),
    "derive.language": (),
    "derive.typeset": ("derive.language",),
    "derive.cells": ("derive.language",),
    "derive.cell": ("derive.cells", "derive.language", "derive.typeset"),
    "derive.network": ("derive.cell", "derive.language"),
    "derive.calculus": (
        "derive.cell", "derive.language", "derive.network", "derive.saying", "derive.typeset",
    ),
    "derive.theorems": ("derive.calculus", "derive.cell", "derive.language", "derive.typeset"),
    "numeric.numbers": (),
    "numeric.meaning": ("numeric.numbers",),
    "numeric.weights": (),
    "numeric.dialects": (
        "numeric.compiler", "numeric.meaning", "numeric.numbers", "numeric.verification",
        "numeric.weights",
    ),
    "numeric.compiler": ("numeric.compiler.to_*",),
    "numeric.compiler.to_*": ("numeric.compiler", "numeric.numbers"),
    "numeric.verification": (
        "numeric.compiler", "numeric.meaning", "numeric.numbers", "numeric.verification.explain",
        "numeric.verification.problems",
    ),
    "numeric.verification.frameworks": (
        "numeric.verification", "numeric.verification.problems", "numeric.weights",
    ),
    "numeric.verification.problems": (
        "numeric.compiler", "numeric.meaning", "numeric.numbers", "numeric.verification",
    ),
    "numeric.verification.explain": (
        "numeric.compiler", "numeric.meaning", "numeric.numbers", "numeric.verification",
        "numeric.verification.problems",
    ),
    "numeric.verification.process": (
        "numeric.numbers", "numeric.verification", "numeric.verification.frameworks",
    ),
    "numeric.bounds": (
        "numeric.bounds.all_inputs", "numeric.bounds.one_sequence", "numeric.compiler",
        "numeric.meaning", "numeric.numbers", "numeric.weights",
    ),
    "numeric.bounds.all_inputs": ("numeric.bounds", "numeric.meaning", "numeric.numbers"),
    "numeric.bounds.one_sequence": (
        "numeric.bounds", "numeric.compiler", "numeric.meaning", "numeric.numbers",
    ),
    "numeric.bounds.parallel_in_time": (
        "numeric.bounds", "numeric.bounds.all_inputs", "numeric.bounds.one_sequence",
        "numeric.meaning", "numeric.numbers",
    ),
    "numeric.engine": ("numeric.compiler", "numeric.numbers"),
    "numeric.search": (
        "numeric.bounds", "numeric.bounds.one_sequence", "numeric.compiler", "numeric.engine",
        "numeric.meaning",
        "numeric.numbers", "numeric.search.tasks", "numeric.verification",
        "numeric.verification.problems",
    ),
    "numeric.search.tasks": (),
    "numeric.testing": (
        "numeric.compiler", "numeric.verification", "numeric.verification.frameworks",
        "numeric.verification.process",
    ),
    "numeric.exported": (
        "numeric.compiler", "numeric.compiler.to_*", "numeric.meaning", "numeric.numbers",
        "numeric.verification", "numeric.verification.problems",
    ),
    "numeric.checked": ("numeric.bounds", "numeric.verification"),
    "numeric.strategies": ("numeric.verification",),
    "reports.document": (),
    "reports.sections": ("reports.document",),
    "reports.terminal": ("reports.document", "reports.sections"),
    "reports.arguments": ("reports.terminal",),
    "reports.write": ("reports.document", "reports.sections"),
    "reports.site": ("reports.document", "reports.sections", "reports.write"),
    "reports.commands": (
        "reports.arguments", "reports.document", "reports.sections", "reports.site",
        "reports.terminal", "reports.write",
    ),
    "reports.cli": ("reports.arguments", "reports.terminal"),
    "bptt.shadows": (),
    "bptt.pytest_plugin": ("bptt.shadows",),
    "bptt.__main__": ("bptt.shadows",),
}  # fmt: skip
# What must agree though made apart: neither comes to know of the other, by whatever way.
EMITTERS = "numeric.compiler*"
BUILT_ON = {  # PyTorch's files call NumPy code and carry C, JAX's have NumPy's names
    "numeric.compiler.to_torch": ("numeric.compiler.to_c", "numeric.compiler.to_numpy"),
    "numeric.compiler.to_jax": ("numeric.compiler.to_numpy",),
}
ORACLES = ("numeric.verification.oracles", "numeric.verification.exact", "numeric.meaning*")


def room(module: str) -> str | None:
    """The innermost room that the module is in; None for a package's own `__init__`."""
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        name = ".".join(parts[:length])
        for known in MAY:
            if fnmatchcase(name, known) and known.count(".") == name.count("."):
                return known
    return None if len(parts) == 1 else module


def matches(name: str, patterns: str | tuple[str, ...]) -> bool:
    patterns = (patterns,) if isinstance(patterns, str) else patterns
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _same_language(module: str, target: str) -> bool:
    """Whether two files of target languages are of one, or of one that is written in the other."""
    own, other = (".".join(name.split(".")[:3]) for name in (module, target))
    return own == other or other in BUILT_ON.get(own, ())


def offences(root: Path) -> Iterator[str]:
    """Each import that runs through a wall, and each circle, in a line."""
    edges = graph(root)
    for module, targets in edges.items():
        home = room(module)
        if home is not None and home not in MAY:
            yield f"{module}: a room that no wall is known of; say in MAY what it may import"
            continue
        for target, line in targets.items():
            if home is None or module.split(".")[0] != target.split(".")[0]:
                continue
            other = room(target)
            if other is None:
                yield f"{module}:{line} → {target}: the package's door is for those outside"
            elif other != home and other not in MAY[home]:
                allowed = ", ".join(MAY[home]) or "no other room"
                yield f"{module}:{line} → {target}: {home} may import {allowed}"
            elif other == home and "*" in home and not _same_language(module, target):
                yield f"{module}:{line} → {target}: one target language does not know another"
    for module in edges:
        for kind, others in ((EMITTERS, ORACLES), (ORACLES, EMITTERS)):
            if matches(module, kind):
                for target in sorted(reached(edges, module)):
                    if matches(target, others):
                        yield f"{module} → … → {target}: emitters and oracles share nothing"
    for circle in circles(edges):
        yield f"a circle: {' ↔ '.join(circle)}"


def test_no_import_runs_through_a_wall_and_none_in_a_circle() -> None:
    assert list(offences(ROOT)) == []


def test_every_room_of_the_table_is_there() -> None:
    rooms = {room(module) for module in graph(ROOT)}
    assert {*MAY} <= rooms
    assert all(other in MAY for others in MAY.values() for other in others)


def test_the_oracles_are_there() -> None:
    assert all(any(matches(module, o) for module in graph(ROOT)) for o in (EMITTERS, *ORACLES))


WALLS_BROKEN = {
    "upwards in derive": (
        {"derive/language/a.py": "from derive.cell import Cell\n", "derive/cell.py": ""},
        "derive.language.a:1 → derive.cell: derive.language may import no other room",
    ),
    "text needs no theorems": (
        {"derive/typeset/a.py": "import derive.theorems.cone\n", "derive/theorems/cone.py": ""},
        "derive.typeset.a:1 → derive.theorems.cone",
    ),
    "verification and bounds stand side by side": (
        {
            "numeric/verification/a.py": "\nfrom numeric.bounds import growth\n",
            "numeric/bounds/growth.py": "",
        },
        "numeric.verification.a:2 → numeric.bounds.growth",
    ),
    "bounds and verification too": (
        {
            "numeric/bounds/a.py": "from numeric.verification.verify import verify\n",
            "numeric/verification/verify.py": "",
        },
        "numeric.bounds.a:1 → numeric.verification.verify",
    ),
    "the two wings": (
        {
            "numeric/bounds/all_inputs/a.py": "import numeric.bounds.one_sequence.b\n",
            "numeric/bounds/one_sequence/b.py": "",
        },
        "numeric.bounds.all_inputs.a:1 → numeric.bounds.one_sequence.b",
    ),
    "the compiler knows no meaning": (
        {
            "numeric/compiler/a.py": "from numeric.meaning import interpret\n",
            "numeric/meaning/interpret.py": "",
        },
        "numeric.compiler.a:1 → numeric.meaning.interpret",
    ),
    "an oracle that emits, by a detour": (
        {
            "numeric/verification/oracles.py": "from numeric.verification.session import x\n",
            "numeric/verification/session.py": "from numeric.compiler.kernel import y\n",
            "numeric/compiler/kernel.py": "",
        },
        "numeric.verification.oracles → … → numeric.compiler.kernel: emitters and oracles share",
    ),
    "an emitter that asks an oracle": (
        {
            "numeric/compiler/to_c/module.py": "from numeric.verification.exact import x\n",
            "numeric/verification/exact.py": "",
        },
        "numeric.compiler.to_c.module → … → numeric.verification.exact: emitters and oracles",
    ),
    "one target language asks another": (
        {
            "numeric/compiler/to_c/a.py": "from numeric.compiler.to_numpy import b\n",
            "numeric/compiler/to_numpy/b.py": "",
        },
        "numeric.compiler.to_c.a:1 → numeric.compiler.to_numpy.b: one target language",
    ),
    "a document knows no sections": (
        {"reports/document/a.py": "import reports.sections.b\n", "reports/sections/b.py": ""},
        "reports.document.a:1 → reports.sections.b: reports.document may import no other room",
    ),
    "a section prints nothing": (
        {"reports/sections/a.py": "import reports.terminal.b\n", "reports/terminal/b.py": ""},
        "reports.sections.a:1 → reports.terminal.b",
    ),
    "the plugin imports nothing of ours": (
        {"bptt/pytest_plugin.py": "import bptt.__main__\n", "bptt/__main__.py": ""},
        "bptt.pytest_plugin:1 → bptt.__main__",
    ),
    "in at the door": (
        {"numeric/compiler/a.py": "import numeric\n", "numeric/__init__.py": ""},
        "numeric.compiler.a:1 → numeric: the package's door",
    ),
    "a room of its own making": (
        {"numeric/attic/a.py": ""},
        "numeric.attic.a: a room that no wall is known of",
    ),
    "two files in a circle": (
        {"derive/language/a.py": "import derive.language.b\n",
         "derive/language/b.py": "import derive.language.a\n"},
        "a circle: derive.language.a ↔ derive.language.b",
    ),
    "a circle through a third": (
        {"derive/language/a.py": "import derive.language.b\n",
         "derive/language/b.py": "import derive.language.c\n",
         "derive/language/c.py": "from derive.language.a import d\n"},
        "a circle: derive.language.a ↔ derive.language.b ↔ derive.language.c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wall", WALLS_BROKEN)
def test_a_broken_wall_is_named(wall: str, tmp_path: Path) -> None:
    made, expected = WALLS_BROKEN[wall]
    for name, text in made.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert any(line.startswith(expected) for line in offences(tmp_path)), [*offences(tmp_path)]


def test_what_is_allowed_is_not_called_broken(tmp_path: Path) -> None:
    for name, text in {
        "derive/cell.py": "import derive.language.a\n",
        "derive/language/a.py": "import derive.language.b\n",
        "derive/language/b.py": "import json\n",
        "numeric/bounds/study.py": "import numeric.bounds.all_inputs.c\n",
        "numeric/bounds/all_inputs/c.py": "import numeric.bounds.growth\nimport derive.cell\n",
        "numeric/bounds/growth.py": "",
        "numeric/compiler/kernel.py": "import numeric.compiler.to_c.module\n",
        "numeric/compiler/to_c/module.py": "import numeric.compiler.to_c.checks\n",
        "numeric/compiler/to_c/checks.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert list(offences(tmp_path)) == []
