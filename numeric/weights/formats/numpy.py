"""NumPy's `.npz` archives: arrays by name, no pickled objects."""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats.stored import LARGEST, Arrays, Stored, Unread, checked_shape

Array = Any
# what zipfile and NumPy raise for an archive that is packed in another way, or damaged
DAMAGED: Final = (
    ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error,
    lzma.LZMAError, tokenize.TokenError, SyntaxError, KeyError,
)  # fmt: skip


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
            for info in archive.infolist():
                name, own = info.filename, info.filename.removesuffix(".npy")
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    head = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                            else np.lib.format.read_array_header_2_0)  # fmt: skip
                    shape, _, dtype = head(file)
                if dtype.hasobject:
                    raise damaged
                shape, size = checked_shape(shape, own), math.prod(shape) * dtype.itemsize
                packed = info.compress_type != zipfile.ZIP_STORED
                found[own] = (
                    Unread(f"{size} bytes when unpacked", shape) if packed and size > LARGEST
                    else Stored(shape, dtype, partial(_again, path, own))
                )  # fmt: skip
    except DAMAGED:
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
    except DAMAGED:
        raise ValueError(f"{path.name}: {name} is damaged") from None
