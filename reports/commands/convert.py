"""`bptt convert`: weights of a file in another, with the mapping and the proof that it is right."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.dialects.conversion import Converted, convert
from numeric.weights.formats.readers import read_arrays
from numeric.weights.module import Module
from numeric.weights.modules import modules_of
from numeric.weights.written import OURS, PYTORCH, WRITERS, write_arrays
from reports.arguments.which_cell import find_cell
from reports.document.special_files import special
from reports.terminal.console import Answer, CommandError, columns, toolkit_version, why

_LAYOUT_OF: Final = {".npz": OURS, ".safetensors": OURS, ".pt": PYTORCH, ".pth": PYTORCH}


def run(arguments: Namespace) -> Answer:
    """The file, written whole once the conversion is proved; its mapping and the proof.

    Raises:
        CommandError: for what cannot be read, mapped, proved or written.
    """
    source, target = arguments.source, arguments.target
    if target.suffix not in WRITERS:
        raise CommandError(
            f"{target}: expected a name that ends in {', '.join(WRITERS)}, came {target.suffix!r}"
        )
    if target.exists() and not arguments.force and not special(target):
        raise CommandError(
            f"{target}: there is a file; name another, or write over it with --force"
        )
    layout = arguments.layout or _LAYOUT_OF[target.suffix]
    try:
        arrays = read_arrays(source)
        cell = _cell(arguments, arrays)
        converted = convert(cell, arrays, layout, arguments.module, arguments.seed)
        _write(target, converted.written.arrays)
    except ValueError as problem:
        raise CommandError(f"{source}: {problem}") from None
    except OSError as problem:
        raise CommandError(f"bptt convert: {why(problem)}") from None
    data = _data(converted, arguments, layout)
    return Answer(text="" if arguments.json else "\n".join(_lines(converted, target)), data=data)


def _cell(arguments: Namespace, arrays: Mapping[str, Any]) -> Cell:
    """The cell that is meant: named, or the one that the chosen module can be.

    Raises:
        CommandError: if it is not known which.
    """
    if arguments.of is not None:
        return find_cell(arguments.of)
    found = [m for m in modules_of(arrays) if arguments.module in {None, m.name}]
    found = found or [m for m in modules_of(arrays) if m.name.endswith(f".{arguments.module}")]
    if len(found) != 1:
        shown = "; ".join(module.text for module in found) or "arrays of no framework's names"
        raise CommandError(
            f"{arguments.source}: which cell is not known: {shown}; "
            + ("choose one with --module NAME" if found else "say it with --cell CELL")
        )
    return find_cell(_only(found[0], arguments.source))


def _only(module: Module, path: Path) -> str:
    if module.framework == "ONNX" and module.cells:
        return module.cells[0]  # a node says all of what it computes; the rest are wider cells
    if len(module.cells) != 1:
        raise CommandError(
            f"{path}: {module.text}; "
            + ("say which with --cell" if module.cells else "it cannot be converted")
        )
    return module.cells[0]


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    """The file, once it reads as what was meant; whole or not at all.

    Raises:
        ValueError: if it reads otherwise.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".converting-") as room:
        made = Path(room) / f"weights{path.suffix}"
        write_arrays(made, path.suffix, arrays)
        again = read_arrays(made)
        for name, value in arrays.items():
            if name not in again or not np.array_equal(np.asarray(again[name]), value):
                raise ValueError(f"{path.name}: {name} reads otherwise than it was written")
        del again
        made.replace(path)


def _data(converted: Converted, arguments: Namespace, layout: str) -> dict[str, Any]:
    return {
        "cell": converted.cell.name, "file": str(arguments.target), "layout": layout,
        "from": converted.source,
        "map": dict(converted.written.origin),
        "shapes": {name: list(value.shape) for name, value in converted.written.arrays.items()},
        "functions": list(converted.functions),
        "proof": {
            "error_probability": converted.proof.error_probability,
            "agreement": converted.proof.agreement,
        },
        "rounding": converted.rounding,
        "seed": arguments.seed,
        "versions": {"bptt": toolkit_version(), "numpy": np.__version__},
    }  # fmt: skip


def _lines(converted: Converted, target: Path) -> list[str]:
    rows = [
        (name, str(tuple(value.shape)), f"= {converted.written.origin[name]}")
        for name, value in converted.written.arrays.items()
    ]
    lines = [f"{target}: {converted.cell.name} of {converted.source}", *columns(rows, "  ")]
    if len(converted.functions) > 1:
        lines.append(
            f"{', '.join(converted.functions)}: one function over the prime field (others are with "
            f"probability at most {converted.proof.error_probability:.0e}); with these weights "
            f"they agree to {converted.proof.agreement:.0e}"
        )
    if converted.rounding:
        kind = next(iter(converted.written.arrays.values())).dtype
        lines.append(f"sums are rounded to {kind} by at most {converted.rounding:.0e} of an entry")
    return lines
