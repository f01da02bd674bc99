"""`bptt emit --target onnx`: a cell's forward pass as a model, run before it is written."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from derive.cell import Cell
from numeric.compiler.target import MissingError
from numeric.dialects.as_node import Found, as_node
from numeric.exported import Exported, export
from reports.document.special_files import special
from reports.terminal.console import Answer, CommandError, columns, why


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
        found = None if arguments.node is None else as_node(cell, arguments.node, arguments.seed)
        made = export(cell, about, arguments.seed, found.node if found else None)
    except (ValueError, MissingError) as problem:
        raise CommandError(f"bptt emit: {problem}") from None
    _write(path, made)
    facts = {
        "cell": cell.name, "target": "onnx", "digest": cell.digest, "file": str(path),
        "engine": made.runs[0].engine, "difference": made.runs[0].difference,
        "runs": [vars(ran) for ran in made.runs], "seed": arguments.seed,
        "otherwise": vars(made.otherwise) if made.otherwise else None,
    }  # fmt: skip
    compared = "; ".join(
        f"its states in {ran.numbers} are those of the equations to {ran.difference:.0e}, run by "
        f"{ran.engine}"
        for ran in made.runs
    )
    if made.otherwise:
        compared += f"; {made.otherwise.engine} is {made.otherwise.difference:.0e} off"
    if found is None:
        return Answer(notes=f"{path}: {cell.name}, forward pass; {compared}", data=facts)
    facts["node"] = _told(found)
    return Answer(notes="\n".join([*_lines(path, cell, found), compared]), data=facts)


def _told(found: Found) -> dict[str, Any]:
    node, proof = found.node, found.proof
    return {
        "kind": node.kind, "units": node.units, "attributes": dict(node.attributes),
        "dialect": found.dialect, "map": dict(node.said),
        "outputs": [node.output, *([node.last] if node.last else [])],
        "proof": {
            "exact": proof.exact, "error_probability": proof.error_probability,
            "agreement": proof.agreement,
        },
    }  # fmt: skip


def _lines(path: Path, cell: Cell, found: Found) -> list[str]:
    """What the node is, what it is made of and why it is the cell."""
    node = found.node
    attributes = "".join(
        f", {name} {' '.join(value) if isinstance(value, list) else value}"
        for name, value in node.attributes.items()
    )
    last = (
        f"; of {node.carried} a node gives the last value alone, {node.last}" if node.last else ""
    )
    rows = [(name, f"= {made}") for name, made in node.said.items()]
    return [
        f"{path}: {cell.name}, forward pass by one {node.kind} of {node.units} units"
        f"{attributes}{last}",
        *columns(rows, "  "),
        f"{cell.name} and {found.dialect}: one function over the prime field (others are with "
        f"probability at most {found.proof.error_probability:.0e})",
    ]


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
