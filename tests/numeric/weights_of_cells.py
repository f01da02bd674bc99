"""Random weights of the catalogue's cells, as a reader gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from derive import catalogue
from numeric import compile_cell
from numeric.meaning.sizes import shape_of
from numeric.weights.layer_weights import LayerWeights
from numeric.weights.layouts import layer_prefix


def layers_of(
    cell: str, depth: int = 1, *, both: bool = False, n: int = 2, m: int = 3
) -> list[LayerWeights]:
    """Layers above each other, of n units, the first of m inputs."""
    rng, found = np.random.default_rng(0), []
    for k in range(depth):
        for reverse in (False, True)[: 1 + both]:
            sizes = {"n": n, "m": n * (1 + both) if k else m}
            held = {s.name: rng.normal(size=shape_of(s, sizes)) for s in catalogue[cell].parameters}
            prefix = layer_prefix(k, reverse=reverse) if depth > 1 or both else ""
            found.append(LayerWeights(prefix, held, {name: name for name in held}))
    return found


def states_of(cell: str, layers: list[LayerWeights], x: Any) -> Any:
    """The last layer's states h of every step (T, B, n, or 2n), from states of zero."""
    kernel, rows, side = compile_cell(cell), x, []
    for place, layer in enumerate(layers):
        given = rows[::-1] if layer.reverse else rows
        found = kernel.forward(layer.parameters, {"x": np.ascontiguousarray(given)})[0]["h"]
        side.append(found[::-1] if layer.reverse else found)
        if place + 1 == len(layers) or not layers[place + 1].reverse:
            rows, side = np.concatenate(side, axis=2), []
    return rows
