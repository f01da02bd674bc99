"""A stack of layers diagnosed one by one: what a layer hands up is what the next one is given.

In: a `Network`, parameters for each layer and direction, an input sequence or a box. Out: a
`Diagnosis` for each. The step Jacobian of the whole stack is block triangular with those of the
layers on its diagonal, so its eigenvalues, and the rate at which its products grow, are the
largest of the layers'; directions do not meet within a layer, so each is a chain of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np

from derive.cell import Cell, dimensions
from derive.language.expr import size_name
from derive.network import Layer, Network
from derive.saying import said
from numeric.bounds.diagnosis import EXACT, EXPLODES, VANISHES, WHOLE, Diagnosis, Ends, diagnose
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import extent_of, shape_of, size_names
from numeric.weights.layer_weights import LayerWeights

Array = Any
ROUNDED: Final = said(
    "the parameters are float64 numbers made of the given ones as the mapping says, which rounds"
)
_STEPS: Final = 60


@dataclass(frozen=True)
class Stack:
    """The diagnoses of all layers and directions, the lowest first, forward before reverse."""

    network: Network
    layers: tuple[LayerWeights, ...]
    found: tuple[Diagnosis, ...]

    @property
    def decisive(self) -> int:
        """The place of the layer that decides the verdict on the stack.

        One that explodes, else one that is undecided, else the slowest to vanish.
        """

        def key(place: int) -> tuple[int, float]:
            one = self.found[place]
            rank = {EXPLODES: 2, VANISHES: 0}.get(one.verdict, 1)
            size = np.inf if one.rate is None else one.rate
            return rank, float(one.log10_measured[-1] if one.log10_measured else size)

        return max(range(len(self.found)), key=key)

    @property
    def rate(self) -> float | None:
        """The largest certified rate; None where a layer has none."""
        rates = [one.rate for one in self.found]
        return None if None in rates else max(rate for rate in rates if rate is not None)


def draw_layers(
    network: Network, sizes: Mapping[str, int], gain: float, seed: int, input_scale: float = 1.0
) -> tuple[LayerWeights, ...]:
    """Random parameters for each layer and direction, as `spectra.draw` does for one cell."""
    made = []
    for place, layer in enumerate(network.stack):
        own = {**sizes, **{size_name(extent): extent_of(width, sizes)
                           for extent, width in network.sizes_in(layer).items()}}  # fmt: skip
        values = draw(network.cell, own, gain, 1, seed + place, input_scale)["parameters"]
        single = len(network.stack) == 1
        made.append(LayerWeights("" if single else f"{layer.name}.", values, {}))
    return tuple(made)


def network_of(cell: Cell, layers: Sequence[LayerWeights]) -> Network:
    """The network that the layers of a file make.

    Raises:
        ValueError: if a layer or direction is missing between others.
        CellError: if layers of the cell cannot be stacked so.
    """
    both = any(layer.reverse for layer in layers)
    depth = len(layers) // (2 if both else 1)
    network = Network(cell, layers=max(depth, 1), bidirectional=both)
    wanted = [f"{layer.name}." for layer in network.stack]
    came = [layer.prefix for layer in layers]
    if came not in (wanted, [""]):
        raise ValueError(f"layers: expected {', '.join(wanted)} came {', '.join(came)}")
    return network


def sizes_of_layer(
    cell: Cell,
    layer: LayerWeights,
    given: Mapping[str, int],
    inputs: Mapping[str, Array] | None = None,
) -> dict[str, int]:
    """The sizes that the parameters have, then those of inputs; `given` for what neither shows.

    Of a sum of sizes, as columns behind `concat` have, the last that is not known follows.

    Shapes: inputs (T, m).

    Raises:
        ValueError: if a sum is known and its parts are not, or leave nothing for one.
    """
    shown = [
        (symbol, extent, count)
        for symbol in cell.parameters
        for extent, count in zip(symbol.shape, np.shape(layer.parameters[symbol.name]),
                                 strict=False)
    ]  # fmt: skip
    sizes = {size_name(extent): count for _, extent, count in shown if extent.is_Symbol}
    for name, value in (inputs or {}).items():
        (extent,) = (symbol.shape[0] for symbol in cell.inputs if symbol.name == name)
        if extent.is_Symbol:
            sizes.setdefault(size_name(extent), np.shape(value)[-1])
    sums = [one for one in shown if one[1].is_Add]
    for _ in sums:  # each turn makes one more known, if any
        for symbol, extent, count in sums:
            unknown = [part for part in extent.free_symbols if size_name(part) not in sizes]
            if len(unknown) == 1:
                (part,) = unknown
                times = extent.coeff(part)
                rest = count - extent_of(extent - times * part, sizes)
                if rest <= 0 or rest % times:
                    raise ValueError(
                        f"{symbol.name}: expected shape ({', '.join(dimensions(symbol))}), came "
                        f"{np.shape(layer.parameters[symbol.name])}: that leaves {rest} for "
                        f"{' + '.join([size_name(part)] * int(times))}"
                    )
                sizes[size_name(part)] = int(rest / times)
    found = {**{name: given[name] for name in size_names(cell) if name in given}, **sizes}
    for symbol, extent, count in sums:
        names = sorted(size_name(part) for part in extent.free_symbols)
        apart = [name for name in names if name not in sizes]
        if apart and all(name in found for name in names) and extent_of(extent, found) != count:
            raise ValueError(
                f"{symbol.name}: {' + '.join(names)} = {count}, and no parameter shows "
                f"{' and '.join(apart)} apart: give the inputs"
            )
    return found


def diagnose_layers(
    network: Network,
    layers: Sequence[LayerWeights],
    sizes: Mapping[str, int],
    *,
    inputs: Mapping[str, Array] | None = None,
    input_box: Ends | None = None,
    initial_box: Ends | None = None,
    lag: int | None = None,
    windows: Sequence[int] | None = None,
    drawn: str = "",
) -> Stack:
    """Each layer's diagnosis on what the layers below hand up.

    `sizes` are for what no parameter fixes. Where an input box is given, or nothing, that of a
    higher layer is the range of the states handed up: their invariant set, or all numbers without
    one.

    Shapes: inputs (T, m).

    Raises:
        ValueError: as `diagnose`; and for parameters that do not fit what the layer is given.
    """
    cell = network.cell
    without = ", ".join(s.name for s in cell.constants if s.name not in cell.defaults)
    found: list[Diagnosis] = []
    runs: list[Run] = []
    box, depth, before = input_box, 0, 0
    for layer, held in zip(network.stack, layers, strict=True):
        if layer.depth != depth:
            lower = found[before:]
            runs = [one.run for one in lower if one.run is not None]
            box = _range(network, lower, input_box or WHOLE) if input_box or not inputs else None
            depth, before = layer.depth, len(found)
        signal = None if inputs is None else received(network, layer, runs, inputs)
        own = sizes_of_layer(cell, held, sizes, signal)
        if signal is not None:
            require_fit(layer, signal, own)
        steps = lag or _STEPS if signal is None else len(next(iter(signal.values())))
        found.append(diagnose(
            cell, held.parameters, own, inputs=signal,
            constants=default_constants(cell, {**own, "T": steps}),
            input_box=box, initial_box=initial_box, lag=lag, windows=windows, drawn=drawn,
            weights=_told(EXACT if held.exact else ROUNDED, without, held.assumed),
            zero=_hand_up_zeros(network, found[:before]), summed=True,
        ))  # fmt: skip
    return Stack(network, tuple(layers), tuple(found))


def _told(weights: str, constants: str, assumed: Sequence[str]) -> str:
    """What is said of the parameters, and of constants that have no value of their own."""
    drawn = said("the cell file gives no value to {0}: standard normal ones are drawn", constants)
    return reduce(lambda told, more: said("{0}; {1}", told, more),
                  (*assumed, *([drawn] if constants else [])), weights)  # fmt: skip


def require_fit(layer: Layer, signal: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
    """The inputs have the widths that the layer's parameters expect.

    Raises:
        ValueError: naming the layer and the input that has another.
    """
    for symbol in layer.cell.inputs:
        wanted, came = shape_of(symbol, sizes, moves=True), np.shape(signal[symbol.name])[1:]
        if wanted != came:
            where = f"{layer.name}: " if layer.depth or layer.reverse else ""
            raise ValueError(
                f"{where}the input {symbol.name} has {came[0]} entries a step, but the parameters "
                f"expect {dimensions(symbol, moves=True)[0]} = {wanted[0]}"
            )


def received(
    network: Network, layer: Layer, lower: Sequence[Run], inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """What a layer is given, in the order of its steps; `lower` are the runs of the layer below.

    The first input is what that hands up, both directions side by side; an extra one the state of
    the same direction that feeds it, or what the network is given where none does.

    Shapes: inputs (T, m).
    """
    made = dict(inputs)
    if layer.depth:
        first, *others = network.cell.inputs
        parts = [path.handed_up(network.output.name) for path in lower]
        turned = [part[::-1] if place else part for place, part in enumerate(parts)]
        made[first.name] = np.concatenate(turned, axis=1)
        for symbol in others:
            if (state := network.lower_state(symbol)) is not None:
                handed = lower[layer.reverse].handed_up(state.name)
                made[symbol.name] = handed[::-1] if layer.reverse else handed
    return {name: value[::-1] if layer.reverse else value for name, value in made.items()}


def _hand_up_zeros(network: Network, lower: Sequence[Diagnosis]) -> bool:
    """Whether layers, all those below one, may hand up zeros at every step: their zero state rests.

    Other sequences may be in the box of that layer, and yet no input of the network makes them.
    """
    states = {state.name for state in network.cell.states}
    return not lower or (
        _read(network) <= states and all(one.lower_rate is not None for one in lower)
    )


def _read(network: Network) -> set[str]:
    """What a layer hands up, by name."""
    fed = [network.lower_state(x) for x in network.cell.inputs[1:]]
    return {network.output.name, *(state.name for state in fed if state is not None)}


def _range(network: Network, lower: Sequence[Diagnosis], given: Ends) -> Ends:
    """One box for all inputs that holds all that a layer can hand up, and its float states.

    It holds the box of what the network is given, if an input is fed by no state.
    """
    read = _read(network)
    fed = [network.lower_state(x) for x in network.cell.inputs[1:]]
    ends = [*given] if None in fed else []
    for one in lower:
        box = one.certificate.box if one.certificate is not None else None
        if box is None or not read <= {*box}:
            return -np.inf, np.inf
        ends += [float(box[name].lo.min()) for name in read]
        ends += [float(box[name].hi.max()) for name in read]
    rounding = 1e-9 * (1 + max(map(abs, ends)))
    return min(ends) - rounding, max(ends) + rounding
