"""Arrays by the names of a layout → a file that another program opens.

In: arrays, what kind of file. Out: the file. Which layouts a kind of file holds is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats import keras_writing, onnx_writing, pytorch_writing, safetensors
from numeric.weights.laid_out import KERAS, ONNX, OURS, PYTORCH
from numeric.weights.modules import modules_of

Array = Any
Arrays = Mapping[str, Array]


def _npz(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


@dataclass(frozen=True)
class Format:
    """A kind of file: what writes it, and whose names it holds, the usual ones first.

    `widest`: no number is wider, where the programs that run it take none that is
    (findings/onnxruntime_lacks_float64_recurrent_nodes.sh). `opened` says of its
    arrays what opens it; nothing where any name will do.
    """

    write: Callable[[Path, Arrays], None]
    layouts: tuple[str, ...]
    widest: type[np.floating[Any]] = np.float64
    opened: Callable[[Arrays], str] = lambda arrays: ""


FORMATS: Final[Mapping[str, Format]] = {
    ".npz": Format(_npz, (OURS, PYTORCH)),
    ".safetensors": Format(safetensors.write, (OURS, PYTORCH)),
    ".pt": Format(pytorch_writing.write, (PYTORCH, OURS)),
    ".pth": Format(pytorch_writing.write, (PYTORCH, OURS)),
    ".weights.h5": Format(keras_writing.write_h5, (KERAS,), opened=keras_writing.weights_opened),
    ".keras": Format(keras_writing.write_keras, (KERAS,), opened=keras_writing.model_opened),
    ".onnx": Format(onnx_writing.write, (ONNX,), np.float32, onnx_writing.opened),
}


def ending(path: Path) -> str:
    """The kind of file that the path names, one of `FORMATS`.

    Raises:
        ValueError: if it names another.
    """
    for found in FORMATS:
        if path.name.endswith(found) and path.name != found:
            return found
    raise ValueError(
        f"expected a name that ends in {', '.join(FORMATS)}, came {path.suffix or path.name!r}"
    )


def write_arrays(path: Path, arrays: Arrays) -> None:
    """The arrays in a file of the kind that the path names.

    Raises:
        ValueError: for a path of another kind, or what the kind has no place for.
        OSError: if it cannot be written.
    """
    FORMATS[ending(path)].write(path, arrays)


def reads_as(again: Arrays, arrays: Arrays, cell: str) -> str:
    """What a file, read again, holds otherwise than it was meant; empty where it is the same.

    Beside the entries, the file's recurrent modules must be the cell's and made of these arrays:
    what decides on their function, such as an attribute, is no array.
    """
    for name, value in arrays.items():
        if name not in again or not np.array_equal(np.asarray(again[name]), value):
            return f"{name} reads otherwise than it was written"
    meant, found = ({m.names: m for m in modules_of(held)} for held in (arrays, again))
    for names, module in meant.items():
        other = found.get(names)
        same = (
            other is not None
            and cell in other.cells
            and all(
                getattr(module, one) == getattr(other, one) for one in ("sizes", "depth", "both")
            )
        )
        if not same:
            return f"{module.text} reads as {other.text if other else 'no module'}"
    return ""
