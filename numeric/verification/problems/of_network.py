"""A network as a problem: its module has one function, its loss is that of the network.

In: a network. Out: `NetworkProblem`: its calls, with parameters of every layer, inputs, targets and
lengths, and L by the equations that define it. Names and shapes follow from the network itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.network import Layer, Network
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import extent_of, shape_of, size_names
from numeric.numbers.arithmetic import Arithmetic
from numeric.verification.cases import LONG, REGIMES, WIDE, Arrays, Case, pushed, regimes_at_zero
from numeric.verification.problems.extents import Extents, Limits, Outputs, Result
from numeric.verification.problems.network_loss import (
    final_states,
    loss_and_outputs,
    network_loss,
)
from numeric.verification.problems.of_cell import enough, least_size
from numeric.verification.scope import WHOLE, Scope
from numeric.verification.watch import LOSS, NETWORK_FUNCTIONS, OUTPUTS, PREDICT, Guard

_SIZES: Final = (3, 2, 4, 5)
_LARGEST: Final = 5
_SMALL: Final = 2


@dataclass(frozen=True)
class NetworkProblem:
    """The loss of a network and its gradients; `scope` says how much of that is asked for.

    With `predicts`, the code has besides the forward pass alone. With `final`, it returns the final
    states as well, and its gradients are those of L + Σ⟨c, final⟩; `weighs`: the c are not zero.
    """

    network: Network
    scope: Scope = WHOLE
    predicts: bool = False
    final: bool = False
    weighs: bool = True

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that its module has."""
        return NETWORK_FUNCTIONS + (PREDICT,) * self.predicts

    def within(self, scope: Scope) -> NetworkProblem:
        """The same problem, in that scope."""
        return replace(self, scope=scope)

    @property
    def checks(self) -> frozenset[str]:
        """The checks that apply: without lengths nothing is padded, a field has no limits."""
        padding = {"padding"} if self.scope.lengths else set()
        exact = set() if self.scope.limits else {"exact"}
        return frozenset({"autograd", "high_precision", *exact, *padding})

    @property
    def promises(self) -> frozenset[str]:
        """The promises of the interface."""
        lengths = {"lengths"} if self.scope.lengths else set()
        final = {"final"} if self.final else set()
        return frozenset({"repeated", "initial", "empty", *lengths, *final})

    @property
    def cell(self) -> Cell:
        """The cell of every layer."""
        return self.network.cell

    @property
    def every_step(self) -> bool:
        """Whether every step adds to the loss, or the last alone."""
        return self.network.loss_at == "all"

    def declared(self) -> dict[str, dict[str, int]]:
        """The names in each module constant, and how many sizes each has."""
        return declared_by_network(self.network)

    def gradients(self) -> list[tuple[str, str]]:
        """Group and name of every gradient; integers have none."""
        declared = self.declared()
        return [
            *(("params", name) for name in declared["PARAMETERS"]),
            *(("inputs", name) for name, axes in declared["INPUTS"].items() if axes),
            *(("initial", name) for name in declared["STATES"]),
        ]

    def asked(self, case: Case) -> Case:
        """The case as the code can be asked."""
        return self.scope.asked(case)

    def judged(self, group: str, name: str) -> bool:
        """Whether the code returns that gradient, or output; the loss it always does."""
        if group == "states" and name != LOSS:
            group = PREDICT if name == OUTPUTS else "final"
        return self.scope.judged(group, name)

    def moves(self, group: str, name: str) -> bool:
        """Whether the loss shows what the array does, and its gradient is there."""
        return self.scope.moves(group, name) and self.scope.judged(group, name)

    def output_word(self, name: str) -> str:
        """The outputs are the loss, what `predict` returns, and final states."""
        return {LOSS: "loss", OUTPUTS: PREDICT}.get(name, f"final[{name!r}]")

    def ordinary_sizes(self, largest: int | None = None) -> dict[str, int]:
        """Sizes that tell a matrix from its transpose: neighbours differ."""
        return enough(ordinary_network_sizes(self.network, largest or _LARGEST), self.least)

    def least(self, size: str) -> int:
        """A softmax has two outputs at least: of one its gradient is nothing but rounding."""
        return 2 if size == "q" else least_size(self.network.cell, size)

    def case(
        self, sizes: Mapping[str, int], *, steps: int, batch: int, seed: int = 0,
        regime: str = "ordinary", dtype: str = "float64",
    ) -> Case:  # fmt: skip
        """The call of these sizes, its values from the seed."""
        dtype = self.scope.dtype(dtype)
        made = make_network_case(
            self.network, sizes, steps=steps, batch=batch, seed=seed, regime=regime, dtype=dtype
        )
        return self.asked(with_cotangents(made) if self.final and self.weighs else made)

    def undefined(self, case: Case) -> str:
        """Nothing: what is not finite is beyond the oracle's range."""
        return ""

    def ordinary_cases(
        self, regimes: Iterable[str], *, seed: int = 0, small: bool = False
    ) -> Iterator[Case]:
        """Cases that no mistake of the usual kind survives: several steps, samples and lengths."""
        sizes = self.ordinary_sizes(_SMALL if small else _LARGEST)
        steps, batch = (2, 2) if small else (4, 3)
        for number, regime in enumerate(regimes):
            for dtype in self.scope.dtypes:
                yield self.case(
                    sizes, steps=min(steps, REGIMES[regime].longest), batch=batch,
                    seed=seed + number + (dtype == "float32"), regime=regime, dtype=dtype,
                )  # fmt: skip

    def unusual_cases(self, *, seed: int = 0) -> Iterator[Case]:
        """A wide one, long ones, and zeros: code may be right as long as everything is usual."""
        usual = self.ordinary_sizes()
        wide = {name: WIDE[place % len(WIDE)] for place, name in enumerate(usual)}
        for sizes, steps, batch in ((wide, 3, 9), (usual, LONG // 2, 2)):
            yield self.case(sizes, steps=steps, batch=batch, seed=seed + 1, regime="contracting")
        kept = self.case(usual, steps=LONG // 2, batch=2, seed=seed + 1)
        yield replace(kept, lengths=None)  # where a late loss still shows at the first steps
        for regime in regimes_at_zero(self.cell):
            yield self.case(usual, steps=3, batch=2, seed=seed + 1, regime=regime)

    def limits(self, *, small: bool = False) -> Limits:
        """How large a drawn call may be; small ones are short as well: fifty digits take time."""
        return Limits(_SMALL, _SMALL, _SMALL) if small else Limits(3, longest=4)

    def exact_extents(self, example: int) -> Extents:
        """Usual sizes and small ones in turn; the small ones count."""
        usual = self.ordinary_sizes()
        if example % 2 == 0:
            return Extents(usual, 4, 3, False)
        smaller = {name: 1 + (place % 2 == 0 or name == "q") for place, name in enumerate(usual)}
        return Extents(smaller, 2, 2, True)

    def empty_extents(self) -> tuple[tuple[int, int], ...]:
        """T and B of calls without steps or samples: a loss at the last step needs a step."""
        return ((0, 2), (3, 0), (0, 0)) if self.network.loss_at == "all" else ((3, 0),)

    def without_steps(self, case: Case) -> Mapping[str, Any]:
        """A final state is the initial one, and its cotangent that one's gradient."""
        if case.steps or not self.final:
            return {}
        return {self.output_word(name): value for name, value in case.initial.items()} | {
            f"initial[{name!r}]": bar for name, bar in case.cotangents.items()
        }

    @property
    def without_later(self) -> bool:
        """Whether final states have cotangents, and these are left out."""
        return self.final and not self.weighs

    @property
    def unasked(self) -> Mapping[str, str]:
        """The final states, of code whose function takes no cotangents of them."""
        if self.final or not self.network.final:
            return {}
        return {"final states": "loss_and_gradient takes no final_cotangents"}

    @property
    def explained(self) -> NetworkProblem:
        """The problem without what comes later, of which a network's equations know nothing."""
        return replace(self, weighs=False)

    def call(self, guard: Guard, case: Case) -> Result:
        """Loss and gradients of the case, and what is predicted.

        Raises:
            Misbehaviour: if the module misbehaves.
        """
        more = (case.cotangents or None,) if self.final else ()
        found, gradients = guard.loss_and_gradient(
            case.params, case.inputs, case.targets, case.initial, case.constants, case.lengths,
            *more,
        )  # fmt: skip
        if not self.predicts:
            return found, gradients
        own = {name: array for name, array in case.constants.items()
               if name not in _masks(self.network)}  # fmt: skip
        shape = self.output_shapes(case)[OUTPUTS]
        made = guard.predict(
            shape, case.params, case.inputs, case.initial, own or None, case.lengths
        )
        return {**found, **made}, gradients

    def outputs(self, case: Case, arithmetic: Arithmetic) -> Outputs:
        """L, what the readout gives and the final states, by the equations of the network."""
        ends = final_states(self.network, case, arithmetic) if self.final else {}
        if not self.predicts:
            return {LOSS: [network_loss(self.network, case, arithmetic)], **ends}
        loss, made = loss_and_outputs(self.network, case, arithmetic)
        return {LOSS: [loss], OUTPUTS: made, **ends}

    def output_shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """The loss is a number; the outputs have a row for each sample, of every step or once."""
        lead = (case.steps, case.batch) if self.every_step else (case.batch,)
        made = {OUTPUTS: (*lead, case.sizes["q"])} if self.predicts else {}
        ends = initial_shapes(self.network, case.sizes) if self.final else {}
        return {LOSS: (), **made, **{name: (case.batch, *own) for name, own in ends.items()}}

    def loss(self, case: Case, outputs: Outputs) -> Any:
        """L itself, and Σ⟨c, final⟩ where what comes later weighs the final states."""
        total = outputs[LOSS][0]
        for name, bars in case.cotangents.items():
            for bar, state in zip(bars, outputs[name], strict=True):
                total = total + (bar * state).sum()
        return total

    def ends(self, case: Case, outputs: Outputs) -> Iterator[tuple[Any, Any]]:
        """The loss itself."""
        yield self.loss(case, outputs), np.ones(())


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
        f"{layer.name}.{state.name}": shape_of(state, sizes, True)
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
        "CONSTANTS": {**constants, **dict.fromkeys(_masks(network), 1 + (network.width != 1))},
    }


def _masks(network: Network) -> list[str]:
    """The dropout masks, one above every layer but the top one."""
    return [f"layer{depth}.dropout" for depth in range(network.layers - 1) if network.dropout]


def make_network_case(
    network: Network,
    sizes: Mapping[str, int],
    *,
    steps: int,
    batch: int,
    seed: int = 0,
    regime: str = "ordinary",
    dtype: str = "float64",
) -> Case:
    """The case of these sizes; nonzero initial states and biases.

    Three seeds in four have lengths, from 0 up, or from 1 where the loss is at the last step.
    """
    rng = np.random.default_rng(seed)
    scale, cell = REGIMES[regime], network.cell

    def normal(shape: tuple[int, ...], deviation: float) -> Any:
        return np.asarray(rng.normal(size=shape) * deviation).astype(dtype)

    def parameter(shape: tuple[int, ...]) -> Any:
        if len(shape) == 2:
            return normal(shape, scale.gain / max(1, shape[-1]) ** 0.5)
        return pushed(normal(shape, scale.bias), scale.least)

    params = {name: parameter(s) for name, s in parameter_shapes(network, sizes).items()}
    inputs: Arrays = {
        x.name: normal((steps, batch, *shape_of(x, sizes, True)), scale.signal) for x in cell.inputs
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
    return Case(
        steps, batch, dict(sizes), seed, regime, dtype,
        params=params, inputs=inputs, initial=initial,
        constants=_constants(network, sizes, steps, batch, seed, normal),
        cotangents={}, targets=targets, lengths=drawn if seed % 4 else None,
    )  # fmt: skip


def with_cotangents(case: Case) -> Case:
    """The case with a cotangent of each final state, whatever the seed drew before."""
    rng = np.random.default_rng((case.seed, len(case.initial)))
    drawn = {name: rng.normal(size=np.shape(value)).astype(case.dtype)
             for name, value in case.initial.items()}  # fmt: skip
    return replace(case, cotangents=drawn)


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
    width = () if network.width == 1 else (extent_of(network.width, sizes),)
    return found | {name: normal((*lead, *width), 1.0) for name in _masks(network)}


def ordinary_network_sizes(network: Network, largest: int = _LARGEST) -> dict[str, int]:
    """Sizes that tell a matrix from its transpose: neighbours differ."""
    return {
        name: min(largest, _SIZES[place % len(_SIZES)])
        for place, name in enumerate(network_sizes(network))
    }
