"""A cell's parameters → arrays by the names of a layout, and a file of them.

In: `LayerWeights`. Out: arrays, what each is made of, and a file that another program opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats import pytorch_writing, safetensors
from numeric.weights.layer_weights import LayerWeights
from numeric.weights.layouts import TORCH, to_torch

Array = Any
OURS, PYTORCH = "ours", "pytorch"
LAYOUTS: Final = (OURS, PYTORCH)


@dataclass(frozen=True)
class Written:
    """Arrays by name, and of each what it is made of."""

    arrays: Mapping[str, Array]
    origin: Mapping[str, str]


def laid_out(cell: str, layers: Sequence[LayerWeights], layout: str) -> Written:
    """The parameters of all layers in a layout.

    Raises:
        ValueError: for a cell that the layout has no names for.
    """
    if layout == OURS:
        return Written(
            {f"{one.prefix}{n}": v for one in layers for n, v in one.parameters.items()},
            {f"{one.prefix}{n}": one.origin[n] for one in layers for n in one.parameters},
        )
    params = {f"{one.prefix}{n}": v for one in layers for n, v in one.parameters.items()}
    arrays = to_torch(params, cell)
    gates = TORCH[cell]
    names = {
        "weight_ih": [gate.input for gate in gates], "weight_hh": [g.recurrent for g in gates],
        "bias_ih": [gate.bias for gate in gates],
        "bias_hh": [gate.recurrent_bias or "0" for gate in gates],
    }  # fmt: skip
    said = {kind: "0" if {*own} == {"0"} else ", ".join(own) + " below each other" * (len(own) > 1)
            for kind, own in names.items()}  # fmt: skip
    return Written(arrays, {name: said[name[: name.index("_l")]] for name in arrays})


def _npz(path: Path, arrays: Mapping[str, Array]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


WRITERS: Final[Mapping[str, Callable[[Path, Mapping[str, Array]], None]]] = {
    ".npz": _npz, ".safetensors": safetensors.write, ".pt": pytorch_writing.write,
    ".pth": pytorch_writing.write,
}  # fmt: skip


def write_arrays(path: Path, suffix: str, arrays: Mapping[str, Array]) -> None:
    """The arrays in a file of the kind that the suffix names.

    Raises:
        ValueError: for another suffix.
        OSError: if it cannot be written.
    """
    if suffix not in WRITERS:
        raise ValueError(f"expected one of {', '.join(WRITERS)}, came {suffix!r}")
    WRITERS[suffix](path, arrays)
