"""The format safetensors: tensors by name, each where it lies in the file.

In: a file that its library finds whole. Out: arrays by name, views of the file, or a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from numeric.weights.formats.stored import Arrays, mapped, tensor

_TYPES: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bf16", "C64": "<c8", "BOOL": "?",
    **{f"{sign}{8 * width}": f"<{sign.lower()}{width}" for sign in "IU" for width in (1, 2, 4, 8)},
}  # fmt: skip


def read(path: Path) -> Arrays:
    """The tensors of the file, bfloat16 widened to float32.

    Raises:
        ValueError: if the file is not of that format.
    """
    path.open("rb").close()  # why a file cannot be read, the operating system says
    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as problem:
        raise ValueError(f"{path.name}: no safetensors file, or one cut short: {problem}") from None
    whole = mapped(path)
    length = int.from_bytes(bytes(whole[:8]), "little")
    header: dict[str, Any] = json.loads(bytes(whole[8 : 8 + length]))
    also: dict[str, str] = header.pop("__metadata__", {})
    body = whole[8 + length :]
    found = Arrays()
    for name, held in header.items():
        start, end = held["data_offsets"]
        found[name] = tensor(body[start:end], held["shape"], held["dtype"], _TYPES, name)
    for name, kept in also.items():
        if kept in header and name not in header:  # of tied tensors save_model keeps one
            found[name] = found[kept]
    return found


def write(path: Path, arrays: Mapping[str, Any]) -> None:
    """A file of the arrays.

    Raises:
        OSError: if it cannot be written.
    """
    try:  # by rows: findings/safetensors_reorders_transposed_arrays.sh
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)
    except SafetensorError as problem:
        raise OSError(str(problem)) from None
