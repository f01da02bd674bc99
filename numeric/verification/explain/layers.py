"""A network's backward pass in numbers, with any mistake in any of its parts.

In: a network and a case. Out: `NetworkTape` and, for mistakes, its gradients by label. A part is
one direction of a layer, whose tape is that of its cell, or the readout, a layer without memory;
what a part hands down is the loss term of the part below. A part that no mistake is in, nor
above, is computed once for a case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.calculus.joins import Joined
from derive.calculus.through_time import Derivation
from derive.cell import Cell, Equation
from derive.language.expr import Softmax, add, product
from derive.network import Layer, Network
from derive.saying import said
from numeric.meaning.sizes import extent_of
from numeric.verification.cases import Case
from numeric.verification.explain.change import (
    OVER_B,
    OVER_BOTH,
    OVER_T,
    SCALES,
    Change,
    Mistake,
)
from numeric.verification.explain.changed_equations import ForwardPass, Gradients
from numeric.verification.problems.network_loss import passed
from numeric.verification.problems.of_network import layer_sizes
from numeric.verification.watch import LOSS

Array = Any
READOUT: Final = "readout"
EMBEDDING: Final = "embedding"
WHOLE: Final = ""  # the part of a mistake that is made of the gradients of all
_NOTHING: Final = Change()

# What can become of the slope of the loss by what the readout gives, of shape (T, B, q).
SLOPES: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "of the wrong sign": lambda given, target: target - given,
    "counted twice": lambda given, target: 2 * (given - target),
    "halved": lambda given, target: (given - target) / 2,
    "left at zero": lambda given, target: 0 * given,
    "without the target": lambda given, target: given,
    "of the target alone": lambda given, target: -target,
    "averaged over time": lambda given, target: (given - target) / len(given),
    "averaged over the batch": lambda given, target: (given - target) / given.shape[1],
    "averaged over time and batch":
        lambda given, target: (given - target) / given.shape[0] / given.shape[1],
    "averaged over the outputs": lambda given, target: (given - target) / given.shape[2],
    "of ½ (Σ e)² of each step's errors, the square of a sum for the sum of squares":
        lambda given, target: 0 * given + np.sum(given - target, axis=-1, keepdims=True),
    "of ½ (Σ e)² of all errors, the square of a sum for the sum of squares":
        lambda given, target: 0 * given + np.sum(given - target),
    "multiplied by y ⊙ (1 − y) besides, as a sigmoid's slope is, y being what the readout gives":
        lambda given, target: (given - target) * given * (1 - given),
}  # fmt: skip
# What else may be returned for the loss, of the same.
LOSSES_MADE: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "½ (Σ e)² of each step's errors, the square of a sum for the sum of squares":
        lambda given, target: np.sum(np.sum(given - target, axis=-1) ** 2) / 2,
    "½ (Σ e)² of all errors, the square of a sum for the sum of squares":
        lambda given, target: np.sum(given - target) ** 2 / 2,
    "the root of Σ e² of all errors": lambda given, target: np.sum((given - target) ** 2) ** 0.5,
    "Σ |e|, the sum of the errors' sizes": lambda given, target: np.sum(np.abs(given - target)),
}  # fmt: skip
# What may become of what both directions hand up, (T, B, 2n); each is its own inverse.
ARRANGED: Final[Mapping[str, Callable[[Array], Array]]] = {
    "with its two halves exchanged":
        lambda both: np.concatenate(np.split(both, 2, axis=-1)[::-1], axis=-1),
    "with its reverse half not turned back in time":
        lambda both: np.concatenate(
            [half[::step] for half, step in zip(np.split(both, 2, axis=-1), (1, -1), strict=True)],
            axis=-1,
        ),
}  # fmt: skip
# Where it is wrong in a backward pass: what is multiplied into V̄, or what is handed down.
READ: Final = "what the readout reads is taken {0}"
DOWN: Final = "what the readout hands down is taken {0}"
UNTURNED: Final = "what the reverse direction hands to the input is not turned back in time"
AVERAGED: Final = {
    "averaged over time": OVER_T, "averaged over the batch": OVER_B,
    "averaged over time and batch": OVER_BOTH,
}  # fmt: skip


def readout_of(network: Network) -> Cell:
    """The readout as a cell: o = V h + c, and p = softmax(o) where the loss is a square of it.

    Its state is what the slope of the loss is taken by: of a cross-entropy that is p − y by o.
    """
    free, handed = Joined(network).free, network.output
    V, c, o, p = (free[role] for role in "Vcop")
    h = type(handed)(handed.name, network.width, 1)
    equations = [Equation(o, add(product(V, h), c))]
    if network.readout == "softmax" and network.loss != "cross_entropy":
        equations.append(Equation(p, Softmax(o)))
    return Cell(
        name=READOUT, inputs=(h,), states=(equations[-1].target,), parameters=(V, c),
        equations=tuple(equations),
    )  # fmt: skip


class NetworkTape:
    """The forward pass of one case, a tape for each part."""

    def __init__(
        self,
        network: Network,
        derivation: Derivation,
        readout: Derivation,
        case: Case,
        arranged: str = "",
    ) -> None:
        """Run the parts, the lowest first; the readout reads what is `ARRANGED` so.

        Assumes: a case without lengths.
        """
        self.network, self.case, self.arranged = network, case, arranged
        self.derivation, self.readout = derivation, readout
        self.parts: dict[str, ForwardPass] = {}
        self._right: dict[str, ForwardPass] = {}
        self.given = self._run()
        self.targets = self._targets()

    def _run(self) -> Array:
        """What the readout gives: probabilities, or values."""
        network, case = self.network, self.case
        first, *others = network.cell.inputs
        received = case.inputs[first.name]
        if network.embedding:
            received = case.params["embedding.E"][received]
        below: dict[bool, Mapping[str, Array]] = {}
        for depth in range(network.layers):
            made: dict[bool, Mapping[str, Array]] = {}
            for layer in (layer for layer in network.stack if layer.depth == depth):
                fed = {first.name: received}
                for x in others:
                    lower = network.lower_state(x) if depth else None
                    fed[x.name] = (
                        case.inputs[x.name] if lower is None else below[layer.reverse][lower.name]
                    )
                tape = ForwardPass(self.derivation, self._case_of(layer, fed))
                self.parts[layer.name] = tape
                made[layer.reverse] = {n: turned(layer, s) for n, s in tape.states.items()}
            outputs = [made[reverse][network.output.name] for reverse in sorted(made)]
            whole = np.concatenate(outputs, axis=-1)
            if depth == network.layers - 1 and self.arranged:
                whole = ARRANGED[self.arranged](whole)
            received, below = passed(network, case, depth, whole), made
        self.parts[READOUT] = ForwardPass(self.readout, self._readout_case(received))
        (given,) = self.parts[READOUT].states.values()
        if network.loss == "cross_entropy":
            powers = np.exp(given - given.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        return given

    def _case_of(self, layer: Layer, fed: Mapping[str, Array]) -> Case:
        """The layer's own call of its cell, in the direction in which it runs."""
        cell, case = self.network.cell, self.case

        def own(arrays: Mapping[str, Array], symbols: Any) -> dict[str, Array]:
            return {s.name: arrays[f"{layer.name}.{s.name}"] for s in symbols}

        constants = {c.name: case.constants[c.name] for c in cell.constants}
        constants |= {name: turned(layer, constants[name]) for name in cell.sequences}
        initial = own(case.initial, cell.states)
        return replace(
            case, sizes=layer_sizes(self.network, layer, case.sizes),
            params=own(case.params, cell.parameters), initial=initial, constants=constants,
            inputs={name: turned(layer, x) for name, x in fed.items()}, targets=None,
            cotangents={n: np.zeros((case.steps, *s.shape)) for n, s in initial.items()},
        )  # fmt: skip

    def _readout_case(self, received: Array) -> Case:
        cell, case = self.readout.cell, self.case
        (x,), (state,), (V, c) = cell.inputs, cell.states, cell.parameters
        rows = extent_of(state.shape[0], case.sizes)
        return replace(
            case, params={V.name: case.params["readout.V"], c.name: case.params["readout.c"]},
            inputs={x.name: received}, initial={state.name: np.zeros((case.batch, rows))},
            constants={}, targets=None,
            cotangents={state.name: np.zeros((case.steps, case.batch, rows))},
        )  # fmt: skip

    def _targets(self) -> Array:
        """The targets beside what the readout gives, (T, B, q); an index as a column of 0 and 1."""
        targets = self.case.targets
        if self.network.loss == "cross_entropy":
            targets = np.eye(self.given.shape[-1])[targets]
        return np.broadcast_to(targets, self.given.shape)

    @property
    def _counted(self) -> Array:
        """Where there is a loss, (T, 1, 1): at every step, or at the last."""
        counted = np.ones((self.case.steps, 1, 1))
        if self.network.loss_at == "last":
            counted[:-1] = 0
        return counted

    @property
    def outputs(self) -> dict[str, Array]:
        """The loss."""
        if self.network.loss == "cross_entropy":
            losses = -self.targets * np.log(self.given)
        else:
            losses = (self.given - self.targets) ** 2 / 2
        return {LOSS: np.sum(self._counted * losses)}

    def losses_made(self) -> dict[str, Array]:
        """What else may be returned for the loss, in words and in numbers."""
        if self.network.loss != "squared_error":
            return {}
        given, targets = self._counted * self.given, self._counted * self.targets
        return {said("the loss is {0}", said(words)): make(given, targets)
                for words, make in LOSSES_MADE.items()}  # fmt: skip

    def losses_read(self) -> dict[str, Array]:
        """The loss of a readout that reads both directions otherwise."""
        network, own = self.network, (self.derivation, self.readout, self.case)
        return {
            said(READ, said(how)): NetworkTape(network, *own, how).outputs[LOSS]
            for how in (ARRANGED if network.bidirectional else ())
        }

    def gradients(self, *made: Mistake) -> NetworkGradients:
        """The gradients with these mistakes by label, each computed when it is asked for."""
        return NetworkGradients(self, made)

    def slope(self, how: str | None) -> Array:
        """∂L/∂(what the slope is taken by), right or as `SLOPES` has it."""
        make = SLOPES[how] if how else np.subtract
        return self._counted * make(self._counted * self.given, self._counted * self.targets)

    def reading(self, how: str) -> ForwardPass:
        """The readout's tape, of what is `ARRANGED` so."""
        if how not in self._right:
            (x,) = self.readout.cell.inputs
            received = ARRANGED[how](self.parts[READOUT].case.inputs[x.name])
            self._right[how] = ForwardPass(self.readout, self._readout_case(received))
        return self._right[how]

    def right(self, part: str) -> ForwardPass:
        """The part's tape with the cotangents that the parts above rightly hand down."""
        if part not in self._right:
            arriving = NetworkGradients(self, ()).arriving(part)
            self._right[part] = self.parts[part].under(arriving)
        return self._right[part]

    def layers(self, depth: int) -> list[Layer]:
        """The directions of a layer."""
        return [layer for layer in self.network.stack if layer.depth == depth]

    def depth(self, part: str) -> int:
        """How high the part stands; the readout above all."""
        found = {layer.name: layer.depth for layer in self.network.stack}
        return found.get(part, self.network.layers)


class NetworkGradients:
    """The gradients of a backward pass with mistakes, by label, computed when asked for."""

    def __init__(self, tape: NetworkTape, made: Sequence[Mistake]) -> None:
        self.tape = tape
        self.changes: dict[str, Change] = {}
        self.derivations: dict[str, Derivation] = {}
        self.slope: str | None = None
        self.arranged: dict[str, str] = {}
        for mistake in made:
            self.slope = self.slope or mistake.slope
            self.arranged |= mistake.arranged
            for name in mistake.parts:
                self.changes[name] = self.changes.get(name, _NOTHING) | mistake.change
                if mistake.derivation is not None:
                    self.derivations[name] = mistake.derivation
        parts = {*self.changes} - {WHOLE}
        self.highest = max(map(tape.depth, parts), default=-1)
        self._made: dict[str, Gradients] = {}

    def part(self, name: str) -> Gradients:
        """The gradients of one part."""
        if name not in self._made:
            tape = self.tape.right(name)
            if self.tape.depth(name) < self.highest or self.slope is not None:
                tape = self.tape.parts[name].under(self.arriving(name))
            if name == READOUT and READ in self.arranged:
                tape = self.tape.reading(self.arranged[READ]).under(self.arriving(name))
            derivation = self.derivations.get(name)
            if derivation is not None:
                tape.learn(derivation.forward)
            self._made[name] = tape.gradients(self.changes.get(name, _NOTHING), derivation)
        return self._made[name]

    def arriving(self, name: str) -> dict[str, Array]:
        """The cotangents of the part's states, from the parts above it, in its own direction."""
        tape = self.tape
        if name == READOUT:
            (state,) = tape.readout.cell.states
            return {state.name: tape.slope(self.slope)}
        (layer,) = (layer for layer in tape.network.stack if layer.name == name)
        found = {n: np.zeros_like(s) for n, s in tape.parts[name].states.items()}
        whole = self._below(layer.depth)
        rows = found[tape.network.output.name].shape[-1]
        start = rows * layer.reverse
        found[tape.network.output.name] += turned(layer, whole[..., start : start + rows])
        for above in tape.layers(layer.depth + 1):
            for x in tape.network.cell.inputs[1:]:
                state = tape.network.lower_state(x)
                if state is not None and above.reverse == layer.reverse:
                    found[state.name] += self.part(above.name)[f"inputs.{x.name}"]
        return found

    def _below(self, depth: int) -> Array:
        """The cotangent of what the layer of that depth hands up, both directions of it."""
        if depth == self.tape.network.layers - 1:
            (x,) = self.tape.readout.cell.inputs
            handed = self.part(READOUT)[f"inputs.{x.name}"]
            return ARRANGED[self.arranged[DOWN]](handed) if DOWN in self.arranged else handed
        first = self.tape.network.cell.inputs[0].name
        return passed(self.tape.network, self.tape.case, depth, self._input(first, [depth + 1]))

    def received(self, name: str) -> Array:
        """The cotangent of what the lowest layer receives as that input, rows of a table too."""
        return self._input(name, [0])

    def _input(self, name: str, depths: Any) -> Array:
        """The cotangent of an input of these layers, all directions added, in order of time."""
        layers = [layer for depth in depths for layer in self.tape.layers(depth)]
        shares = [(layer, self.part(layer.name)[f"inputs.{name}"]) for layer in layers]
        return sum(share if UNTURNED in self.arranged else turned(layer, share)
                   for layer, share in shares)  # fmt: skip

    def __getitem__(self, label: str) -> Array:
        """The gradient with that label: "params.layer0.W", "inputs.x", "initial.layer0.h"."""
        found = self._of(label)
        how = self.changes.get(WHOLE, _NOTHING).scaled.get(label)
        return found if how is None else found * SCALES[how].of(self.tape.case)

    def _of(self, label: str) -> Array:
        group, name = label.split(".", 1)
        network = self.tape.network
        first, *others = network.cell.inputs
        if group == "inputs":
            lower = any(x.name == name and network.lower_state(x) is not None for x in others)
            alone = lower or name == first.name
            return self._input(name, [0] if alone else range(network.layers))
        part, _, own = name.rpartition(".")
        if part == EMBEDDING:
            table = np.zeros(self.tape.case.params[name].shape)
            np.add.at(table, self.tape.case.inputs[first.name], self.received(first.name))
            return table
        if part == READOUT:
            V, c = self.tape.readout.cell.parameters
            own = {"V": V.name, "c": c.name}[own]
        return self.part(part)[f"{group}.{own}"]


def turned(layer: Layer, array: Array) -> Array:
    """An array over time in the direction in which the layer runs, and back."""
    return array[::-1] if layer.reverse else array
