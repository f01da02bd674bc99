"""TensorFlow Lite's files: the weights of recurrent operators, and what their options say.

In: a model as FlatBuffers. Out: arrays `LSTM_3.input_to_forget` and so on, the number being the
operator's place in its graph, other constants by their own names, and for each module its layers
with their options. Operators that feed one another through nothing but changes of shape are layers
of one module; two of opposite directions whose outputs stand beside each other are one layer. A
loop of single operators is one if it is known to compute what an RNN, GRU or LSTM does.

Numbers kept as integers are what the file says of them: scale · (q − zero point).

Source: tensorflow/lite/kernels, for the order of an operator's inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats.flatbuffer import Table
from numeric.weights.formats.stored import (
    MAX_RANK,
    Arrays,
    Stored,
    Unread,
    checked_shape,
    mapped,
)
from numeric.weights.formats.stored import tensor as entries
from numeric.weights.formats.tflite_graph import (
    ACTIVATIONS,
    BOTH_LSTM,
    BOTH_RNN,
    BROADCAST_TO,
    DEQUANTIZE,
    EXPAND_DIMS,
    FILL,
    LSTM,
    RECURRENT,
    RESHAPE,
    RNN,
    SEQUENCE_LSTM,
    SEQUENCE_RNN,
    SLICE,
    SQUEEZE,
    STRIDED_SLICE,
    TILE,
    TRANSPOSE,
    WHILE,
    ZEROS_LIKE,
    Constant,
    Graph,
    Model,
    Operator,
    Tensor,
    model_of,
)
from numeric.weights.formats.tflite_layers import MOST, Layer, chains_of
from numeric.weights.formats.tflite_loops import Step, step_of

Array = Any
_GATES: Final = ("input", "forget", "cell", "output")
_LSTM: Final = (
    *(f"input_to_{gate}" for gate in _GATES), *(f"recurrent_to_{gate}" for gate in _GATES),
    *(f"cell_to_{gate}" for gate in _GATES if gate != "cell"),
    *(f"{gate}_gate_bias" for gate in _GATES), "projection", "projection_bias",
)  # fmt: skip
_RNN: Final = ("input_weights", "recurrent_weights", "bias")
_NORMS: Final = tuple(f"{gate}_layer_norm" for gate in _GATES)
# the inputs of an operator from the second on, a direction after the other; states are left out
_PLACES: Final[Mapping[int, tuple[Sequence[str], ...]]] = {
    LSTM: (_LSTM,), SEQUENCE_LSTM: (_LSTM,), BOTH_LSTM: (_LSTM, _LSTM),
    RNN: (_RNN,), SEQUENCE_RNN: (_RNN,), BOTH_RNN: ((*_RNN, ""), (*_RNN, "")),
}  # fmt: skip
_KINDS: Final = {kind: "LSTM" if "LSTM" in name else "RNN" for kind, name in RECURRENT.items()}
_NORMS_AT: Final = 20
_BESIDE_X: Final = ("input_to_{}", "input_weights")  # of a gate, and of the only one
_BESIDE_H: Final = ("recurrent_to_{}", "recurrent_weights")
_BESIDE: Final = {BOTH_LSTM: 39, BOTH_RNN: 9}  # the second input of a layer of both directions
_ZEROS_OF_ZEROS: Final = frozenset({
    BROADCAST_TO, EXPAND_DIMS, FILL, RESHAPE, SLICE, SQUEEZE, STRIDED_SLICE, TILE, TRANSPOSE,
})  # fmt: skip
_WAYS: Final = ("forward", "backward")
_TYPES: Final = {
    "0": "<f4", "1": "<f2", "2": "<i4", "3": "u1", "4": "<i8", "6": "?", "7": "<i2", "8": "<c8",
    "9": "i1", "10": "<f8", "11": "<c16", "12": "<u8", "15": "<u4", "16": "<u2", "18": "bf16",
}  # fmt: skip
_NAMES: Final = {"5": "letters", "17": "four-bit integers"}
_WHOLE: Final = frozenset({"2", "3", "4", "7", "9", "17"})  # what quantised numbers are kept as


def read(path: Path) -> Arrays:
    """The arrays of the file, and its recurrent modules.

    Raises:
        ValueError: if it is no model, or one that is damaged or without such operators.
    """
    try:
        model = model_of(mapped(path))
        found = _Found(model)
        for place, graph in enumerate(model.graphs):
            found.take(graph, f"graph{place}/" if place else "")
        arrays = {**found.arrays, **found.rest()}
    except ValueError as problem:
        raise ValueError(
            f"{path.name}: no model of TensorFlow Lite that can be read: {problem}"
        ) from None
    if not found.modules:
        raise ValueError(
            f"{path.name}: expected an operator {', '.join(RECURRENT.values())}, came none; a "
            "converter that unrolls loops leaves none: keep the .keras or .weights.h5 file"
        )
    return Arrays(arrays, found.modules)


@dataclass
class _Found:
    """What was found in a model so far; `taken` are the tensors of modules.

    `elsewhere`: known loops, by graph and place, that start elsewhere than at zeros.
    """

    model: Model
    arrays: dict[str, Array] = field(default_factory=dict)
    modules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    taken: set[tuple[str, int]] = field(default_factory=set)
    elsewhere: set[tuple[str, int]] = field(default_factory=set)

    def take(self, graph: Graph, where: str) -> None:
        """The modules of a graph.

        Raises:
            ValueError: for more loops than a model has, or one that is damaged.
        """
        constant = partial(_whole_numbers, self.model, graph)
        loops = [one for one in graph.operators if one.kind == WHILE]
        if len(loops) > MOST:
            raise ValueError(f"more than {MOST} loops")
        steps = {one.place: self._step(graph, where, one) for one in loops}
        known = {place: step for place, step in steps.items() if step is not None}
        graph = replace(graph, operators=[_marked(one, known) for one in graph.operators])
        for chain in chains_of(graph, constant, {k: one.loop for k, one in known.items()}):
            first = chain[0].operators[0]
            kind = known[first.place].kind if first.place in known else _KINDS[first.kind]
            module = f"{where}{kind}_{first.place}"
            layers = []
            for depth, layer in enumerate(chain):
                prefix = f"{module}.{depth}" if len(chain) > 1 else module
                layers.append(self._layer(graph, where, layer, prefix, known))
            self.modules[module] = {"framework": "TFLite", "kind": kind, "layers": layers}
        moved = {place for own, place in self.elsewhere if own == where}
        for place, step in steps.items():
            if step is None and (why := self._unknown(graph.operators[place], place in moved)):
                self.modules[f"{where}WHILE_{place}"] = {
                    "framework": "TFLite", "kind": "WHILE", "layers": [], "why": why,
                }  # fmt: skip

    def _step(self, graph: Graph, where: str, one: Operator) -> Step | None:
        """What a loop computes, if it is known; none that starts at a constant other than zero."""
        body, constant = self._body(one)
        fits = len(one.inputs) == len(one.outputs) == len(body.inputs) and -1 not in one.inputs
        found = step_of(body, constant) if fits else None
        starts = [one.inputs[place] for place in found.moving] if found is not None else []
        if any(self._begins(graph, name) for name in starts):
            self.elsewhere.add((where, one.place))
            return None
        return found

    def _begins(self, graph: Graph, name: int) -> bool | None:
        """Whether a tensor is other than zeros, before the caller says so; None if not known."""
        for _ in range(len(graph.operators) + 1):
            name = _source(graph, name)
            maker = graph.makers.get(name)
            if maker is None:
                held = _array(self.model, tensor := graph.tensors[name], "a start")
                if isinstance(held, Unread):  # the caller's, where the file has nothing of it
                    return None if len(_bytes(self.model, tensor)) else False
                return bool(np.any(np.asarray(held)))
            if maker.kind == ZEROS_LIKE:
                return False
            name = maker.input(maker.kind == FILL)
            if maker.kind not in _ZEROS_OF_ZEROS or name < 0:
                break
        return None

    def _body(self, one: Operator) -> tuple[Graph, Constant]:
        """The graph of a loop's body, and the entries of its constants.

        Raises:
            ValueError: if it is not there.
        """
        place = one.options["body"]
        if not 0 <= place < len(self.model.graphs):
            raise ValueError(f"the body of a loop is graph {place}, which is not there")
        body = self.model.graphs[place]
        return body, partial(_whole_numbers, self.model, body)

    def _unknown(self, one: Operator, elsewhere: bool) -> str:
        """Why a loop is no module; empty where it has no matrices, and is none."""
        body, _ = self._body(one)
        shapes = [
            tensor.shape for name, tensor in enumerate(body.tensors)
            if len(tensor.shape) == 2 and name not in body.makers and name not in body.inputs
            and len(_bytes(self.model, tensor)) and str(tensor.kind) not in {"2", "4"}
        ]  # fmt: skip
        if not shapes:
            return ""
        shown = ", ".join(map(str, shapes[:8])) + (", …" if len(shapes) > 8 else "")
        what = "a loop of other operators than an RNN's, a GRU's or an LSTM's"
        if elsewhere:
            what = "a loop that starts elsewhere than at zeros"
        return (f"{what}, with matrices {shown}; keep the .keras or .weights.h5 file that it was "
                "made of")  # fmt: skip

    def _layer(
        self, graph: Graph, where: str, layer: Layer, prefix: str, known: Mapping[int, Step]
    ) -> dict[str, Any]:
        """The options of a layer, its arrays being taken."""
        said = {**layer.options, "prefix": prefix, "backward": layer.backward, "ways": [],
                "starts": {}}  # fmt: skip
        for one in layer.operators:
            ways = ((),) if one.options.get("basic") else _PLACES.get(one.kind, ((),))
            for place, roles in enumerate(ways):
                way = f"{prefix}.{_WAYS[len(said['ways'])]}" if layer.ways > 1 else prefix
                self._arrays(graph, where, one, way, roles, 1 + place * len(roles))
                said["ways"].append(way)
                if one.place in known:
                    self._rows(one, known[one.place], way)
                    for name, k in zip("hc", known[one.place].states, strict=False):
                        if self._begins(graph, start := one.inputs[k]) is None:
                            given = None if start in graph.makers else graph.tensors[start].name
                            said["starts"][name] = given
            if one.kind in {LSTM, SEQUENCE_LSTM}:
                self._arrays(graph, where, one, prefix, _NORMS, _NORMS_AT)
            said["beside"] = one.kind in _BESIDE and one.input(_BESIDE[one.kind]) >= 0
        return said

    def _rows(self, one: Operator, step: Step, way: str) -> None:
        """The arrays of a loop, a gate each."""
        body, place = self._body(one)[0], one.options["body"]
        where = f"graph{place}/" if place else ""
        for name, gate in step.gates.items():
            held = {
                _BESIDE_X[not name].format(name): gate.W,
                _BESIDE_H[not name].format(name): gate.R,
            }
            for second, biases in enumerate((gate.biases, gate.inner)):
                for turn, rows in enumerate(biases):
                    role = f"{name}_gate_bias" if name else "bias"
                    held[role + "_inner" * second + f"_{turn + 1}" * (turn > 0)] = rows
            for role, (tensor, block, count) in held.items():
                self.taken.add((where, tensor))
                label = f"{way}.{role}"
                whole = _array(self.model, body.tensors[tensor], label)
                self.arrays[label] = _block(whole, block, count)

    def _arrays(self, graph: Graph, where: str, one: Operator, way: str, roles: Sequence[str],
                at: int) -> None:  # fmt: skip
        for place, role in enumerate(roles, at):
            if role and (name := one.input(place)) >= 0:
                source, label = _source(graph, name), f"{way}.{role}"
                held = _array(self.model, graph.tensors[source], label)
                self.taken.add((where, source))
                if role != "projection_bias" or isinstance(held, Unread) or np.any(held):
                    self.arrays[label] = held  # a bias of zeros adds nothing

    def rest(self) -> dict[str, Array]:
        """The other constants, by names that are those of no framework's arrays."""
        found = {}
        for place, graph in enumerate(self.model.graphs):
            where = f"graph{place}/" if place else ""
            for name, tensor in enumerate(graph.tensors):
                if (where, name) not in self.taken and len(_bytes(self.model, tensor)):
                    label = f"{where}{tensor.name} (tensor {name})"
                    found[label] = _array(self.model, tensor, label)
        return found


def _marked(one: Operator, known: Mapping[int, Step]) -> Operator:
    """The operator, with what is known of it where it is a loop, and its activation by its name."""
    if one.place in known:
        step = known[one.place]
        said = {"kind": step.kind, "after": step.after, "activation": step.activation.upper()}
        return replace(one, options={**one.options, **said, "cell_clip": 0.0})
    if one.kind not in RECURRENT:
        return one
    number = one.options["activation"]
    name = ACTIVATIONS[number] if 0 <= number < len(ACTIVATIONS) else f"of number {number}"
    return replace(one, options={**one.options, "activation": name})


def _block(whole: Array, block: int, count: int) -> Array:
    """A block of rows, of so many."""
    if count == 1:
        return whole
    rows = whole.shape[0] // count if whole.shape else 0
    shape = (rows, *whole.shape[1:])
    if isinstance(whole, Unread):
        return Unread(whole.dtype, shape)
    cut = slice(block * rows, (block + 1) * rows)
    if isinstance(whole, Stored):
        return Stored(shape, whole.dtype, lambda: whole.read()[cut], whole.kept)
    return whole[cut]


def _source(graph: Graph, name: int) -> int:
    """The tensor that is meant: that behind an operator which makes numbers floating."""
    maker = graph.makers.get(name)
    if maker is not None and maker.kind == DEQUANTIZE and maker.input(0) >= 0:
        return maker.input(0)
    return name


def _whole_numbers(model: Model, graph: Graph, name: int) -> list[int]:
    """The entries of a short constant that are whole numbers; none of another tensor."""
    if name < 0 or name in graph.makers:
        return []
    held = _array(model, graph.tensors[name], "a constant")
    if not isinstance(held, np.ndarray) or held.size > MAX_RANK or held.dtype.kind not in "if":
        return []
    found = held.ravel().tolist()
    return (
        [int(entry) for entry in found if entry % 1 == 0] if all(e % 1 == 0 for e in found) else []
    )


def _bytes(model: Model, tensor: Tensor) -> Array:
    """The bytes of a constant; none of a tensor that is computed.

    Raises:
        ValueError: if it is in a buffer that is not there.
    """
    if tensor.buffer >= len(model.buffers):
        raise ValueError(f"{tensor.name}: in a buffer that is not there")
    return model.buffers[tensor.buffer]


def _array(model: Model, tensor: Tensor, where: str) -> Array:
    """A tensor's entries; `Unread` of one that is computed, sparse, or kept as NumPy has nothing.

    Raises:
        ValueError: if its bytes are not as many as its shape says.
    """
    held, shape = _bytes(model, tensor), checked_shape(tensor.shape, where)
    if not len(held) and 0 not in shape:
        return Unread("numbers that the graph computes", shape)
    if tensor.sparse:
        return Unread("numbers of a sparse tensor", shape)
    kind = str(tensor.kind)
    found = entries(held, shape, kind, _TYPES, where)
    if isinstance(found, Unread):
        return Unread(_NAMES.get(kind, f"numbers of the type {kind}"), shape)
    if kind not in _WHOLE or tensor.quantization is None:
        return found
    return _quantised(found, tensor, tensor.quantization)


def _quantised(held: Array, tensor: Tensor, said: Table) -> Array:
    """Scale · (q − zero point), of all entries or along an axis; as they are without a scale."""
    scales, zeros = said.array(2, "<f4"), said.array(3, "<i8")
    axis, shape = said.number(6, "i"), held.shape
    if not len(scales):
        return held
    one = len(scales) == 1
    fits = one or (0 <= axis < len(shape) and len(scales) == shape[axis])
    if not fits or len(zeros) not in {0, 1, len(scales)} or said.has(5):
        return Unread(f"numbers quantised by {len(scales)} scales along axis {axis}", shape)
    along = [1] * len(shape)
    if not one:
        along[axis] = len(scales)

    def read() -> Array:
        zero = zeros.reshape(along) if len(zeros) > 1 else zeros.sum()
        wide = np.asarray(held, np.float64) - zero.astype(np.float64)
        return wide * scales.astype(np.float64).reshape(along if not one else ())

    return Stored(shape, np.dtype(np.float64), read, str(held.dtype))
