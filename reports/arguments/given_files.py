"""What a command is given as files: weights by layer, and a sequence of inputs.

In: parsed arguments and a cell. Out: a network with parameters for each layer, and arrays.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.language.expr import size_name
from derive.network import Network
from numeric.bounds.stack import network_of
from numeric.weights.files import LayerWeights, map_weights, read_arrays, unused

Array = Any
_SIGNAL: Final = 1.0


def given_layers(
    cell: Cell, arguments: Namespace
) -> tuple[Network, tuple[LayerWeights, ...], tuple[str, ...]]:
    """The network in the file of --weights, its parameters, and the names that are not used.

    Raises:
        ValueError: for what cannot be mapped, or other layers than the flags ask for.
        OSError: if the file cannot be read.
    """
    layers, left = read_layers(cell, arguments.weights)
    network = network_of(cell, layers)
    for flag, came, wanted in (
        ("--layers", network.layers, arguments.layers),
        ("--bidirectional", network.bidirectional, arguments.bidirectional or None),
    ):
        if wanted is not None and came != wanted:
            held = f"{network.layers} layer{'s'[: network.layers > 1]}, " + (
                "both directions" if network.bidirectional else "one direction")  # fmt: skip
            raise ValueError(f"{arguments.weights}: holds {held}, but {flag} asks for others")
    return network, layers, left


def read_layers(cell: Cell, path: Path) -> tuple[tuple[LayerWeights, ...], tuple[str, ...]]:
    """The layers' parameters in a file, and the names that are not used.

    Raises:
        ValueError: for what cannot be mapped.
        OSError: if the file cannot be read.
    """
    arrays = read_arrays(path)
    return map_weights(cell, arrays), unused(cell, arrays)


def given_inputs(cell: Cell, path: Path) -> dict[str, Array]:
    """The sequence in a .npy file.

    Shapes: (T, m).

    Raises:
        ValueError: if the file holds no sequence of numbers for this cell.
        OSError: if it cannot be read.
    """
    if len(cell.inputs) != 1:
        raise ValueError(f"--inputs: {cell.name} has {len(cell.inputs)} inputs, expected one")
    try:
        value = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise ValueError(f"{path}: no .npy file of plain numbers") from None
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{path}: expected one array (.npy), came an archive")
    if not any(np.issubdtype(value.dtype, kind) for kind in (np.floating, np.integer)):
        raise ValueError(f"{path}: expected numbers, came {value.dtype}")
    if value.ndim == 3 and value.shape[1] == 1:
        value = value[:, 0]
    if value.ndim != 2 or not len(value):
        raise ValueError(f"{path}: expected the shape (T, m), came {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"{path}: holds NaN or infinities")
    return {cell.inputs[0].name: np.asarray(value, dtype=np.float64)}


def normal_inputs(cell: Cell, sizes: Mapping[str, int], steps: int, seed: int) -> dict[str, Array]:
    """A sequence of standard normal entries.

    Shapes: (T, m).
    """
    rng = np.random.default_rng(seed + 1)
    return {
        symbol.name: _SIGNAL * rng.normal(size=(steps, sizes[size_name(symbol.shape[0])]))
        for symbol in cell.inputs
    }
