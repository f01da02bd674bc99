"""A file of weights → its arrays by name, whatever framework wrote it. Nothing of it is executed.

In: the path of a file. Out: `Arrays`, each array read where its entries are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from numeric.weights.formats import keras, numpy, onnx, pytorch, safetensors, tflite
from numeric.weights.formats.stored import Arrays

READERS: Final[Mapping[str, Callable[[Path], Arrays]]] = {
    ".npz": numpy.read,
    ".safetensors": safetensors.read,
    ".pt": pytorch.read,
    ".pth": pytorch.read,
    ".keras": keras.read_keras,
    ".h5": keras.read_h5,
    ".onnx": onnx.read,
    ".tflite": tflite.read,
}


def read_arrays(path: Path) -> Arrays:
    """The arrays of the file by name; those of a type that NumPy has not are `Unread`.

    Raises:
        ValueError: for a file of another kind, or one that is damaged.
        OSError: if it cannot be read.
    """
    if path.suffix not in READERS:
        raise ValueError(
            f"{path.name}: expected {', '.join(READERS)}, came {path.suffix!r}; save the arrays "
            "as .npz or .safetensors"
        )
    with path.open("rb"):
        return READERS[path.suffix](path)
