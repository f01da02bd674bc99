"""A model of TensorFlow Lite as values: its graphs, their tensors and operators.

In: a file's bytes. Out: `Model`.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs, for the numbers of fields and operators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from numeric.weights.formats.flatbuffer import Flat, Table

Array = Any
Constant = Callable[[int], Sequence[int]]  # the whole numbers of a constant tensor, or none
ADD, CONCATENATION, DEQUANTIZE, FULLY_CONNECTED, LOGISTIC, MUL, RELU = 0, 2, 6, 9, 14, 18, 19
RESHAPE, TANH, GATHER, TRANSPOSE, SUB, SQUEEZE, STRIDED_SLICE = 22, 28, 36, 39, 41, 43, 45
SPLIT, SLICE, EXPAND_DIMS, SPLIT_V, REVERSE, WHILE = 49, 65, 70, 102, 105, 119
TILE, ZEROS_LIKE, FILL, BROADCAST_TO = 69, 93, 94, 130
LSTM, RNN = 16, 24
SEQUENCE_RNN, SEQUENCE_LSTM, BOTH_RNN, BOTH_LSTM = 35, 44, 46, 52
RECURRENT: Final[Mapping[int, str]] = {
    LSTM: "LSTM", SEQUENCE_LSTM: "UNIDIRECTIONAL_SEQUENCE_LSTM",
    BOTH_LSTM: "BIDIRECTIONAL_SEQUENCE_LSTM", RNN: "RNN",
    SEQUENCE_RNN: "UNIDIRECTIONAL_SEQUENCE_RNN", BOTH_RNN: "BIDIRECTIONAL_SEQUENCE_RNN",
}  # fmt: skip
ACTIVATIONS: Final = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
# where the options of an operator have what decides on its function: field, kind, default
_OPTIONS: Final[Mapping[int, Mapping[str, tuple[int, str, float]]]] = {
    LSTM: {"activation": (0, "b", 0), "cell_clip": (1, "f", 0.0), "proj_clip": (2, "f", 0.0),
           "basic": (3, "b", 0)},
    SEQUENCE_LSTM: {"activation": (0, "b", 0), "cell_clip": (1, "f", 0.0),
                    "proj_clip": (2, "f", 0.0), "time_major": (3, "B", 0),
                    "diagonal": (5, "B", 0)},
    BOTH_LSTM: {"activation": (0, "b", 0), "cell_clip": (1, "f", 0.0), "proj_clip": (2, "f", 0.0),
                "merged": (3, "B", 0), "time_major": (4, "B", 1)},
    RNN: {"activation": (0, "b", 0)},
    SEQUENCE_RNN: {"time_major": (0, "B", 0), "activation": (1, "b", 0)},
    BOTH_RNN: {"time_major": (0, "B", 0), "activation": (1, "b", 0), "merged": (2, "B", 0)},
    ADD: {"fused": (0, "b", 0)}, SUB: {"fused": (0, "b", 0)}, MUL: {"fused": (0, "b", 0)},
    FULLY_CONNECTED: {"fused": (0, "b", 0), "shuffled": (1, "b", 0)},
    CONCATENATION: {"axis": (0, "i", 0), "fused": (1, "b", 0)},
    GATHER: {"axis": (0, "i", 0), "batch_axes": (1, "i", 0)},
    STRIDED_SLICE: {"begin_mask": (0, "i", 0), "end_mask": (1, "i", 0),
                    "ellipsis_mask": (2, "i", 0), "new_axis_mask": (3, "i", 0),
                    "shrink_axis_mask": (4, "i", 0)},
    WHILE: {"body": (1, "i", 0)},
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """A tensor: `kind` is the number of its type, `buffer` of where its numbers are."""

    name: str
    shape: tuple[int, ...]
    kind: int
    buffer: int
    quantization: Table | None
    sparse: bool


@dataclass(frozen=True)
class Operator:
    """An operator; its tensors by their numbers, −1 where one is left out."""

    place: int
    kind: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any]

    def input(self, place: int) -> int:
        """The number of an input; −1 if there is none."""
        return self.inputs[place] if place < len(self.inputs) else -1


@dataclass(frozen=True)
class Graph:
    """A graph of operators, which stand in the order in which they run."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Sequence[int] = ()
    outputs: Sequence[int] = ()

    @cached_property
    def makers(self) -> Mapping[int, Operator]:
        """By each tensor's number the operator that makes it."""
        return {name: one for one in self.operators for name in one.outputs}


@dataclass(frozen=True)
class Model:
    """The graphs of a file, the first one being what runs; `buffers` are its constants' bytes."""

    graphs: Sequence[Graph]
    buffers: Sequence[Array]


def model_of(data: Array) -> Model:
    """The model in a file's bytes.

    Raises:
        ValueError: if it is none, or one that is damaged.
    """
    if bytes(data[4:8]) != b"TFL3":
        raise ValueError("its bytes 4 to 8 are not TFL3")
    flat = Flat(data)
    root = flat.root()
    codes = [max(one.number(0, "b"), one.number(3, "i")) for one in root.tables(1)]
    graphs = [
        Graph([_tensor(one) for one in graph.tables(0)],
              [_operator(one, place, codes) for place, one in enumerate(graph.tables(3))],
              graph.numbers(1, "<i4"), graph.numbers(2, "<i4"))
        for graph in root.tables(2)
    ]  # fmt: skip
    for graph in graphs:
        for one in graph.operators:
            _check(graph, (*one.inputs, *one.outputs), -1)
        _check(graph, (*graph.inputs, *graph.outputs), 0)
    return Model(graphs, [_buffer(flat, one) for one in root.tables(4)])


def _check(graph: Graph, names: Sequence[int], least: int) -> None:
    """Refuse the number of a tensor that is not there.

    Raises:
        ValueError: naming it.
    """
    if wrong := [name for name in names if not least <= name < len(graph.tensors)]:
        raise ValueError(f"tensor {wrong[0]} is not there")


def _tensor(table: Table) -> Tensor:
    shape = tuple(table.numbers(0, "<i4"))
    return Tensor(table.text(3), shape, table.number(1, "b"), table.number(2, "I"),
                  table.table(4), table.has(6))  # fmt: skip


def _operator(table: Table, place: int, codes: Sequence[int]) -> Operator:
    number = table.number(0, "I")
    if number >= len(codes):
        raise ValueError(f"operator {place} is of no kind")
    kind, own = codes[number], table.table(4)
    options = {
        name: default if own is None else own.number(at, letter, default)
        for name, (at, letter, default) in _OPTIONS.get(kind, {}).items()
    }
    return Operator(place, kind, table.numbers(1, "<i4"), table.numbers(2, "<i4"), options)


def _buffer(flat: Flat, table: Table) -> Array:
    """A buffer's bytes: in its table, or, in a large file, behind all tables."""
    offset, size = table.number(1, "Q"), table.number(2, "Q")
    return flat.cut(offset, size) if offset > 1 and size > 1 else table.array(0, "u1")


def same_but_for_ones(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether two shapes differ in axes of one entry alone."""
    return [extent for extent in before if extent != 1] == [e for e in after if e != 1]
