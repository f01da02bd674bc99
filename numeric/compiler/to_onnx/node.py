"""Cell → an ONNX model with an RNN, GRU or LSTM node, whose matrices it makes of the parameters.

In: a cell, a `RecurrentNode`, NumPy's float32 or float64. Out: a `ModelProto` with the inputs of
`model_of`, and h of every step as there. Two promises are smaller than those of a Scan, so a node
is asked for and no default: the number of units is an attribute of the node and so fixed, and an
LSTM gives its cell state after the last step alone, `c_last` (B, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sympy import Symbol

from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.compiler.lower import lower
from numeric.compiler.program import LENGTH, initial_name
from numeric.compiler.recurrent_node import Gate, RecurrentNode, Term
from numeric.compiler.to_onnx.graph import Graph
from numeric.compiler.to_onnx.model import Values, given_of, modelled, ready
from numeric.compiler.to_onnx.operations import write


def node_model(cell: Cell, node: RecurrentNode, kind: Any = np.float32, about: str = "") -> Any:
    """The model.

    Raises:
        MissingError: if the package onnx is not installed.
    """
    ready()
    program = lower(derivation_of(cell), "output")
    top = Graph(np.dtype(kind))
    given = given_of(program)
    top.know_sizes(given)
    W, R = (_concatenated(top, gates) for gates in (node.W, node.R))
    (x,) = (symbol.name for symbol in cell.inputs)
    states = [node.output, *([node.carried] if node.carried else [])]
    initial = [top.add("Unsqueeze", [initial_name(s), top.whole(0)]) for s in states]
    inputs = [x, W, R, _concatenated(top, node.B), "", *initial]
    if node.P:
        inputs.append(_concatenated(top, node.P))
    Y, last = top.name("Y"), top.name("Y_c")
    results = [Y, "", last] if node.carried else [Y]
    top.add_node(node.kind, inputs, results, name=node.kind.lower(), hidden_size=node.units,
                 **node.attributes)  # fmt: skip
    top.add("Squeeze", [Y, top.whole(1)], node.output)
    made: Values = {node.output: program.dims[node.output]}
    if node.last:
        top.add("Squeeze", [last, top.whole(0)], node.last)
        made[node.last] = tuple(d for d in program.dims[str(node.carried)] if d != LENGTH)
    fixed = {Symbol(node.hidden, **s.assumptions0): node.units
             for dims in given.values() for size in dims for s in size.free_symbols
             if s.name == node.hidden}  # fmt: skip
    given, made = (
        {name: tuple(size.subs(fixed) for size in dims) for name, dims in group.items()}
        for group in (given, made)
    )
    return modelled(top, cell, given, made, about)


def _concatenated(g: Graph, gates: Sequence[Gate]) -> str:
    """The gates one below the other, with an axis of one direction in front."""
    return g.add("Unsqueeze", [g.add("Concat", [_gate(g, gate) for gate in gates], axis=0),
                               g.whole(0)])  # fmt: skip


def _gate(g: Graph, gate: Gate) -> str:
    """The sum of a gate's terms, a matrix or a vector."""
    dims = [size for size in gate.shape if size != 1]
    total = ""
    for term in gate.terms:
        made, times = _term(g, term), abs(term.factor)
        if times != 1:
            made = g.add("Mul", [made, g.constant(float(times))])
        if not total:
            total = made if term.factor > 0 else g.add("Neg", [made])
        else:
            total = g.add("Add" if term.factor > 0 else "Sub", [total, made])
    if not total:
        return write(g, "spread", [g.constant(gate.offset)], tuple(dims))
    return g.add("Add", [total, g.constant(gate.offset)]) if gate.offset else total


def _term(g: Graph, term: Term) -> str:
    made = term.parameter
    if not term.whole:
        made = write(g, "rows", [made], term.rows)
        if term.columns[1] != 1:
            made = write(g, "columns", [made], term.columns)
    return g.add("Transpose", [made], perm=[1, 0]) if term.transposed else made
