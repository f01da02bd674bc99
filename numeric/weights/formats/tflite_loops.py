"""Loops of single operators, as TensorFlow's converter writes a layer: which constant is what.

In: the graph of a loop's body. Out: a `Step`, or none where the tensors cannot be told apart. The
body's results are followed back to its arguments, sums and products without regard to their order;
a step is known if what it computes is, operator for operator, that of an RNN, GRU or LSTM. Then
the place of a constant in it says which gate's it is: the forget gate's is multiplied by c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.weights.formats.tflite_formulas import MOST_TERMS, Formulas, Node
from numeric.weights.formats.tflite_graph import CONCATENATION, SLICE, Constant, Graph
from numeric.weights.formats.tflite_layers import Loop

LARGEST: Final = 500  # operators of a body: a step has some thirty
Rows = tuple[int, int, int]  # a tensor, and which rows of how many blocks of rows


@dataclass(frozen=True)
class Gate:
    """The constants of one gate: beside the input, beside the state, and biases.

    `inner`: biases that are multiplied with the matrix beside the state.
    """

    W: Rows
    R: Rows
    biases: tuple[Rows, ...]
    inner: tuple[Rows, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a loop computes: `kind` is LSTM, GRU or RNN, `gates` are by their names.

    `after`: a GRU's reset gate stands after its matrix. `moving`: the arguments that a step
    changes, all of which start at zero in such a layer; `states` those of them that are h and c.
    """

    kind: str
    gates: Mapping[str, Gate]
    activation: str
    after: bool
    loop: Loop
    moving: tuple[int, ...]
    states: tuple[int, ...]


def step_of(body: Graph, constant: Constant) -> Step | None:
    """What the body of a loop computes; None where it is none of these, or not known to be."""
    if len(body.outputs) != len(body.inputs) or len(body.inputs) > MOST_TERMS:
        return None
    if len(body.operators) > LARGEST:
        return None
    return next(_Body(Formulas(body, constant)).steps(), None)


@dataclass
class _Body:
    """The formulas of a loop's body."""

    of: Formulas

    def steps(self) -> Iterator[Step]:
        """The steps that the body may be."""
        results = [self.of.of(name) for name in self.of.graph.outputs]
        arguments = [self.of.number(("argument", place)) for place in range(len(results))]
        moving = tuple(k for k, held in enumerate(arguments) if held != results[k])
        for place, held in enumerate(arguments):
            node = self.of.node(results[place])
            for sequence, counter in self._inputs(arguments, results):
                x = self.of.number(("gather", arguments[sequence], arguments[counter]))
                for known in (self._rnn, self._gru, self._lstm):
                    found = known(node, x, held, arguments, results)
                    if found is not None:
                        kind, gates, activation, after, *memory = found
                        every = self._sequence(arguments, results, place, counter)
                        last = [k for k, one in enumerate(results) if one == results[place]]
                        loop = Loop(sequence, every, last)
                        states = (place, *memory)
                        yield Step(kind, gates, activation, after, loop, moving, states)

    def _inputs(
        self, arguments: Sequence[int], results: Sequence[int]
    ) -> Iterator[tuple[int, int]]:
        """A sequence that stays, and a counter that grows by one."""
        for counter, (own, result) in enumerate(zip(arguments, results, strict=True)):
            node = self.of.node(result)
            counts = node[0] == "sum" and len(node) == 3 and own in node[1:]
            if counts and any(self.of.value(term) == 1 for term in node[1:]):
                stay = [k for k, held in enumerate(arguments) if held == results[k]]
                yield from ((sequence, counter) for sequence in stay)

    def _sequence(
        self, arguments: Sequence[int], results: Sequence[int], hidden: int, counter: int
    ) -> int:
        """The argument into which the state is written at the counter's place; −1 if none is."""
        for place, (own, result) in enumerate(zip(arguments, results, strict=True)):
            parts = self.of.node(result)
            if parts[0] != CONCATENATION or len(parts) != 4 or parts[2] != results[hidden]:
                continue
            before, behind = self.of.node(parts[1]), self.of.node(parts[3])
            if before[:2] != (SLICE, own) or behind[:2] != (SLICE, own):
                continue
            if len(before) == len(behind) == 4:
                size, start = self.of.node(before[3]), self.of.node(behind[2])
                if (size[:2] == (CONCATENATION, arguments[counter])
                        and start[:2] == (CONCATENATION, results[counter])):  # fmt: skip
                    return place
        return -1

    def _rnn(self, node: Node, x: int, h: int, *_: Any) -> Any:
        """An RNN: h = φ(U x + W h + b)."""
        if node[0] not in {"tanh", "relu"}:
            return None
        gate = self._gate(node[1], x, h)
        return gate and ("RNN", {"": gate}, node[0], False)

    def _lstm(
        self, node: Node, x: int, h: int, arguments: Sequence[int], results: Sequence[int]
    ) -> Any:
        """An LSTM: h = o ⊙ tanh(c), c = f ⊙ c + i ⊙ g."""
        for o, shown in _two(node, "product"):
            for memory, c in enumerate(results):
                if self.of.node(shown) != ("tanh", c) or self.of.node(o)[0] != "sigmoid":
                    continue
                for kept, new in _two(self.of.node(c), "sum"):
                    for f, before in _two(self.of.node(kept), "product"):
                        for i, g in _two(self.of.node(new), "product"):
                            if before == arguments[memory] and self.of.node(g)[0] == "tanh":
                                gates = self._gates({"input": i, "forget": f, "cell": g,
                                                     "output": o}, x, h)  # fmt: skip
                                if gates is not None:
                                    return "LSTM", gates, "tanh", False, memory
        return None

    def _gru(self, node: Node, x: int, h: int, *_: Any) -> Any:
        """A GRU: h = z ⊙ h + (1 − z) ⊙ g, g with W (r ⊙ h) or r ⊙ (W h + b) within."""
        for kept, new in _two(node, "sum"):
            for z, before in _two(self.of.node(kept), "product"):
                for weight, g in _two(self.of.node(new), "product"):
                    share = self.of.node(weight)
                    rest = share[0] == "minus" and share[2] == z and self.of.value(share[1]) == 1
                    if before == h and rest and self.of.node(g)[0] == "tanh":
                        found = self._candidate(self.of.node(g)[1], x, h)
                        gates = found and self._gates({"update": z, "reset": found[1]}, x, h)
                        if found and gates:
                            return "GRU", {**gates, "cell": found[0]}, "tanh", found[2]
        return None

    def _candidate(self, number: int, x: int, h: int) -> tuple[Gate, int, bool] | None:
        """The candidate's constants, its reset gate, and whether that stands after the matrix."""
        for inner in self.of.terms(number):
            rest = [term for term in self.of.terms(number) if term != inner]
            node = self.of.node(inner)
            for r, held in _two(node, "product"):
                gate = self._gate_of(rest, self.of.terms(held), x, h)
                if gate is not None and self.of.node(r)[0] == "sigmoid":
                    return gate, r, True
            if node[0] == "linear":
                for r, before in _two(self.of.node(node[1]), "product"):
                    gate = self._gate_of(rest, [inner], x, node[1])
                    if before == h and gate is not None and self.of.node(r)[0] == "sigmoid":
                        return gate, r, False
        return None

    def _gates(self, of: Mapping[str, int], x: int, h: int) -> dict[str, Gate] | None:
        """The constants of gates σ(…), and of a candidate tanh(…)."""
        found = {}
        for name, number in of.items():
            node = self.of.node(number)
            if node[0] != ("tanh" if name == "cell" else "sigmoid"):
                return None
            gate = self._gate(node[1], x, h)
            if gate is None:
                return None
            found[name] = gate
        return found

    def _gate(self, number: int, x: int, h: int) -> Gate | None:
        """The constants of W x + R h + biases; None if it is anything else."""
        terms = self.of.terms(number)
        beside_x = [t for t in terms if self.of.node(t)[:2] == ("linear", x)]
        rest = [t for t in terms if t not in beside_x and self.of.node(t)[0] == "rows"]
        beside_h = [t for t in terms if self.of.node(t)[:2] == ("linear", h)]
        if len(beside_x) + len(rest) + len(beside_h) != len(terms):
            return None
        return self._gate_of([*beside_x, *rest], beside_h, x, h)

    def _gate_of(self, outer: Sequence[int], inner: Sequence[int], x: int, h: int) -> Gate | None:
        """The constants of W x + biases, and those of R h + biases; None if they are others."""
        first, second = [self.of.node(t) for t in outer], [self.of.node(t) for t in inner]
        W = [node for node in first if node[:2] == ("linear", x)]
        R = [node for node in second if node[:2] == ("linear", h)]
        own, beside = ([node for node in nodes if node[0] == "rows"] for nodes in (first, second))
        whole = len(W) == len(R) == 1 and len(own) + 1 == len(first)
        if not whole or len(beside) + 1 != len(second):
            return None
        return Gate(W[0][2:], R[0][2:], tuple(n[1:] for n in own), tuple(n[1:] for n in beside))


def _two(node: Node, kind: str) -> Iterator[tuple[int, int]]:
    """The two arguments of a sum or product, either way round."""
    if node[0] == kind and len(node) == 3:
        yield node[1], node[2]
        yield node[2], node[1]
