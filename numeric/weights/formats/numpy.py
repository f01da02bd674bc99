"""NumPy's `.npz` archives: arrays by name, no pickled objects."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from numeric.weights.formats.stored import Arrays, Stored, checked_shape

Array = Any


def read(path: Path) -> Arrays:
    """The arrays of the archive.

    Raises:
        ValueError: if it is damaged, or holds pickled objects.
    """
    damaged = ValueError(
        f"{path.name}: no .npz archive of plain arrays: it is damaged, or holds pickled objects"
    )
    found = Arrays()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                own = name.removesuffix(".npy")
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    head = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                            else np.lib.format.read_array_header_2_0)  # fmt: skip
                    shape, _, dtype = head(file)
                if dtype.hasobject:
                    raise damaged
                found[own] = Stored(checked_shape(shape, own), dtype, partial(_again, path, own))
    except (ValueError, zipfile.BadZipFile, EOFError, NotImplementedError):
        raise damaged from None
    return found


def _again(path: Path, name: str) -> Array:
    """One array, from the file.

    Raises:
        ValueError: if the archive is damaged there.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return held[name]
    except (ValueError, zipfile.BadZipFile, EOFError):
        raise ValueError(f"{path.name}: {name} is damaged") from None
