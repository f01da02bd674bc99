"""The loss and the outputs of a network by the equations that define it, over any arithmetic.

In: a network and a `Case`. Out: L, what the readout gives, the states at the end. Each sample is
followed up to its own length and no further; a layer is its cell's author equations, run by
`interpret`; a reverse layer runs over the same sequence from its end. Nothing here knows how a
module masks, stacks or differentiates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sympy import Integer, Rational

from derive.network import Layer, Network
from numeric.meaning.run_cell import run_cell
from numeric.numbers.arithmetic import Arithmetic
from numeric.verification.cases import Case

Array = Any


def network_loss(network: Network, case: Case, arithmetic: Arithmetic) -> Array:
    """L = Σ over samples of Σ_t L_t, or of L_T; T is the sample's own length."""
    total = arithmetic.number(Integer(0))
    for alone, _ in _by_length(network, case):
        for t, o in _logits(network, alone, arithmetic):
            total = total + _loss(network, o, _target(network, alone, t), arithmetic)
    return total


def loss_and_outputs(
    network: Network, case: Case, arithmetic: Arithmetic
) -> tuple[Array, list[Array]]:
    """L, and what the readout gives at every step, or at each sample's last, without dropout.

    Shapes: (B, q) each, zero where a sample has ended.
    """
    total, last = arithmetic.number(Integer(0)), network.loss_at == "last"
    zero = (case.params["readout.c"] * total).reshape((1, -1))
    rows = [[zero] * case.batch for _ in range(1 if last else case.steps)]
    for alone, samples in _by_length(network, case):
        logits = [*_logits(network, alone, arithmetic)]
        for t, o in logits:
            total = total + _loss(network, o, _target(network, alone, t), arithmetic)
        if network.dropout:
            logits = [*_logits(replace(network, dropout=False), alone, arithmetic)]
        for t, o in logits:
            made = _probabilities(o, arithmetic) if network.readout == "softmax" else o
            for place, sample in enumerate(samples):
                rows[0 if last else t][sample] = made[:, place : place + 1].T
    space = arithmetic.namespace
    return total, [space.concatenate(each) if each else zero[:0] for each in rows]


def final_states(network: Network, case: Case, arithmetic: Arithmetic) -> dict[str, list[Array]]:
    """Each state of each layer after a sample's own last step, or in reverse after its first.

    Of no steps it is the initial one. A list over the samples.
    """
    found = {name: [*value] for name, value in case.initial.items()}
    for alone, samples in _by_length(network, case):
        for name, values in _layers(network, alone, arithmetic)[1].items():
            for place, sample in enumerate(samples):
                found[name][sample] = values[place]
    return found


def _target(network: Network, case: Case, t: int) -> Array:
    """What the step should give."""
    return case.targets if network.loss_at == "last" else case.targets[t]


def _by_length(network: Network, case: Case) -> Iterator[tuple[Case, Array]]:
    """The samples of each length together, cut to that length; those of none are left out."""
    numbers = {c.name for c in network.cell.constants if c.shape[0] == 1}  # one a step
    for length in sorted({int(end) for end in case.ends} - {0}):
        samples = np.flatnonzero(case.ends == length)

        def cut(array: Array, length: int = length, samples: Any = samples) -> Array:
            return array[:length][:, samples]

        def cut_constant(name: str, array: Array, length: int = length, samples: Any = samples,
                         ) -> Array:  # fmt: skip
            mask = name.endswith(".dropout")
            if name not in network.cell.sequences and not mask:
                return array
            one = network.width == 1 if mask else name in numbers
            each = np.ndim(array) == 3 - one
            return array[:length][:, samples] if each else array[:length]

        last = network.loss_at == "last"
        alone = replace(
            case,
            steps=length,
            batch=len(samples),
            inputs={name: cut(value) for name, value in case.inputs.items()},
            initial={name: value[samples] for name, value in case.initial.items()},
            constants={name: cut_constant(name, value) for name, value in case.constants.items()},
            targets=case.targets[samples] if last else cut(case.targets),
            lengths=None,
        )
        yield alone, samples


def _logits(network: Network, case: Case, arithmetic: Arithmetic) -> Iterator[tuple[int, Array]]:
    """The steps at which the readout is asked, and what it gives there before any softmax.

    Shapes: (q, B).
    """
    top, _ = _layers(network, case, arithmetic)
    V, c = case.params["readout.V"], case.params["readout.c"].reshape((-1, 1))
    for t in [case.steps - 1] if network.loss_at == "last" else range(case.steps):
        yield t, V @ top[t].T + c


def _layers(network: Network, case: Case, arithmetic: Arithmetic) -> tuple[Array, dict[str, Array]]:
    """What the top layer hands up, and the states in which each layer ends.

    Shapes: (T, B, n), 2n where bidirectional; (B, n) each.
    """
    ends: dict[str, Array] = {}
    space = arithmetic.namespace
    first, *others = network.cell.inputs
    inputs = dict(case.inputs)
    if network.embedding:
        inputs[first.name] = case.params["embedding.E"][inputs[first.name]]
    received = inputs[first.name]
    below: dict[bool, Mapping[str, Array]] = {}
    for depth in range(network.layers):
        states: dict[bool, Mapping[str, Array]] = {}
        for layer in network.stack:
            if layer.depth == depth:
                fed = {first.name: received}
                for x in others:
                    fed[x.name] = inputs[x.name]
                    if depth and (state := network.lower_state(x)) is not None:
                        fed[x.name] = below[layer.reverse][state.name]
                made = states[layer.reverse] = _layer(network, layer, case, fed, arithmetic)
                for own in network.cell.states:
                    ends[f"{layer.name}.{own.name}"] = made[own.name][0 if layer.reverse else -1]
        output = network.output.name
        parts = [states[reverse][output] for reverse in sorted(states)]
        received = parts[0] if len(parts) == 1 else space.concatenate(parts, axis=-1)
        received, below = passed(network, case, depth, received), states
    return received, ends


def passed(network: Network, case: Case, depth: int, array: Array) -> Array:
    """What of the array passes the mask between a layer and the next, up or down.

    Shapes: array (T, B, width); the mask (T, width) or (T, B, width), without width where it is 1.
    """
    if not network.dropout or depth == network.layers - 1:
        return array
    mask = case.constants[f"layer{depth}.dropout"]
    if network.width == 1:
        mask = mask[..., None]
    return array * (mask if np.ndim(mask) == 3 else mask[:, None])


def _layer(
    network: Network, layer: Layer, case: Case, fed: Mapping[str, Array], arithmetic: Any
) -> dict[str, Array]:
    """The states of one direction of one layer, in the order of time."""
    cell, prefix = network.cell, f"{layer.name}."

    def own(arrays: Mapping[str, Array], names: Any) -> dict[str, Array]:
        return {symbol.name: arrays[prefix + symbol.name] for symbol in names}

    def turned(array: Array) -> Array:
        return array[::-1] if layer.reverse else array

    constants = {
        c.name: turned(case.constants[c.name]) if c.name in cell.sequences
        else case.constants[c.name]
        for c in cell.constants
    }  # fmt: skip
    found = run_cell(
        cell, own(case.params, cell.parameters), {n: turned(x) for n, x in fed.items()},
        own(case.initial, cell.states), constants, arithmetic,
    )  # fmt: skip
    return {n: turned(arithmetic.namespace.stack(values)) for n, values in found.items()}


def _loss(network: Network, o: Array, target: Array, arithmetic: Arithmetic) -> Array:
    """−log softmax(o)[target] = log Σ exp(o) − o[target], or ½‖out − target‖².

    Shapes: o (q, B), target (B,) or (B, q).
    """
    space = arithmetic.namespace
    if network.loss == "cross_entropy" and arithmetic.of_probabilities:
        p = _probabilities(o, arithmetic)
        return -space.log(p[target, np.arange(len(target))]).sum()
    if network.loss == "cross_entropy":
        o = _shifted(o, arithmetic)
        picked = o[target, np.arange(len(target))]
        return (space.log(space.exp(o).sum(axis=0)) - picked).sum()
    if network.readout == "softmax":
        o = _probabilities(o, arithmetic)
    error = o - target.T
    return arithmetic.number(Rational(1, 2)) * (error * error).sum()


def _probabilities(o: Array, arithmetic: Arithmetic) -> Array:
    """softmax(o) of every column."""
    powers = arithmetic.namespace.exp(_shifted(o, arithmetic))
    return powers / powers.sum(axis=0, keepdims=True)


def _shifted(o: Array, arithmetic: Arithmetic) -> Array:
    """The logits from their largest on, in the form of softmax that does so."""
    return o - o.max(axis=0, keepdims=True) if arithmetic.shifted else o
