"""A graph of ONNX being built: nodes with names of their own, constants, and extents.

In: operations one after the other. Out: the nodes and initialisers of a graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sympy import Expr, Integer

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError:
    onnx = helper = numpy_helper = None

__all__ = ["IR_VERSION", "OPSET", "Graph", "helper", "onnx"]
OPSET: Final = 18
IR_VERSION: Final = 9


@dataclass
class Graph:
    """Nodes in order; `sizes` names for each size a whole number that the graph knows.

    `outer`: the graph around the body of a loop, which holds constants and extents for both.
    """

    kind: Any
    nodes: list[Any] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    outer: Graph | None = None
    count: int = 0

    def name(self, word: str) -> str:
        """A name that nothing else has."""
        top = self.outer or self
        top.count += 1
        return f"{word}/{top.count}"

    def add(self, op: str, given: Sequence[str], made: str = "", **attributes: Any) -> str:
        """A node's one result."""
        made = made or self.name(op)
        self.add_node(op, given, [made], **attributes)
        return made

    def add_node(
        self, op: str, given: Sequence[str], made: Sequence[str], **attributes: Any
    ) -> None:
        """A node of several results."""
        self.nodes.append(helper.make_node(op, [*given], [*made], **attributes))

    def constant(self, value: Any, kind: Any = None) -> str:
        """A constant of the graph's type, or of another."""
        top = self.outer or self
        array = np.asarray(value, self.kind if kind is None else kind)
        name = f"constant/{array.dtype.str[1:]}/{array.shape}/{array.tolist()}"
        if name not in top.held:
            top.held[name] = numpy_helper.from_array(array, name)
        return name

    def whole(self, *numbers: int) -> str:
        """Whole numbers, as axes and shapes are given."""
        return self.constant([*numbers], np.int64)

    def extent(self, size: Expr) -> str:
        """A sum of sizes as one whole number, (1,)."""
        top = self.outer or self
        if (key := f"extent/{size}") in top.sizes:
            return top.sizes[key]
        made = top.whole(0)
        for term, number in size.expand().as_coefficients_dict().items():
            held = top.whole(1) if term == Integer(1) else top.sizes[str(term)]
            if number != 1:
                held = top.add("Mul", [held, top.whole(int(number))])
            made = top.add("Add", [made, held])
        top.sizes[key] = made
        return made

    def shape(self, dims: Sequence[Expr]) -> str:
        """The shape of so many sizes."""
        top = self.outer or self
        return top.add("Concat", [self.extent(size) for size in dims], axis=0)

    def know_sizes(self, arrays: Mapping[str, Sequence[Expr]]) -> None:
        """Take the size of each letter from an array that has it alone on an axis."""
        for name, dims in arrays.items():
            shape = ""
            for axis, size in enumerate(dims):
                if size.is_Symbol and str(size) not in self.sizes:
                    shape = shape or self.add("Shape", [name])
                    self.sizes[str(size)] = self.add("Gather", [shape, self.whole(axis)], axis=0)
