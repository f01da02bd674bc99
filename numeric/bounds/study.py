"""Everything a report says in numbers about the bounds of a cell or a network.

In: a network with drawn weights, or with given ones. Out: `Study`: the diagnosis of each layer,
and of the layer that decides N in numbers, rates against the size of its weights, rates of its
modules, the region of gates that is certified, and norms over a grid of times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import numpy as np

from derive.calculus.through_time import derivation_of
from derive.cell import Cell, catalogue
from derive.network import Network
from derive.theorems.certified_rate import closed_condition
from numeric.bounds.all_inputs.clock_modules import ModuleRates, module_rates, modules_of
from numeric.bounds.all_inputs.closed_condition import Worked, admissible, work
from numeric.bounds.all_inputs.gain_scan import CLOSED, Scan, scan
from numeric.bounds.all_inputs.gate_region import Region, region
from numeric.bounds.answer import Answer, answer
from numeric.bounds.batches import Batch
from numeric.bounds.diagnosis import Diagnosis
from numeric.bounds.drawn import draw
from numeric.bounds.memory import ByGain, Keeping, by_gain, keeping, kept_state
from numeric.bounds.one_sequence.heat_map import heat_map
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError, run
from numeric.bounds.one_sequence.tracks import Track, follow
from numeric.bounds.stack import Stack, diagnose_layers, draw_layers, sizes_of_layer
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import extent_of, usual_sizes
from numeric.weights.layer_weights import LayerWeights

Array = Any
SIZE: Final = 32
INPUT_SIZE: Final = 8
STEPS: Final = 60
INPUT_SCALE: Final = 0.3
"""Weights of inputs have this standard deviation over the square root of their columns."""
KNOWN: Final = (("rnn", 0.0), ("lstm", 0.0), ("lstm", 1.0), ("gru", 0.0))
"""Well-known cells, each with what is added to the bias of the gate that keeps its state."""
_GRID: Final = 31
_WIDE: Final = 150


@dataclass(frozen=True)
class Asked:
    """The files of given weights and inputs, and of several sequences which one is studied."""

    weights: str
    inputs: str = ""
    batch: Batch | None = None


@dataclass(frozen=True)
class Study:
    """What was found; `given` where the weights are not drawn, `drawn_inputs` where inputs are.

    `overflow` is why there is no trajectory; `asked` what was given, and `answer` what is said of
    it first, both for given weights alone. `worked` are factors on the recurrent weights of the
    deciding layer with N in numbers there. `beside` are tracks of well-known cells of the same
    seed, of `known_sizes`; empty for given weights.
    """

    stack: Stack
    sizes: Mapping[str, int]
    seed: int
    given: bool
    drawn_inputs: bool
    box: tuple[float, float]
    worked: tuple[tuple[float, Worked], ...]
    scan: Scan | None
    modules: ModuleRates | None
    region: Region | None
    times: tuple[int, ...]
    heat: Array
    beside: Mapping[tuple[str, float], Track]
    overflow: StateOverflowError | None = None
    answer: Answer | None = None
    asked: Asked | None = None
    keeping: Keeping | None = None
    by_gain: ByGain | None = None
    known_sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> int:
        """Which layer is shown at length."""
        return self.stack.decisive

    @property
    def one(self) -> Diagnosis:
        """The diagnosis of that layer."""
        return self.stack.found[self.place]


def sizes_for(cell: Cell) -> dict[str, int]:
    """The sizes of drawn nets: those of states and all others."""
    return usual_sizes(cell, SIZE, INPUT_SIZE)


def study(network: Network, seed: int = 0) -> Study:
    """The study of drawn weights, gain 1, and inputs uniform in [−1, 1] from the zero state.

    Where a state overflows there is no trajectory: what holds for all inputs is studied alone.
    """
    sizes = sizes_for(network.cell)
    layers = draw_layers(network, sizes, 1.0, seed, INPUT_SCALE)
    inputs = uniform_inputs(network.cell, sizes, seed)
    stack, overflow = _diagnosed(network, layers, sizes, inputs, (-1.0, 1.0), wider=True)
    found = _studied(stack, sizes, seed, (-1.0, 1.0), given=False, drawn_inputs=True)
    return replace(found, overflow=overflow)


def _diagnosed(
    network: Network, layers: Sequence[LayerWeights], sizes: Mapping[str, int],
    inputs: Mapping[str, Array], box: tuple[float, float], *, wider: bool = False,
) -> tuple[Stack, StateOverflowError | None]:  # fmt: skip
    """The layers on a sequence from the box; without it, and why, where a state overflows.

    Along a sequence all inputs are those of its own box, or of the `wider` one given.
    """
    whole = box if wider else None
    try:
        return diagnose_layers(network, layers, sizes, inputs=inputs, input_box=whole), None
    except StateOverflowError as problem:
        lag = len(next(iter(inputs.values())))
        return diagnose_layers(network, layers, sizes, input_box=box, lag=lag), problem


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def study_given(
    network: Network,
    layers: Sequence[LayerWeights],
    inputs: Mapping[str, Array],
    seed: int = 0,
    *,
    drawn: bool = False,
    asked: Asked | None = None,
) -> Study:
    """The study of given weights on a sequence; `drawn` says that its entries are drawn.

    Where a state overflows there is no trajectory: what holds for all inputs is studied alone.

    Shapes: inputs (T, m).

    Raises:
        ValueError: for parameters or inputs that do not fit each other.
    """
    cell = network.cell
    sizes = sizes_of_layer(cell, layers[0], sizes_for(cell), inputs)
    values = np.concatenate([np.ravel(value) for value in inputs.values()])
    box = float(values.min()), float(values.max())
    stack, overflow = _diagnosed(network, layers, sizes, inputs, box)
    found = _studied(stack, sizes, seed, box, given=True, drawn_inputs=drawn)
    return replace(found, overflow=overflow, answer=answer(found.one), asked=asked)


def uniform_inputs(cell: Cell, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Inputs uniform in [−1, 1].

    Shapes: (T, m).
    """
    rng = np.random.default_rng(seed + 1)
    return {s.name: rng.uniform(-1.0, 1.0, (STEPS, extent_of(s.shape[0], sizes)))
            for s in cell.inputs}  # fmt: skip


def _studied(
    stack: Stack, sizes: Mapping[str, int], seed: int, box: tuple[float, float],
    *, given: bool, drawn_inputs: bool,
) -> Study:  # fmt: skip
    one = stack.found[stack.decisive]
    assert one.setting is not None
    derivation, setting = one.setting.derivation, one.setting
    rates = scan(setting, one.certificate) if setting.width <= _WIDE else None
    shown = work(closed_condition(derivation), setting, admissible(setting, one.certificate))
    worked = [(1.0, shown)]
    best = rates.certified(CLOSED) if rates else None
    if rates and best is not None and best < 1.0:
        worked.insert(0, (best, rates.worked[rates.factors.index(best)]))
    times: tuple[int, ...] = ()
    heat = np.zeros((0, 0))
    if one.run is not None:
        times, heat = heat_map(one.run, min(_GRID, one.run.steps + 1), one.track)
    held = one.certificate.box if one.certificate else None
    held_by, gained = None, None
    if not given and len(stack.found) == 1 and one.run is not None:
        x = uniform_inputs(one.cell, sizes, seed)
        same = sizes_for(catalogue["rnn"]) == {
            "n": len(one.run.states[one.cell.states[0].name][0]),
            "m": next(iter(x.values())).shape[1]}  # fmt: skip
        plain = known_track("rnn", seed) if same else None
        held_by = keeping(one.cell, sizes, x, seed, INPUT_SCALE, one.track, plain)
        gained = by_gain(one.run, rates, one.lags[-1]) if rates and not held_by else None
    beside = {} if given else _known(one, len(stack.found) == 1, held_by, seed)
    return Study(
        stack, dict(sizes), seed, given, drawn_inputs, box, tuple(worked), rates,
        module_rates(setting, held) if modules_of(setting) else None, region(derivation),
        times, heat, beside, keeping=held_by, by_gain=gained,
        known_sizes=sizes_for(catalogue[KNOWN[0][0]]) if beside else {},
    )  # fmt: skip


def _known(
    one: Diagnosis, alone: bool, held: Keeping | None, seed: int
) -> dict[tuple[str, float], Track]:  # fmt: skip
    """The tracks of known cells: the study's own where it studies that cell alone."""
    found: dict[tuple[str, float], Track] = {}
    for name, shift in KNOWN:
        own = alone and one.cell == catalogue[name]
        if own and not shift and one.track is not None:
            found[name, shift] = one.track
        elif own and held is not None:
            found[name, shift] = held.shifted[shift]
        else:
            found[name, shift] = known_track(name, seed, shift)
    return found


@cache
def known_track(name: str, seed: int, shift: float = 0.0) -> Track:
    """The product of one of the best known cells, measured and bounded on both sides.

    Drawn as `study` draws, on inputs of the same law; `shift` goes to the bias of the gate that
    keeps its state, so that more is kept.
    """
    cell = catalogue[name]
    derivation, sizes = derivation_of(cell), sizes_for(cell)
    drawn = draw(cell, sizes, 1.0, 1, seed, INPUT_SCALE)["parameters"]
    if shift and (held := kept_state(cell)) is not None:
        drawn[held.bias] = drawn[held.bias] + held.signed(shift)
    inputs = uniform_inputs(cell, sizes, seed)
    constants = default_constants(cell, {**sizes, "T": STEPS})
    path = run(derivation, drawn, inputs, constants=constants)
    return follow(path, windows=(), dominate=False)
