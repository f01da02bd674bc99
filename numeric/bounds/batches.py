"""Of a batch of sequences the one whose gradient is the largest at the last lag.

In: a `Network` with parameters, sequences (T, B, m). Out: `Batch`: the norm of each, measured by
the emitted code, and which is the largest: where that one vanishes, the others are smaller still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.calculus.through_time import derivation_of
from derive.network import Network
from numeric.bounds.one_sequence.step_jacobians import Run, StateOverflowError, run
from numeric.bounds.remedy import measured_norm
from numeric.bounds.stack import received, require_fit, sizes_of_layer
from numeric.meaning.default_constants import default_constants
from numeric.weights.layer_weights import LayerWeights

Array = Any


@dataclass(frozen=True)
class Batch:
    """The sequence that is studied, from 0, and log10 of the norm of each; ∞ if it overflows."""

    shown: int
    log10_measured: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        held = [v if np.isfinite(v) else None for v in self.log10_measured]
        return {
            "count": len(held), "shown": self.shown, "log10_measured": held,
            "reason": "null: a state overflows, or the product is zero",
        }  # fmt: skip


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def largest_of(
    network: Network,
    layers: Sequence[LayerWeights],
    sizes: Mapping[str, int],
    inputs: Mapping[str, Array],
    lag: int | None = None,
    tell: Callable[[int, int], None] = lambda done, whole: None,
) -> Batch:
    """The norm of each sequence, of its layers the largest, and which sequence has the largest.

    Shapes: inputs (T, B, m).

    Raises:
        ValueError: for inputs that do not fit the parameters, or a lag out of range.
    """
    steps, count = next(iter(inputs.values())).shape[:2]
    lag = steps if lag is None else lag
    if not 1 <= lag <= steps:
        raise ValueError(f"lag: expected 1 to {steps}, the steps there are, came {lag}")
    found = []
    for place in range(count):
        tell(place, count)
        one = {name: value[:, place] for name, value in inputs.items()}
        try:
            found.append(max(measured_norm(path, lag)
                             for path in _runs(network, layers, sizes, one)))  # fmt: skip
        except StateOverflowError:
            found.append(np.inf)
    return Batch(int(np.argmax(found)), tuple(map(float, found)))


def _runs(
    network: Network, layers: Sequence[LayerWeights], sizes: Mapping[str, int],
    inputs: Mapping[str, Array],
) -> list[Run]:  # fmt: skip
    """Every layer and direction along the sequence."""
    derivation, made = derivation_of(network.cell), list[Run]()
    lower, depth, before = list[Run](), 0, 0
    for layer, held in zip(network.stack, layers, strict=True):
        if layer.depth != depth:
            lower, depth, before = made[before:], layer.depth, len(made)
        signal = received(network, layer, lower, inputs)
        own = sizes_of_layer(network.cell, held, sizes, signal)
        require_fit(layer, signal, own)
        steps = len(next(iter(signal.values())))
        constants = default_constants(network.cell, {**own, "T": steps})
        made.append(run(derivation, held.parameters, signal, None, constants))
    return made
