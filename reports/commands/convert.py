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
from numeric.weights.mapping import only_module
from numeric.weights.module import Module
from numeric.weights.written import FORMATS, ending, reads_as, write_arrays
from reports.arguments.which_cell import find_cell
from reports.document.special_files import special
from reports.terminal.console import Answer, CommandError, columns, toolkit_version, why

_SHOWN: Final = 8  # arrays that are left out, by name


def run(arguments: Namespace) -> Answer:
    """The file, written whole once the conversion is proved; its mapping and the proof.

    Raises:
        CommandError: for what cannot be read, mapped, proved or written.
    """
    source, target = arguments.source, arguments.target
    try:
        kind = FORMATS[ending(target)]
    except ValueError as problem:
        raise CommandError(f"{target}: {problem}{_keras_has(target)}") from None
    if target.exists() and not arguments.force and not special(target):
        raise CommandError(
            f"{target}: there is a file; name another, or write over it with --force"
        )
    layout = arguments.layout or kind.layouts[0]
    if layout not in kind.layouts:
        raise CommandError(_other_names(target, layout))
    try:
        arrays = read_arrays(source)
        cell = _cell(arguments, arrays)
        converted = convert(cell, arrays, layout, arguments.module, arguments.seed,
                            kind.widest)  # fmt: skip
        _write(target, converted.written.arrays, cell)
    except ValueError as problem:
        raise CommandError(f"{source}: {problem}") from None
    except OSError as problem:
        of_source = problem.filename is not None and Path(problem.filename) == source
        where = source if of_source else target
        raise CommandError(f"bptt convert: {where}: {why(problem)}") from None
    opened = kind.opened(converted.written.arrays)
    data = _data(converted, arguments, layout) | {"opened": opened or None}
    lines = [*_lines(converted, target), *([opened] if opened else [])]
    return Answer(text="" if arguments.json else "\n".join(lines), data=data)


def _keras_has(target: Path) -> str:
    """The name that Keras reads in its present form; of `.h5` alone it expects its old one."""
    if target.suffix != ".h5":
        return ""
    return f"; Keras reads {target.with_suffix('.weights.h5').name}"


def _other_names(target: Path, layout: str) -> str:
    """Why the file has not that layout's names, and which files have."""
    held = " or ".join(FORMATS[ending(target)].layouts)
    files = ", ".join(name for name, kind in FORMATS.items() if layout in kind.layouts)
    return (f"{target}: such a file has names of the layout {held}, not {layout}: leave --layout "
            f"away, or write {files}")  # fmt: skip


def _cell(arguments: Namespace, arrays: Mapping[str, Any]) -> Cell:
    """The cell that is meant: named, or the one that the chosen module can be.

    Raises:
        CommandError: if it is not known which.
        ValueError: if it is not known which module.
    """
    if arguments.of is not None:
        return find_cell(arguments.of)
    found = only_module(arrays, arguments.module)
    if found is None:
        raise CommandError(
            f"{arguments.source}: which cell is not known: arrays of no framework's names; say it "
            "with --cell CELL"
        )
    return find_cell(_only(found, arguments.source))


def _only(module: Module, path: Path) -> str:
    if module.framework == "ONNX" and module.cells:
        return module.cells[0]  # a node says all of what it computes; the rest are wider cells
    if len(module.cells) != 1:
        raise CommandError(
            f"{path}: {module.text}; "
            + ("say which with --cell" if module.cells else "it cannot be converted")
        )
    return module.cells[0]


def _write(path: Path, arrays: Mapping[str, Any], cell: Cell) -> None:
    """The file, once it reads as what was meant; whole or not at all.

    Raises:
        ValueError: if it reads otherwise.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".converting-") as room:
        made = Path(room) / f"weights{ending(path)}"
        write_arrays(made, arrays)
        again = read_arrays(made)
        if other := reads_as(again, arrays, cell.name):
            raise ValueError(f"{path.name}: {other}")
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
        "left_out": list(converted.left),
        "assumed": converted.unsaid or None,
        "starts": converted.starts or None,
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
    if converted.unsaid:
        lines.append(f"the file read does not say: {converted.unsaid}; it is taken for "
                     f"{converted.cell.name} as {converted.source} usually runs it")  # fmt: skip
    if converted.starts:
        lines.append(f"{converted.starts}: what is written starts at zeros unless it is given that "
                     "as its initial state")  # fmt: skip
    if converted.left:
        more = ", …" if len(converted.left) > _SHOWN else ""
        lines.append(f"not in it: {', '.join(converted.left[:_SHOWN])}{more}")
    if converted.rounding:
        kind = next(iter(converted.written.arrays.values())).dtype
        what = "entries are" if converted.narrowed else "sums are"
        lines.append(f"{what} rounded to {kind} by at most {converted.rounding:.0e} of an entry")
    return lines
