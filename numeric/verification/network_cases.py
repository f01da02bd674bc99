"""One concrete call of a network's module: parameters of every layer, inputs, targets, lengths.

In: a network, sizes, a seed, a dtype and a regime. Out: `NetworkCase`. Names and shapes follow
from the network itself; the seed feeds the generator, as for cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from derive.network import Layer, Network
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import extent_of, shape_of, size_names
from numeric.verification.cases import GROUPS, LONG, REGIMES, WIDE, Arrays, Case, regimes_at_zero

_SIZES: Final = (3, 2, 4, 5)
_FLOATING: Final = (*GROUPS, "constants")


@dataclass(frozen=True)
class NetworkCase(Case):
    """What `loss_and_gradient` is called with; all floating arrays of one dtype.

    Shapes: lengths (B,) or None; inputs and targets may be integers.
    """

    targets: Any = field(repr=False, default=None)
    lengths: Any = None

    def groups(self) -> Iterator[tuple[str, str, Any]]:
        """Every array that has a gradient: group, name, value."""
        for group, name, value in super().groups():
            if not whole(value):
                yield group, name, value

    def mapped(self, change: Any) -> NetworkCase:
        """The case with every array that is not of integers changed by the function."""
        changed: dict[str, Any] = {
            kind: {n: a if whole(a) else change(a) for n, a in getattr(self, kind).items()}
            for kind in _FLOATING
        }
        targets = self.targets if whole(self.targets) else change(self.targets)
        return replace(self, targets=targets, **changed)

    def widened(self) -> NetworkCase:
        """The same numbers in float64, without any rounding."""
        return self.mapped(lambda array: np.asarray(array, dtype=np.float64))

    def describe(self) -> dict[str, Any]:
        """What it takes to make the case again."""
        lengths = None if self.lengths is None else [int(length) for length in self.lengths]
        return {**super().describe(), "lengths": lengths}

    @property
    def ends(self) -> Any:
        """The length of every sample."""
        return np.full(self.batch, self.steps) if self.lengths is None else self.lengths

    @property
    def outside(self) -> Any:
        """Where a sample has ended.

        Shapes: (T, B).
        """
        return np.arange(self.steps)[:, None] >= self.ends

    def arguments(self) -> tuple[Any, ...]:
        """What `loss_and_gradient` takes, in its order."""
        return (
            self.params, self.inputs, self.targets, self.initial, self.constants, self.lengths
        )  # fmt: skip


def whole(array: Any) -> bool:
    """Whether the array is of integers."""
    return getattr(array, "dtype", None) is not None and array.dtype.kind in "iu"


def network_sizes(network: Network) -> tuple[str, ...]:
    """The names of the network's sizes, the state's first."""
    own = [*size_names(network.cell), "q", *(["v"] if network.embedding else [])]
    return tuple(dict.fromkeys(own))


def layer_sizes(network: Network, layer: Layer, sizes: Mapping[str, int]) -> dict[str, int]:
    """The cell's sizes in that layer: above the lowest, an input has the size of what feeds it."""
    found = dict(sizes)
    if layer.depth:
        first, *others = network.cell.inputs
        found[str(first.shape[0])] = extent_of(layer.width, sizes)
        for x in others:
            if (state := network.lower_state(x)) is not None:
                found[str(x.shape[0])] = extent_of(state.shape[0], sizes)
    return found


def parameter_shapes(network: Network, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter by its name."""
    width = extent_of(network.width, sizes)
    found: dict[str, tuple[int, ...]] = {}
    if network.embedding:
        found["embedding.E"] = (sizes["v"], extent_of(network.input_size, sizes))
    for layer in network.stack:
        own = layer_sizes(network, layer, sizes)
        for symbol in network.cell.parameters:
            found[f"{layer.name}.{symbol.name}"] = shape_of(symbol, own)
    return {**found, "readout.V": (sizes["q"], width), "readout.c": (sizes["q"],)}


def initial_shapes(network: Network, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shape of every initial state by its name, without the batch."""
    return {
        f"{layer.name}.{state.name}": shape_of(state, sizes)
        for layer in network.stack
        for state in network.cell.states
    }


def declared_by_network(network: Network) -> dict[str, dict[str, int]]:
    """The names in each module constant that the network asks for, and their axes."""
    sizes, cell = ordinary_network_sizes(network), network.cell
    first = cell.inputs[0].name
    constants = {c.name: len(shape_of(c, sizes)) + (c.name in cell.sequences)
                 for c in cell.constants}  # fmt: skip
    return {
        "PARAMETERS": {n: len(shape) for n, shape in parameter_shapes(network, sizes).items()},
        "INPUTS": {x.name: int(not (network.embedding and x.name == first)) for x in cell.inputs},
        "STATES": {n: len(shape) for n, shape in initial_shapes(network, sizes).items()},
        "CONSTANTS": {**constants, **dict.fromkeys(_masks(network), 2)},
    }


def _masks(network: Network) -> list[str]:
    """The dropout masks, one above every layer but the top one."""
    return [f"layer{depth}.dropout" for depth in range(network.layers - 1) if network.dropout]


def gradient_names(network: Network) -> list[tuple[str, str]]:
    """Group and name of every gradient."""
    declared = declared_by_network(network)
    return [
        *(("params", name) for name in declared["PARAMETERS"]),
        *(("inputs", name) for name, axes in declared["INPUTS"].items() if axes),
        *(("initial", name) for name in declared["STATES"]),
    ]


def make_network_case(
    network: Network,
    sizes: Mapping[str, int],
    *,
    steps: int,
    batch: int,
    seed: int = 0,
    regime: str = "ordinary",
    dtype: str = "float64",
) -> NetworkCase:
    """The case of these sizes; nonzero initial states and biases.

    Three seeds in four have lengths, from 0 up, or from 1 where the loss is at the last step.
    """
    rng = np.random.default_rng(seed)
    scale, cell = REGIMES[regime], network.cell

    def normal(shape: tuple[int, ...], deviation: float) -> Any:
        return np.asarray(rng.normal(size=shape) * deviation).astype(dtype)

    def parameter(shape: tuple[int, ...]) -> Any:
        gain = scale.gain / max(1, shape[-1]) ** 0.5 if len(shape) == 2 else scale.bias
        return normal(shape, gain)

    params = {name: parameter(s) for name, s in parameter_shapes(network, sizes).items()}
    inputs: Arrays = {
        x.name: normal((steps, batch, *shape_of(x, sizes)), scale.signal) for x in cell.inputs
    }
    if network.embedding:
        params["embedding.E"] = normal(params["embedding.E"].shape, scale.signal)
        indices = rng.integers(0, sizes["v"], (steps, batch))
        inputs = {**inputs, cell.inputs[0].name: indices}
    initial = {
        name: normal((batch, *shape), scale.state)
        for name, shape in initial_shapes(network, sizes).items()
    }
    lead = (batch,) if network.loss_at == "last" else (steps, batch)
    targets = normal((*lead, sizes["q"]), scale.signal)
    if network.loss == "cross_entropy":
        targets = rng.integers(0, sizes["q"], lead)
    shortest = min(steps, int(network.loss_at == "last"))
    drawn = rng.integers(shortest, steps + 1, batch)
    return NetworkCase(
        steps, batch, dict(sizes), seed, regime, dtype,
        params=params, inputs=inputs, initial=initial,
        constants=_constants(network, sizes, steps, batch, seed, normal),
        cotangents={}, targets=targets, lengths=drawn if seed % 4 else None,
    )  # fmt: skip


def _constants(
    network: Network, sizes: Mapping[str, int], steps: int, batch: int, seed: int, normal: Any
) -> Arrays:
    """Random constants; one seed in three takes the cell's defaults where it has any."""
    cell, given = network.cell, {}
    if cell.defaults and seed % 3 == 0:
        with suppress(ValueError):  # values in the file that are of other sizes
            given = default_constants(cell, {**sizes, "T": steps})
    lead = (steps, batch) if seed % 2 else (steps,)
    found: dict[str, Any] = {}
    for symbol in cell.constants:
        if symbol.name in given:
            found[symbol.name] = np.asarray(given[symbol.name]).astype(normal((), 1.0).dtype)
        else:
            timed = lead if symbol.name in cell.sequences else ()
            found[symbol.name] = normal((*timed, *shape_of(symbol, sizes)), 1.0)
    width = extent_of(network.width, sizes)
    return found | {name: normal((*lead, width), 1.0) for name in _masks(network)}


def ordinary_network_sizes(network: Network, largest: int = 5) -> dict[str, int]:
    """Sizes that tell a matrix from its transpose: neighbours differ."""
    return {
        name: min(largest, _SIZES[place % len(_SIZES)])
        for place, name in enumerate(network_sizes(network))
    }


def ordinary_network_cases(
    network: Network, regimes: Iterable[str], *, seed: int = 0, largest: int = 5, steps: int = 4,
    batch: int = 3,
) -> Iterator[NetworkCase]:  # fmt: skip
    """Cases that no mistake of the usual kind survives: several steps, samples and lengths."""
    sizes = ordinary_network_sizes(network, largest)
    for number, regime in enumerate(regimes):
        for dtype in ("float64", "float32"):
            yield make_network_case(
                network, sizes, steps=min(steps, REGIMES[regime].longest), batch=batch,
                seed=seed + number + (dtype == "float32"), regime=regime, dtype=dtype,
            )  # fmt: skip


def unusual_network_cases(network: Network, *, seed: int = 0) -> Iterator[NetworkCase]:
    """A wide one, a long one, and zeros: code may be right as long as everything is usual."""
    names = network_sizes(network)
    wide = {name: WIDE[place % len(WIDE)] for place, name in enumerate(names)}
    usual = ordinary_network_sizes(network)
    for sizes, steps, batch in ((wide, 3, 9), (usual, LONG // 2, 2)):
        yield make_network_case(
            network, sizes, steps=steps, batch=batch, seed=seed + 1, regime="contracting"
        )
    for regime in regimes_at_zero(network.cell):
        yield make_network_case(network, usual, steps=3, batch=2, seed=seed + 1, regime=regime)


def smaller_network_cases(network: Network, case: NetworkCase) -> Iterator[NetworkCase]:
    """The same seed and regime with one size smaller: first by half, then by one."""
    extents_now = {"T": case.steps, "B": case.batch, **case.sizes}
    for by_half in (True, False):
        for name, size in extents_now.items():
            less = size // 2 if by_half else size - 1
            if less >= (2 if name == "q" else 1):
                extents = {**extents_now, name: less}
                steps, batch = extents.pop("T"), extents.pop("B")
                yield make_network_case(
                    network, extents, steps=steps, batch=batch, seed=case.seed,
                    regime=case.regime, dtype=case.dtype,
                )  # fmt: skip
