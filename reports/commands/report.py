"""`bptt report`: a report on each cell, in the formats asked for."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from derive.cell import Cell
from numeric.kernel import compile_cell
from numeric.verdict import FAIL, INCONCLUSIVE, PASS
from numeric.verify import verify
from reports.commands.cells import find_cell
from reports.console import Answer, CommandError, why
from reports.pdf import HINT, EngineError, find_engine
from reports.progress import progress
from reports.write import FORMATS, write_report


def run(arguments: Namespace) -> Answer:
    """The files written, and what verification said of each cell.

    Raises:
        CommandError: for an unknown format or cell, an unwritable folder, a missing engine.
        CellError: if a cell cannot be.
    """
    formats, remark = wanted_formats(arguments.formats)
    cells = [find_cell(word) for word in arguments.cells]
    _require_names(cells)
    require_folder(arguments.output)
    files: list[str] = []
    verified: dict[str, Any] = {}
    with progress(arguments.quiet) as tell:
        for cell in cells:
            kernel = compile_cell(cell, "textbook")
            say = lambda stage, cell=cell: tell(f"{cell.name}: verify, {stage}")  # noqa: E731
            verdict = verify(kernel, seed=arguments.seed, progress=say)
            verified[cell.name] = verdict.to_dict()
            try:
                made = write_report(
                    cell, arguments.output, formats=formats, progress=tell,
                    seed=arguments.seed, verdict=verdict,
                )  # fmt: skip
            except OSError as problem:
                raise CommandError(
                    f"{arguments.output}: cannot be written: {why(problem)}"
                ) from None
            except EngineError as problem:
                raise CommandError(str(problem)) from None
            files += map(str, made)
    statuses = {found["status"] for found in verified.values()}
    worst = next((status for status in (FAIL, INCONCLUSIVE) if status in statuses), "ok")
    doubts = [
        f"{name}: {found['status']}; the report says what was found"
        for name, found in verified.items()
        if found["status"] != PASS
    ]
    return Answer(
        worst,
        text="\n".join(doubts),
        notes="\n".join([*files, *([remark] if remark else [])]),
        data={
            "cells": [cell.name for cell in cells],
            "formats": formats,
            "files": files,
            "seed": arguments.seed,
            "verified": verified,
            **({"remark": remark} if remark else {}),
        },
    )


def wanted_formats(given: str | None) -> tuple[list[str], str]:
    """The formats to write, and a remark if one of them cannot be.

    Raises:
        CommandError: for an unknown format, or "pdf" asked for without a TeX engine.
    """
    found = find_engine() is not None
    if given is None:
        if found:
            return [*FORMATS], ""
        return [f for f in FORMATS if f != "pdf"], f"no TeX engine found, so no .pdf; try: {HINT}"
    formats = [*dict.fromkeys(word.strip() for word in given.split(",") if word.strip())]
    if not formats or not {*formats} <= {*FORMATS}:
        raise CommandError(
            f"bptt report: --formats: expected some of {','.join(FORMATS)}, came {given!r}"
        )
    if "pdf" in formats and not found:
        raise CommandError(
            f"bptt report: --formats pdf needs latexmk with pdflatex, none found; try: {HINT}"
        )
    return formats, ""


def _require_names(cells: list[Cell]) -> None:
    names = [cell.name for cell in cells]
    for name in names:
        if names.count(name) > 1:
            raise CommandError(
                f"bptt report: two cells are named {name!r}: give each its own folder with -o"
            )


def require_folder(folder: Path) -> None:
    """The folder exists and can be written to, before any work is done for it.

    Raises:
        CommandError: if it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise CommandError(
            f"{folder}: cannot be written to: {why(problem)}; name another folder with -o"
        ) from None
