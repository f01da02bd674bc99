"""Sequences in a file → arrays (T, B, m) by input: .npy, .npz or .csv.

In: a cell and the path of --inputs. Out: an array for each input of the cell, float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.weights.formats.numpy import DAMAGED

Array = Any
_NUMBERS: Final = (np.floating, np.integer)
_SHAPES: Final = {False: "(T, m) or (T, B, m)", True: "(T, m) or (B, T, m)"}


def read_sequences(cell: Cell, path: Path, batch_first: bool = False) -> dict[str, Array]:
    """The sequences in a file, one or a batch of them.

    A .csv or .npy file holds the only input; an .npz file one array, or one named as each input.

    Shapes: (T, B, m).

    Raises:
        ValueError: if the file holds no sequences of numbers for this cell.
        OSError: if it cannot be read.
    """
    names = [symbol.name for symbol in cell.inputs]
    held = _READ.get(path.suffix.lower(), _npy)(path)
    if len(held) == 1 and len(names) == 1:
        held = {names[0]: next(iter(held.values()))}
    if missing := [name for name in names if name not in held]:
        raise ValueError(
            f"{path}: {cell.name} has the inputs {', '.join(names)}; expected an .npz file with "
            f"an array of that name for each, came none for {', '.join(missing)}"
        )
    made = {name: _batch(held[name], path, batch_first) for name in names}
    if len({value.shape[:2] for value in made.values()}) > 1:
        came = ", ".join(f"{name} {value.shape}" for name, value in made.items())
        raise ValueError(f"{path}: expected the same T and B for every input, came {came}")
    return made


def _batch(value: Array, path: Path, batch_first: bool) -> Array:
    """The array as (T, B, m).

    Raises:
        ValueError: for another shape, or what is no finite number.
    """
    if not any(np.issubdtype(value.dtype, kind) for kind in _NUMBERS):
        raise ValueError(f"{path}: expected numbers, came {value.dtype}")
    if value.ndim not in {2, 3} or not value.size:
        raise ValueError(f"{path}: expected the shape {_SHAPES[batch_first]}, came {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"{path}: holds NaN or infinities")
    made = np.asarray(value, dtype=np.float64)
    if made.ndim == 2:
        return made[:, None]
    return made.swapaxes(0, 1) if batch_first else made


def _npy(path: Path) -> Mapping[str, Array]:
    try:
        with path.open("rb") as file:
            value = np.load(file, allow_pickle=False)
            if isinstance(value, np.ndarray):
                return {"": value}
            return {name: value[name] for name in value.files}
    except DAMAGED:
        raise ValueError(
            f"{path}: expected numbers as .npy, .npz or .csv, came another kind of file"
        ) from None


def _csv(path: Path) -> Mapping[str, Array]:
    """One step a line; a first line of names is passed over.

    Raises:
        ValueError: naming the step whose line does not fit.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    rows = [line.split(",") for line in lines if line.strip()]
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]
    for place, row in enumerate(rows, 1):
        if len(row) != len(rows[0]) or not all(map(_is_number, row)):
            raise ValueError(
                f"{path}: expected {len(rows[0])} numbers between commas in each line, came "
                f"{','.join(row)[:40]!r} at step {place}"
            )
    return {"": np.array([[float(word) for word in row] for row in rows])}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


_READ: Final = {".csv": _csv}
