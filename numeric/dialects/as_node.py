"""Which of ONNX's recurrent operators a cell is, if it is one, with its matrices.

In: a cell and a number of units. Out: `Found`: the operator's node made of the cell's parameters,
and the proof that both are one function. The operators have the forms that stand in
`derive/cells/dialects/onnx.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from derive.cell import Cell
from numeric.compiler.recurrent_node import Gate, RecurrentNode, Term
from numeric.dialects.parameter_map import ParameterMap
from numeric.dialects.proof import Proof
from numeric.dialects.same import one_way
from numeric.dialects.stacked import Form, dialect
from numeric.weights.laid_out import node_of
from numeric.weights.layouts import ONNX


class NoNodeError(ValueError):
    """No operator of ONNX is known to compute the cell."""


@dataclass(frozen=True)
class Found:
    """The node, the operator's form by its name, and the proof of the map to it."""

    node: RecurrentNode
    dialect: str
    proof: Proof


def as_node(cell: Cell, units: int, seed: int = 0) -> Found:
    """The first operator to which a map of the cell's parameters is proved.

    Raises:
        NoNodeError: if there is none among the maps that are searched, or the search has no end.
        ValueError: for fewer units than one.
    """
    unknown = []
    for name in ONNX:
        own, form = dialect("ONNX", name)
        way = one_way(cell, own, seed)
        if way.found is None or way.proof is None:
            unknown += [] if way.finished else [form.cell]
        elif {*way.found.frame.states.values()} == {s.name for s in cell.states}:
            return Found(_node(way.found, form, name, units), own.name, way.proof)
    more = f" ({', '.join(unknown)}: the search was not finished)" if unknown else ""
    raise NoNodeError(
        f"no RNN, GRU or LSTM node of ONNX is known to compute {cell.name}{more}: bptt same "
        f"{cell.name} onnx_lstm says what was searched; without --node its loop is written out"
    )


def _node(found: ParameterMap, form: Form, name: str, units: int) -> RecurrentNode:
    """The node with its matrices, by the map."""
    kind, attributes = node_of(name)
    frame = found.frame
    parts = [[*_gates(found, pattern, letters)] for pattern, letters in (
        (form.W, form.gates), (form.R, form.gates), (form.first, form.gates),
        (form.second, form.gates), ("P_{}", form.peepholes))]  # fmt: skip
    W, R, first, second, P = map(tuple, parts)
    (hidden,) = {str(size) for gate in R for size in gate.shape}
    return RecurrentNode(
        kind, units, hidden, attributes, W, R, (*first, *second), P, frame.states["H"],
        frame.states.get("C"), found.lines(),
    )  # fmt: skip


def _gates(found: ParameterMap, pattern: str, letters: Sequence[str]) -> Iterator[Gate]:
    """The sums that the map puts in the place of each gate's parameter."""
    shapes = {symbol.name: symbol.shape for symbol in found.target.parameters}
    for letter in letters:
        name = pattern.format(letter)
        terms = tuple(
            Term(m.source.parameter, m.factor, m.source.rows, m.source.columns, m.source.whole,
                 m.transposed)
            for m in found.moves if m.target.parameter == name
        )  # fmt: skip
        offset = sum(n for block, n in found.offsets.items() if block.parameter == name)
        rows, columns = (found.frame.in_source(size) for size in shapes[name])
        yield Gate((rows, columns), terms, float(offset))
