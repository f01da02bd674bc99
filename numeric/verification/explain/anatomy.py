"""What is audited in parts: a cell is one part, a network its layers and its readout.

In: a problem. Out: `Anatomy`: the parts with their derivations, the mistakes that each may hold
with the words for them, and the tapes on which they are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from derive.calculus.adjoint import carry
from derive.calculus.joins import Joined
from derive.calculus.through_time import Derivation, differentiate
from derive.cell import Cell, previous
from derive.language.expr import symbols_of
from derive.language.syntax import BAR, PREVIOUS
from derive.network import Network
from derive.saying import said
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.verification.cases import Case
from numeric.verification.explain.change import Change, Mistake, Place
from numeric.verification.explain.changed_equations import ForwardPass
from numeric.verification.explain.equation_names import EquationNames
from numeric.verification.explain.layers import (
    ARRANGED,
    AVERAGED,
    DOWN,
    READ,
    READOUT,
    SLOPES,
    UNTURNED,
    WHOLE,
    NetworkTape,
    readout_of,
)
from numeric.verification.explain.loop import scaled_whole
from numeric.verification.explain.mistakes import mistakes
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import LOSS

WEIGHTS: Final = 2.0**6  # what a readout's weights are multiplied by for large gradients
Labels = Any  # a mapping of gradients by label that computes each when it is asked for


@dataclass(frozen=True)
class Part:
    """A cell, or a layer in one direction, or a readout; its labels begin with `name`.

    `called`: a symbol of the derivation → its name in the module interface, where it is another.
    """

    name: str
    derivation: Derivation
    called: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def naming(self) -> EquationNames:
        """The words for the part's equations."""
        return EquationNames(self.derivation)

    @cached_property
    def loop(self) -> set[str]:
        """The cotangents of a step, what it hands back among them."""
        return {e.target.name for e in (*self.derivation.adjoint, *self.derivation.carries)}

    @cached_property
    def ends(self) -> set[str]:
        """The cotangents of inputs and parameters."""
        return {e.target.name for e in (*self.derivation.inputs, *self.derivation.parameters)}

    @cached_property
    def upstream(self) -> dict[str, set[str]]:
        """For each cotangent of a step the cotangents that it is computed from, at that step."""
        found: dict[str, set[str]] = {}
        derivation = self.derivation
        for equation in (
            *derivation.adjoint, *derivation.carries, *derivation.inputs, *derivation.parameters
        ):  # fmt: skip
            above: set[str] = set()
            for symbol in symbols_of(equation.value):
                if symbol.name in found:
                    above |= {symbol.name} | found[symbol.name]
            found[equation.target.name] = above
        return found

    @cached_property
    def targets(self) -> dict[str, str]:
        """Each gradient of the part → the target of the adjoint equation that gives it."""
        cell = self.derivation.cell
        own = {"params": cell.parameters, "inputs": cell.inputs, "initial": cell.states}
        return {
            self.label(group, s.name): f"{s.name}{PREVIOUS * (group == 'initial')}{BAR}"
            for group, symbols in own.items() for s in symbols
        }  # fmt: skip

    def label(self, group: str, own: str) -> str:
        """What the verdict calls the gradient of a symbol of the part."""
        return ".".join(filter(None, (group, self.name, self.called.get(own, own))))

    def near(self, label: str) -> set[str]:
        """The cotangents that the gradient is made of, its own among them."""
        return self.upstream[self.targets[label]] | {self.targets[label]}

    def fed(self, names: Iterable[str]) -> set[str]:
        """The part's gradients that these cotangents go into."""
        names = {*names}
        return {label for label in self.targets if names & self.near(label)}

    def where(self, targets: Iterable[str]) -> str:
        """The equations that give these names."""
        if self.name == READOUT:  # its numbers are not those of a network's derivation
            equations = self.naming.equations
            texts = [equations[name] for name in dict.fromkeys(targets) if name in equations]
            return "; ".join(text[text.index(")") + 2 :] for text in texts)
        return self.naming.where(targets)


class CellAnatomy:
    """A cell: one part, its adjoint equations.

    `by_step`: whether each step has outputs and a loss of its own.
    """

    by_step = True

    def __init__(self, cell: Cell) -> None:
        self.part = Part("", differentiated(cell))
        self.parts: tuple[Part, ...] = (self.part,)

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Every mistake that is tried, the likely ones first."""
        return mistakes(self.part.derivation, self.part.naming)

    def tape(self, case: Case) -> ForwardPass:
        """The forward pass of the case."""
        return ForwardPass(self.part.derivation, case)

    def made_by(self, tape: ForwardPass, *made: Mistake) -> Labels:
        """The gradients that code with these mistakes computes, the right ones if there is none."""
        change, derivation = Change(), None
        for mistake in made:
            change, derivation = change | mistake.change, derivation or mistake.derivation
        if derivation is not None:
            tape.learn(derivation.forward)
        return tape.gradients(change, derivation)

    def fed(self, part: Part, names: Iterable[str]) -> set[str]:
        """The gradients that these cotangents of the part go into."""
        return part.fed(names)

    def where(self, mistake: Mistake) -> str:
        """The equations that the mistake is in."""
        return self.part.where(mistake.targets)

    @property
    def homes(self) -> list[tuple[tuple[str, ...], Part]]:
        """Where a mistake can be: in the one part."""
        return [(("",), self.part)]

    def holds(self, part: Part, places: list[Place]) -> bool:
        """Whether there are such places in the part: all are."""
        return True

    def times(self, case: Case, number: float) -> Case:
        """The case with gradients so many times as large: they are linear in the cotangents."""
        return replace(case, cotangents={n: number * bar for n, bar in case.cotangents.items()})

    def alone(self, case: Case) -> Iterator[tuple[int, Case]]:
        """Each step k from 1, and the case with cotangents of that step only."""
        for k in range(case.steps):
            only = {name: np.zeros_like(value) for name, value in case.cotangents.items()}
            for name, value in case.cotangents.items():
                only[name][k] = value[k]
            yield k + 1, replace(case, cotangents=only)

    def loss(self, case: Case, outputs: Mapping[str, Any]) -> float:
        """Σ_t Σ_s ⟨s̄_t, s_t⟩, which is differentiated, of what the forward pass returned."""
        return float(sum(np.sum(outputs[s] * bar) for s, bar in case.cotangents.items()))


class NetworkAnatomy:
    """A network: the readout above the layers, each direction of a layer a part."""

    by_step = False

    def __init__(self, network: Network) -> None:
        self.network = network
        cell, readout = differentiated(network.cell), differentiated(readout_of(network))
        V, c = readout.cell.parameters
        top = Part(READOUT, readout, {V.name: "V", c.name: "c"})
        layers = [Part(layer.name, cell) for layer in reversed(network.stack)]
        self.parts: tuple[Part, ...] = (top, *layers)
        self.labels = [".".join(pair) for pair in NetworkProblem(network).gradients()]
        self._depths = {layer.name: layer.depth for layer in network.stack}

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """The readout's, the slope of the loss, those of layers, then whole gradients scaled."""
        top, layer, *_ = self.parts
        found = mistakes(top.derivation, top.naming)
        names = [layer.name for layer in self.network.stack]
        return [
            *(replace(m, parts=(READOUT,)) for m in found
              if not m.change.scaled and _without_memory(top.derivation, m)),
            *_slopes(),
            *(_arranged(top.derivation, layer, names) if self.network.bidirectional else ()),
            *_in_layers(
                [m for m in mistakes(layer.derivation, layer.naming) if not m.change.scaled],
                names,
            ),
            *(replace(m, parts=(WHOLE,)) for m in scaled_whole(self.labels)),
        ]  # fmt: skip

    def tape(self, case: Case) -> NetworkTape:
        """The forward pass of the case."""
        top, layer, *_ = self.parts
        return NetworkTape(self.network, layer.derivation, top.derivation, case)

    def made_by(self, tape: NetworkTape, *made: Mistake) -> Labels:
        """The gradients that code with these mistakes computes, the right ones if there is none."""
        return tape.gradients(*made)

    def fed(self, part: Part, names: Iterable[str]) -> set[str]:
        """The gradients of the part, and of all below it if the cotangents go into an input."""
        fed, every = part.fed(names), {*self.labels}
        if not any(label.startswith("inputs.") for label in fed):
            return fed & every
        depth = self._depths.get(part.name, self.network.layers)
        beside = [p for p in self.parts if self._depths.get(p.name, self.network.layers) >= depth]
        return (fed & every) | (every - {label for p in beside for label in p.targets})

    def where(self, mistake: Mistake) -> str:
        """The part, or that it is every layer, and the equations that the mistake is in."""
        if mistake.slope is not None:
            joined = Joined(self.network)
            stated = joined.part("loss")[-1 if self.network.loss == "cross_entropy" else 0].equation
            layout, text = Layout(joined.notation), Text()
            left, right = (text(layout.of(side)) for side in (stated.target, stated.value))
            return said("{0}: {1}", READOUT, f"{left} = {right}")
        inside = [part for part in self.parts if part.name in mistake.parts]
        if not inside:
            return ""
        where = inside[0].where(mistake.targets)
        if inside[0].name == READOUT:
            return said("{0}: {1}", READOUT, where)
        return said("{0}, {1}", inside[0].name if len(inside) == 1 else "every layer", where)

    @property
    def homes(self) -> list[tuple[tuple[str, ...], Part]]:
        """Each layer, all of them, the readout."""
        top, *layers = self.parts
        found: list[tuple[tuple[str, ...], Part]] = [((part.name,), part) for part in layers]
        if len(layers) > 1:
            found.append((tuple(part.name for part in layers), layers[0]))
        return [*found, ((READOUT,), top)]

    def holds(self, part: Part, places: list[Place]) -> bool:
        """Of a readout, all but what is of the state before."""
        nothing = Mistake("", Change(dict.fromkeys(places)), tuple(n for n, _ in places), "")
        return part.name != READOUT or _without_memory(part.derivation, nothing)

    def times(self, case: Case, number: float) -> Case:
        """By the weights of the readout, through which all layers get theirs; not over exp(700).

        Of a cross-entropy the targets are what is least likely: the slope is nowhere zero.
        """
        weights = min(number, WEIGHTS) * case.params["readout.V"]
        case = replace(case, params={**case.params, "readout.V": weights})
        if self.network.loss == "cross_entropy":
            least = self.tape(case).given.argmin(axis=-1)
            at_last = self.network.loss_at == "last"
            case = replace(case, targets=least[-1] if at_last else least)
        return case

    def alone(self, case: Case) -> Iterator[tuple[int, Case]]:
        """No step: a network's loss is its own."""
        return iter(())

    def loss(self, case: Case, outputs: Mapping[str, Any]) -> float:
        """The loss itself."""
        return float(outputs[LOSS])


Anatomy = CellAnatomy | NetworkAnatomy  # a problem in parts, the highest first


def _without_memory(readout: Derivation, mistake: Mistake) -> bool:
    """Whether the mistake is one of the readout, which hands nothing from step to step."""
    (state,) = readout.cell.states
    gone = {previous(state).name + BAR, carry(state).name, state.name + BAR}
    values = [v for v in mistake.change.terms.values() if v is not None]
    used = {s.name for value in values for s in symbols_of(value)} & (gone - {state.name + BAR})
    return not (gone & {*mistake.targets} or used or mistake.change.handed)


def _slopes() -> Iterator[Mistake]:
    """The slope of the loss, of which all gradients are made, is another."""
    for how in SLOPES:
        what = said("with the slope of the loss {0}", how)
        yield Mistake(
            what, Change(), (), how, parts=(READOUT,), slope=how, factor=AVERAGED.get(how)
        )


def _arranged(readout: Derivation, layer: Part, names: list[str]) -> Iterator[Mistake]:
    """What both directions hand up, or get, in another order; the readout's, then the input's."""
    (x,), (V, _) = readout.inputs, readout.parameters
    for where, target in ((READ, V.target.name), (DOWN, x.target.name)):
        for how in ARRANGED:
            what = said("where {0}", said(where, said(how)))
            yield Mistake(what, Change(), (target,), where, parts=(READOUT,), arranged={where: how})
    lowest = tuple(name for name in names if name.endswith("reverse"))[:1]
    target = layer.derivation.inputs[0].target.name
    what = said("where {0}", said(UNTURNED))
    yield Mistake(what, Change(), (target,), UNTURNED, parts=lowest, arranged={UNTURNED: ""})


def _in_layers(found: list[Mistake], names: list[str]) -> Iterator[Mistake]:
    """Each mistake in one layer, then in all of them, as where one function serves them all.

    A term alone comes after others missing: of a state that no loss sees both may be the same.
    """
    found = sorted(found, key=lambda mistake: mistake.family == "alone")
    for name in names:
        yield from (replace(mistake, parts=(name,)) for mistake in found)
    if len(names) > 1:
        yield from (replace(mistake, parts=tuple(names)) for mistake in found)


@lru_cache(maxsize=64)
def differentiated(cell: Cell) -> Derivation:
    """The derivation of the cell, made once."""
    return differentiate(cell)


def anatomy_of(problem: Problem) -> Anatomy:
    """The parts of a cell or of a network."""
    return _anatomy(problem.network if isinstance(problem, NetworkProblem) else problem.cell)


@lru_cache(maxsize=16)
def _anatomy(of: Cell | Network) -> Anatomy:
    return NetworkAnatomy(of) if isinstance(of, Network) else CellAnatomy(of)


def labelled(gradients: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Gradients by label: "params.W", "inputs.x", "initial.h"."""
    return {
        f"{g}.{name}": array for g, arrays in gradients.items() for name, array in arrays.items()
    }
