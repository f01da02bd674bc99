"""PyTorch's files of tensors, written without PyTorch: the zip archive that `torch.load` reads.

In: arrays by name. Out: a `.pt` with an ordered dictionary of tensors, which needs no more than
`torch.load(path, weights_only=True)`. Little-endian, as the archive says.

Source: torch/serialization.py and torch/_utils.py of PyTorch 2.13 (`_rebuild_tensor_v2`).
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = Any
_STORAGES: Final = {"f4": "FloatStorage", "f8": "DoubleStorage"}
_FALSE, _EMPTY, _CALL, _STORE, _END = b"\x89", b")", b"R", b"Q", b"."
_ORDERED: Final = b"ccollections\nOrderedDict\n" + _EMPTY + _CALL


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """A file of the arrays, in float32 or float64.

    Raises:
        ValueError: for an array of another type.
        OSError: if it cannot be written.
    """
    root = path.stem
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", b"".join(_pickled(arrays)))
        archive.writestr(f"{root}/byteorder", "little")
        for place, value in enumerate(arrays.values()):
            kind = value.dtype.newbyteorder("<")
            archive.writestr(f"{root}/data/{place}", np.asarray(value, kind, order="C").tobytes())
        archive.writestr(f"{root}/version", "3\n")


def _pickled(arrays: Mapping[str, Array]) -> Iterator[bytes]:
    """The dictionary as a pickle of protocol 2, each tensor by the recipe that rebuilds it.

    Raises:
        ValueError: for an array of another type.
    """
    yield b"\x80\x02" + _ORDERED + b"("
    for place, (name, value) in enumerate(arrays.items()):
        if (kind := np.dtype(value.dtype).str[1:]) not in _STORAGES:
            raise ValueError(f"{name}: expected float32 or float64, came {value.dtype}")
        shape = np.shape(value)
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        yield _text(name)
        yield b"ctorch._utils\n_rebuild_tensor_v2\n(("
        yield _text("storage") + f"ctorch\n{_STORAGES[kind]}\n".encode() + _text(str(place))
        yield _text("cpu") + _integer(math.prod(shape)) + b"t" + _STORE + _integer(0)
        yield _tuple(shape) + _tuple(strides) + _FALSE + _ORDERED + b"t" + _CALL
    yield b"u" + _END


def _text(text: str) -> bytes:
    held = text.encode()
    return b"X" + struct.pack("<I", len(held)) + held


def _integer(number: int) -> bytes:
    if number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    return b"\x8a\x08" + struct.pack("<q", number)


def _tuple(numbers: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(_integer, numbers)) + b"t"
