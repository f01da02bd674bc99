"""Catalogue → site: one report for each cell and an index of them all, made anew where needed.

In: cells and a folder. Out: NAME.html (and other formats) for each, index.html, and gallery.json,
the stamp by which a later run knows what it need not make again: the cell's digest, the
fingerprint of this toolkit's sources, and the fingerprint of each file.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from derive.cell import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.engine import Engine, GivenUp
from numeric.verification.verify import verify
from reports.site.api import PAGE, can_write_api, write_api
from reports.site.compare import COMPARE, compare_page
from reports.site.index import INDEX, Entry, index_page
from reports.write import write_files, write_report

STAMP: Final = "gallery.json"
SCHEMA: Final = "bptt.gallery/1"
FORMATS: Final = ("html", "tex")
_SOURCES: Final = (".py", ".css", ".js", ".toml")
_PACKAGES: Final = ("sympy", "numpy", "autograd", "mpmath", "hypothesis", "matplotlib")
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Gallery:
    """What a run left in the folder: `made` anew and `kept`, and the verdict on each cell."""

    files: tuple[Path, ...]
    made: tuple[str, ...]
    kept: tuple[str, ...]
    verified: Mapping[str, Mapping[str, Any]]


def write_gallery(
    folder: Path,
    cells: Mapping[str, Cell] = catalogue,
    *,
    formats: Iterable[str] = FORMATS,
    profile: str = "dev",
    seed: int = 0,
    language: str = "en",
    engine: Engine | None = None,
    progress: Told | None = None,
) -> Gallery:
    """A page for every cell and the index; pages whose stamp still holds are kept.

    `progress` is told the cell just finished, how many are, and of how many. Without an `engine`
    everything runs in this process; workers of a cluster write to the folder under its name.

    Raises:
        EngineError: if "pdf" is asked for and no TeX engine is found, or it or pdoc fails.
        OSError: if the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda name, done, whole: None)
    wanted = tuple(sorted(formats))
    settings = {"toolkit": toolkit_digest(), "formats": list(wanted), "profile": profile,
                "seed": seed, "language": language}  # fmt: skip
    stamp = _read(folder / STAMP, settings)
    kept = [
        name for name, cell in cells.items()
        if _holds(folder, stamp["cells"].get(name), fingerprint(cell))
    ]  # fmt: skip
    jobs = [_Job(cell, str(folder), wanted, profile, seed, language)
            for name, cell in cells.items() if name not in kept]  # fmt: skip
    jobs.sort(key=lambda job: -len(job.cell.states) * len(job.cell.equations))
    tell("", len(kept), len(cells))
    made = _run(jobs, engine or Engine())
    for count, (name, entry) in enumerate(made, start=len(kept) + 1):
        stamp["cells"][name] = entry
        _write_stamp(folder, stamp)
        tell(name, count, len(cells))
    stamp["cells"] = {name: stamp["cells"][name] for name in cells}
    api = _write_reference(folder, stamp)
    _write_index(folder, cells, stamp)
    _write_stamp(folder, stamp)
    files = [folder / INDEX, folder / COMPARE, *api]
    files += [folder / file for name in cells for file in stamp["cells"][name]["files"]]
    anew = tuple(name for name in cells if name not in kept)
    verified = {name: stamp["cells"][name]["verified"] for name in cells}
    return Gallery(tuple(files), anew, tuple(kept), verified)


@cache
def toolkit_digest() -> str:
    """A fingerprint of our sources, and of the versions that a page names."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for package in ("derive", "numeric", "reports"):
        for path in sorted((root / package).rglob("*")):
            if path.suffix in _SOURCES:
                found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    versions = [platform.python_version(), *map(_version, _PACKAGES)]
    found.update(" ".join(versions).encode())
    return found.hexdigest()[:16]


def fingerprint(cell: Cell) -> str:
    """The cell's digest, and what else of it a page shows."""
    shown = repr((cell.digest, cell.title, cell.source, cell.text, sorted(cell.latex.items()),
                  sorted(map(str, cell.defaults.items()))))  # fmt: skip
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@dataclass(frozen=True)
class _Job:
    """What a worker needs to make the pages of one cell."""

    cell: Cell
    folder: str
    formats: tuple[str, ...]
    profile: str
    seed: int
    language: str


def _make(job: _Job) -> tuple[str, dict[str, Any]]:
    """The cell's name and its entry in the stamp; its files are written."""
    cell, folder = job.cell, Path(job.folder)
    kernel = compile_cell(cell, "textbook")
    verdict = verify(kernel, profile=job.profile, seed=job.seed)
    paths = write_report(
        cell,
        folder,
        formats=job.formats,
        seed=job.seed,
        verdict=verdict,
        home=INDEX,
        language=job.language,
    )
    seen = [check.figures.get("examples") for check in verdict.checks.values()]
    return cell.name, {
        "cell": fingerprint(cell),
        "files": {path.relative_to(folder).as_posix(): _sum_of(path) for path in paths},
        "verified": {
            "status": verdict.status,
            "checks": {name: check.status for name, check in verdict.checks.items()},
            "examples": sum(count for count in seen if isinstance(count, int)),
        },
    }


def _run(jobs: Sequence[_Job], engine: Engine) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each job's result as it is ready.

    Raises:
        RuntimeError: if a process died of a cell, or what was raised there.
    """
    for job, found in engine.completed(_make, jobs):
        if isinstance(found, GivenUp):
            raise found.problem or RuntimeError(f"{job.cell.name}: {found.why}")
        yield found


def _write_reference(folder: Path, stamp: dict[str, Any]) -> tuple[Path, ...]:
    """The API reference, unless it is there and of this toolkit; nothing without pdoc."""
    held = stamp.get("api", [])
    if can_write_api() and held and all((folder / name).is_file() for name in held):
        return tuple(folder / name for name in held)
    made = write_api(folder)
    stamp["api"] = [path.relative_to(folder).as_posix() for path in made]
    return made


def _write_index(folder: Path, cells: Mapping[str, Cell], stamp: dict[str, Any]) -> None:
    """The index, unless it is there and shows the same."""
    shown = json.dumps([stamp["toolkit"], stamp["formats"], stamp["api"], [
        (name, entry["cell"], entry["verified"]) for name, entry in stamp["cells"].items()
    ]])  # fmt: skip
    shown_digest = hashlib.sha256(shown.encode()).hexdigest()[:16]
    held = stamp.get("index", {})
    if (
        held.get("shows") == shown_digest
        and _same(folder / INDEX, held.get("file", ""))
        and (_same(folder / COMPARE, held.get("compare", "")))
    ):
        return
    entries = [Entry(cell, stamp["cells"][name]["verified"]) for name, cell in cells.items()]
    language = stamp["language"]
    write_files({
        folder / INDEX: index_page(
            entries, stamp["formats"], language, PAGE if stamp["api"] else ""
        ).encode(),
        folder / COMPARE: compare_page([*cells.values()], INDEX, language).encode(),
    })
    stamp["index"] = {"shows": shown_digest, "file": _sum_of(folder / INDEX),
                      "compare": _sum_of(folder / COMPARE)}  # fmt: skip


def _read(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The stamp of an earlier run, if it was made with the same settings; else an empty one."""
    empty = {"schema": SCHEMA, **settings, "cells": {}}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return empty
    same = isinstance(found, dict) and isinstance(found.get("cells"), dict) and all(
        found.get(key) == value for key, value in {"schema": SCHEMA, **settings}.items()
    )  # fmt: skip
    return found if same else empty


def _write_stamp(folder: Path, stamp: Mapping[str, Any]) -> None:
    write_files({folder / STAMP: (json.dumps(stamp, indent=1) + "\n").encode()})


def _holds(folder: Path, entry: Any, wanted: str) -> bool:
    """Whether the entry speaks of this cell and every file it names is there unchanged."""
    if not isinstance(entry, dict) or entry.get("cell") != wanted:
        return False
    files = entry.get("files")
    if not isinstance(files, dict) or not files or "verified" not in entry:
        return False
    return all(_same(folder / name, held) for name, held in files.items())


def _same(path: Path, held: str) -> bool:
    return path.is_file() and _sum_of(path) == held


def _sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
