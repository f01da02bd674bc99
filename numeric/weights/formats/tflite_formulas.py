"""A graph of TensorFlow Lite as formulas: what each tensor is made of.

In: a graph, and the entries of its constants. Out: `Formulas`, numbered, equal ones by one number.
Sums and products are without regard to the order of their terms; a block of a sum is the sum of the
terms' blocks, so that a gate's rows are found in the constants. What is not known stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from numeric.weights.formats.tflite_graph import (
    ADD,
    CONCATENATION,
    DEQUANTIZE,
    EXPAND_DIMS,
    FULLY_CONNECTED,
    GATHER,
    LOGISTIC,
    MUL,
    RELU,
    RESHAPE,
    SLICE,
    SPLIT,
    SPLIT_V,
    SQUEEZE,
    STRIDED_SLICE,
    SUB,
    TANH,
    Constant,
    Graph,
    Operator,
    same_but_for_ones,
)

MOST_TERMS: Final = 16
Node = tuple[Any, ...]


@dataclass
class Formulas:
    """A graph's tensors as formulas, each by the number of its formula.

    A formula is its kind and what it is made of: ("argument", place), ("rows", tensor, block,
    blocks) of a constant, ("linear", a, tensor, block, blocks), ("sum", …), ("product", …),
    ("minus", a, b), ("gather", a, index), ("sigmoid", a), …
    """

    graph: Graph
    constant: Constant
    _numbers: dict[Node, int] = field(default_factory=dict)
    _nodes: list[Node] = field(default_factory=list)
    _of: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, name in enumerate(self.graph.inputs):
            self._of[name] = self.number(("argument", place))
        for one in self.graph.operators:
            rule = _RULES.get(one.kind)
            needed = one.inputs[:2] if one.kind == FULLY_CONNECTED else one.inputs
            whole = rule is not None and needed and min(needed) >= 0
            found = rule(self, one) if rule is not None and whole else None
            blocks = self._blocks(one)
            for place, name in enumerate(one.outputs):
                if found is None or place >= blocks:
                    self._of[name] = self.number(("unknown", one.place, place))
                else:
                    self._of[name] = self._part(found, place, blocks)

    def _blocks(self, one: Operator) -> int:
        """How many equal blocks an operator splits into; those behind them are empty."""
        if one.kind not in {SPLIT, SPLIT_V}:
            return 1
        sizes = [self.graph.tensors[name].shape[-1:] for name in one.outputs]
        return sum(size != (0,) for size in sizes)

    def number(self, node: Node) -> int:
        """The number of a formula."""
        if node not in self._numbers:
            self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
        return self._numbers[node]

    def node(self, number: int) -> Node:
        """The formula of a number."""
        return self._nodes[number]

    def of(self, name: int) -> int:
        """The number of a tensor's formula; a tensor that nobody makes is a constant."""
        if name not in self._of:
            early = name in self.graph.makers  # it is read before it is made
            node = ("unknown", -1, name) if early else ("rows", name, 0, 1)
            self._of[name] = self.number(node)
        return self._of[name]

    # ---- operators ---------------------------------------------------------------------------

    def _activated(self, one: Operator, number: int) -> int | None:
        """What an operator makes of its result."""
        kind = {0: "", 1: "relu", 4: "tanh"}.get(one.options["fused"])
        if kind is None:
            return None
        return self.number((kind, number)) if kind else number

    def terms(self, number: int) -> tuple[int, ...]:
        """The terms of a sum, or a formula that is none alone."""
        node = self.node(number)
        return node[1:] if node[0] == "sum" else (number,)

    def _sum(self, *numbers: int) -> int | None:
        terms = [term for number in numbers for term in self.terms(number)]
        if len(terms) > MOST_TERMS:
            return None
        return self.number(("sum", *sorted(terms)))

    def _part(self, number: int, place: int, count: int) -> int:
        """A block of a formula's entries, of so many; of a sum, that of each term."""
        if count == 1:
            return number
        node = self.node(number)
        if node[0] == "sum":
            return self.number(("sum", *sorted(self._part(t, place, count) for t in node[1:])))
        if node[-2:] == (0, 1) and (node[0] == "linear" or self._is_vector(node)):
            return self.number((*node[:-2], place, count))
        return self.number(("part", number, place, count))

    def _is_vector(self, node: Node) -> bool:
        """Whether a formula is a constant with one axis, whose rows are its entries."""
        if node[0] != "rows":
            return False
        return sum(extent != 1 for extent in self.graph.tensors[node[1]].shape) <= 1

    def add(self, one: Operator) -> int | None:
        """The sum a + b."""
        found = self._sum(*map(self.of, one.inputs))
        return None if found is None else self._activated(one, found)

    def product(self, one: Operator) -> int | None:
        """The product a ⊙ b."""
        return self._activated(one, self.number(("product", *sorted(map(self.of, one.inputs)))))

    def difference(self, one: Operator) -> int | None:
        """The difference a − b."""
        if len(one.inputs) != 2:
            return None
        return self._activated(one, self.number(("minus", *map(self.of, one.inputs))))

    def linear(self, one: Operator) -> int | None:
        """The product W a, and a bias."""
        if one.options["shuffled"] or one.input(0) < 0 or one.input(1) < 0:
            return None
        weights = self.node(self.of(one.input(1)))
        if weights[0] != "rows" or weights[2:] != (0, 1):
            return None
        terms = [self.number(("linear", self.of(one.input(0)), weights[1], 0, 1))]
        if one.input(2) >= 0:
            terms.append(self.of(one.input(2)))
        found = self._sum(*terms) if len(terms) > 1 else terms[0]
        return None if found is None else self._activated(one, found)

    def function(self, one: Operator) -> int | None:
        """A function of one argument."""
        name = {LOGISTIC: "sigmoid", TANH: "tanh", RELU: "relu"}[one.kind]
        return self.number((name, self.of(one.inputs[0]))) if one.inputs else None

    def split(self, one: Operator) -> int | None:
        """Equal blocks of the last axis."""
        lengths = one.kind == SPLIT_V
        if len(one.inputs) != 2 + lengths:
            return None
        whole, axis = (one.inputs[0], one.inputs[2]) if lengths else (one.inputs[1], one.inputs[0])
        rank = len(self.graph.tensors[whole].shape)
        if [place + rank * (place < 0) for place in self.constant(axis)] != [rank - 1]:
            return None
        count = self._blocks(one)
        sizes = self.constant(one.inputs[1])[:count] if lengths else []
        return self.of(whole) if len({*sizes}) <= 1 and count and 0 not in sizes else None

    def strided(self, one: Operator) -> int | None:
        """A block of the last of two axes."""
        if len(one.inputs) != 4 or len(one.outputs) != 1:
            return None
        whole, own = (self.graph.tensors[k].shape for k in (one.inputs[0], one.outputs[0]))
        begin, end, step = (self.constant(name) for name in one.inputs[1:])
        masks = [one.options[name] for name in ("begin_mask", "end_mask")]
        plain = all(mask & 1 for mask in masks) and not any(
            one.options[name] for name in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
        )
        two = len(whole) == len(own) == len(begin) == len(end) == 2 and step == [1, 1]
        if not plain or not two or not own[1] or whole[1] % own[1]:
            return None
        first = 0 if masks[0] & 2 else begin[1]
        last = whole[1] if masks[1] & 2 else end[1]
        if last - first != own[1] or first % own[1]:
            return None
        return self._part(self.of(one.inputs[0]), first // own[1], whole[1] // own[1])

    def gather(self, one: Operator) -> int | None:
        """The rows of a place along the first axis."""
        if len(one.inputs) != 2 or one.options["axis"] or one.options["batch_axes"]:
            return None
        return self.number(("gather", *map(self.of, one.inputs)))

    def same(self, one: Operator) -> int | None:
        """What changes no entry: axes of one entry that come and go, other types of constants."""
        if not one.inputs or not one.outputs:
            return None
        before, after = (self.graph.tensors[k].shape for k in (one.inputs[0], one.outputs[0]))
        return self.of(one.inputs[0]) if same_but_for_ones(before, after) else None

    def other(self, one: Operator) -> int | None:
        """What is known by its arguments alone."""
        if one.kind == CONCATENATION and (one.options["axis"] or one.options["fused"]):
            return None
        return self.number((one.kind, *map(self.of, one.inputs)))

    def value(self, number: int) -> int | None:
        """The whole number that a formula is; None if it is none."""
        node = self.node(number)
        held = self.constant(node[1]) if node[0] == "rows" and node[2:] == (0, 1) else []
        return held[0] if len(held) == 1 else None


_Rule = Callable[[Formulas, Operator], int | None]
_RULES: Final[Mapping[int, _Rule]] = {
    ADD: Formulas.add, SUB: Formulas.difference, MUL: Formulas.product,
    FULLY_CONNECTED: Formulas.linear, LOGISTIC: Formulas.function, TANH: Formulas.function,
    RELU: Formulas.function, SPLIT: Formulas.split, SPLIT_V: Formulas.split,
    STRIDED_SLICE: Formulas.strided, GATHER: Formulas.gather, DEQUANTIZE: Formulas.same,
    RESHAPE: Formulas.same, SQUEEZE: Formulas.same, EXPAND_DIMS: Formulas.same,
    SLICE: Formulas.other, CONCATENATION: Formulas.other,
}  # fmt: skip
