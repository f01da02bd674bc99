"""`bptt emit --target onnx`: a cell's forward pass as a model, run before it is written."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from derive.cell import Cell
from numeric.compiler.target import MissingError
from numeric.exported import Exported, export
from reports.document.special_files import special
from reports.terminal.console import Answer, CommandError, why


def emit_model(arguments: Namespace, cell: Cell, *, alone: bool) -> Answer:
    """The model, in a file; `alone`: the flags ask for one layer, all steps at once.

    Raises:
        CommandError: without -o FILE.onnx, for flags that a model has no place for, for a cell that
            has no nodes, where the package onnx is missing, or if the model is wrong.
    """
    path: Path | None = arguments.output
    if path is None or path.suffix != ".onnx":
        raise CommandError("bptt emit --target onnx: say where to write it with -o FILE.onnx")
    if arguments.check or not alone:
        raise CommandError(
            "bptt emit --target onnx: one cell's forward pass; there is no --check, no network and "
            "no --checkpoint for it"
        )
    if path.exists() and not (arguments.force or special(path) or _ours(path)):
        raise CommandError(f"{path}: there is a file; name another, or write over it with --force")
    about = f"{cell.text}\nCell digest {cell.digest}, target onnx."
    try:
        made = export(cell, about, arguments.seed)
    except (ValueError, MissingError) as problem:
        raise CommandError(f"bptt emit: {problem}") from None
    _write(path, made)
    facts = {
        "cell": cell.name, "target": "onnx", "digest": cell.digest, "file": str(path),
        "engine": made.engine, "difference": made.difference, "seed": arguments.seed,
    }  # fmt: skip
    said = (
        f"{path}: {cell.name}, forward pass; its states in float64 are those of the equations to "
        f"{made.difference:.0e}, run by {made.engine}"
    )
    return Answer(notes=said, data=facts)


def _ours(path: Path) -> bool:
    return b"bptt-toolkit" in path.read_bytes()[:200]


def _write(path: Path, made: Exported) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(made.model)
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise CommandError(
            f"{path}: cannot be written: {why(problem)}; name a file in a folder you may write to"
        ) from None
