"""What a command is given as files: weights by layer, and a sequence of inputs.

In: parsed arguments and a cell. Out: a network with parameters for each layer, and arrays.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from derive.cell import Cell, cell_of
from derive.network import Network
from numeric.bounds.batches import Batch, largest_of
from numeric.bounds.stack import network_of
from numeric.dialects.proof import equal_by_name
from numeric.meaning.domains import UndefinedError
from numeric.meaning.sizes import extent_of
from numeric.weights.formats.readers import read_arrays
from numeric.weights.layer_weights import LayerWeights
from numeric.weights.mapping import chosen_module, map_weights, unused
from reports.arguments.sequences import read_sequences

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
    layers, left = read_layers(cell, arguments.weights, arguments.module)
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


def read_layers(
    cell: Cell, path: Path, module: str | None = None
) -> tuple[tuple[LayerWeights, ...], tuple[str, ...]]:
    """The layers' parameters in a file, and the names that are not used.

    `module` names one of several recurrent modules.

    Raises:
        ValueError: for what cannot be mapped, or a framework's weights where the cell is another
            than the one of its name that the framework computes.
        OSError: if the file cannot be read.
    """
    arrays = read_arrays(path)
    layers = map_weights(cell, arrays, module)
    chosen = chosen_module(cell, arrays, module)
    if chosen is not None and not equal_by_name(cell, cell_of(cell.name)):
        raise ValueError(
            f"{path}: the weights of a {cell.name} of {chosen.framework}, and the cell given is "
            f"called {cell.name} but computes another function; convert them with --cell "
            f"{cell.name} to .npz, where they have the names of the cell's parameters"
        )
    return layers, unused(cell, arrays, module)


def given_inputs(cell: Cell, path: Path) -> dict[str, Array]:
    """The one sequence in a file.

    Shapes: (T, m).

    Raises:
        ValueError: if the file holds no sequence of numbers for this cell, or several.
        OSError: if it cannot be read.
    """
    inputs = read_sequences(cell, path)
    count = next(iter(inputs.values())).shape[1]
    if count != 1:
        raise ValueError(f"{path}: expected one sequence, (T, m), came {count}")
    return {name: value[:, 0] for name, value in inputs.items()}


def studied_inputs(
    network: Network,
    layers: Sequence[LayerWeights],
    sizes: Mapping[str, int],
    arguments: Namespace,
    tell: Callable[[str], None],
) -> tuple[dict[str, Array], Batch | None]:
    """The sequence of --inputs; of several the one whose gradient is the largest.

    Shapes: (T, m).

    Raises:
        ValueError: if the file holds no sequences of numbers that fit the parameters.
        OSError: if it cannot be read.
    """
    cell, path = network.cell, arguments.inputs
    inputs = read_sequences(cell, path, arguments.batch_first)
    count = next(iter(inputs.values())).shape[1]
    if count == 1:
        return {name: value[:, 0] for name, value in inputs.items()}, None
    lag = getattr(arguments, "lag", None)
    found = largest_of(
        network, layers, sizes, inputs, lag,
        lambda done, whole: tell(f"{path.name}: sequence {done + 1} of {whole}"),
    )  # fmt: skip
    return {name: value[:, found.shown] for name, value in inputs.items()}, found


def normal_inputs(cell: Cell, sizes: Mapping[str, int], steps: int, seed: int) -> dict[str, Array]:
    """A sequence of standard normal entries.

    Shapes: (T, m).
    """
    rng = np.random.default_rng(seed + 1)
    return {
        symbol.name: _SIGNAL * rng.normal(size=(steps, extent_of(symbol.shape[0], sizes)))
        for symbol in cell.inputs
    }


def refused(command: str, name: str, problem: ValueError, *, drawn: bool = True) -> str:
    """What a command says of numbers that do not fit; of drawn ones, how to give others."""
    told = str(problem).split("\n", 1)[0]
    if drawn and isinstance(problem, UndefinedError):
        return (f"{command}: of the drawn numbers {name} has no value: {told}; give --weights and "
                "--inputs of which it has")  # fmt: skip
    return f"{command}: {told}"
