"""Arrays that stay in their file until their entries are asked for.

In: where an array's entries are. Out: `Stored`, which has a shape and a dtype at once and reads
when NumPy asks; `Unread` for what NumPy has no type for; `Arrays`, a file's arrays by name.
"""

from __future__ import annotations

import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = Any
LARGEST: Final = 1 << 32  # bytes of one array: a small file may claim any shape
MAX_RANK: Final = 32


@dataclass(frozen=True)
class Unread:
    """An array of a type that NumPy has not, such as eight-bit floats: what is known of it."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Stored:
    """An array in a file: `read` gives its entries, each time anew.

    `kept` says how the file keeps them, where they are not there as they are.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array] = field(repr=False)
    kept: str = ""

    @property
    def size(self) -> int:
        """How many entries it has."""
        return math.prod(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        value = np.asarray(self.read())
        return value if dtype is None else value.astype(dtype, copy=False)


class Arrays(dict[str, Any]):
    """A file's arrays by name; `modules`: what it says of its recurrent modules, by their names."""

    def __init__(
        self, arrays: Mapping[str, Array] | Sequence[tuple[str, Array]] = (),
        modules: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(arrays)
        self.modules = dict(modules or {})


def mapped(path: Path) -> Array:
    """The bytes of a file, in memory only where they are looked at."""
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, "r")


def tensor(
    data: Array, shape: Sequence[int], kind: str, types: Mapping[str, str], where: str
) -> Array:
    """The entries in the bytes, `kind` being a name in `types`; "bf16" is widened to float32.

    Raises:
        ValueError: if the bytes are not as many as the shape says.
    """
    shape = checked_shape(shape, where)
    if kind not in types:
        return Unread(kind, shape)
    wide = types[kind] == "bf16"
    dtype = np.dtype("<u2" if wide else types[kind])
    count = math.prod(shape) * dtype.itemsize
    if count != len(data):
        raise ValueError(f"{where}: {len(data)} bytes, where the shape {shape} needs {count}")
    held = data.view(dtype).reshape(shape) if count else np.zeros(shape, dtype)
    if not wide:
        return held
    return Stored(shape, np.dtype(np.float32), lambda: widened(held))


def widened(bits: Array) -> Array:
    """The float32 of which these are the upper halves."""
    return (np.ascontiguousarray(bits).astype(np.uint32) << 16).view(np.float32)


def checked_shape(shape: Sequence[Any], where: str) -> tuple[int, ...]:
    """The shape.

    Raises:
        ValueError: if it is none, or one too large.
    """
    good = len(shape) <= MAX_RANK and all(
        isinstance(extent, (int, np.integer)) and not isinstance(extent, bool) and extent >= 0
        for extent in shape
    )
    if not good or math.prod(map(int, shape)) > LARGEST:
        raise ValueError(f"{where}: no shape, or one too large: {tuple(shape[:MAX_RANK])}")
    return tuple(map(int, shape))


def member(archive: zipfile.ZipFile, name: str, whole: Array) -> Array:
    """The bytes of a file in an archive: where they lie in the file, or unpacked.

    Raises:
        ValueError: if it is compressed and too large, or the archive is damaged.
    """
    info = archive.getinfo(name)
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        start = info.header_offset
        head = bytes(whole[start : start + 30])
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise ValueError(f"{name}: the archive is damaged")
        begin = start + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(
            head[28:30], "little")  # fmt: skip
        if begin + info.file_size > len(whole):
            raise ValueError(f"{name}: the archive is cut short")
        return whole[begin : begin + info.file_size]
    if info.file_size > LARGEST:
        raise ValueError(f"{name}: {info.file_size} bytes when unpacked: too many")
    try:
        return np.frombuffer(archive.read(name), np.uint8)
    except (NotImplementedError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error,
            lzma.LZMAError):  # fmt: skip
        raise ValueError(f"{name}: the archive is damaged, or packed in another way") from None
