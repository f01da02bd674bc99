"""ONNX files: the weights of RNN, GRU and LSTM nodes, and what their attributes say.

In: a model as protocol buffers. Out: arrays `NODE.W`, `NODE.R`, `NODE.B` and `NODE.P`, other
initialisers by their own names, and for each module its nodes with their attributes. Nodes that
feed one another through nothing but changes of shape are layers of one module.

Source: onnx/onnx.proto3 (the numbers of the fields), protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats.onnx_between import RECURRENT, Node, layer_below, start_of
from numeric.weights.formats.stored import Arrays, Unread, checked_shape, mapped, tensor

Array = Any
_OWN: Final = ("", "ai.onnx")  # the domain of ONNX's operators, by both of its names
_DECIDES: Final[Mapping[str, type | tuple[type, ...]]] = {  # on a node's function: their types
    "activations": list, "activation_alpha": list, "activation_beta": list, "clip": (float, int),
    "input_forget": int, "linear_before_reset": int,
}  # fmt: skip
_NO_MESSAGE: Final = "it is no message of protocol buffers"
_PLACES: Final = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_TYPES: Final = {
    "1": "<f4", "2": "u1", "3": "i1", "4": "<u2", "5": "<i2", "6": "<i4", "7": "<i8", "9": "?",
    "10": "<f2", "11": "<f8", "12": "<u4", "13": "<u8", "14": "<c8", "15": "<c16", "16": "bf16",
}  # fmt: skip


@dataclass
class _Graph:
    nodes: list[Node] = field(default_factory=list)
    held: dict[str, Array] = field(default_factory=dict)


def read(path: Path) -> Arrays:
    """The arrays of the file, and its recurrent modules.

    Raises:
        ValueError: if it is no model, or one that is damaged or without such nodes.
    """
    graph = _Graph()
    try:
        for number, value in _fields(mapped(path)):
            if number == 7 and isinstance(value, np.ndarray):
                _read_graph(value, graph, path)
    except (ValueError, IndexError, struct.error, UnicodeDecodeError) as problem:
        said = str(problem) if type(problem) is ValueError else "it is damaged"
        raise ValueError(f"{path.name}: no ONNX model that can be read: {said}") from None
    nodes = [node for node in graph.nodes if node.kind in RECURRENT and node.domain in _OWN]
    if not nodes:
        raise ValueError(
            f"{path.name}: expected a node {', '.join(RECURRENT)}, came none; an exporter that "
            "unrolls loops leaves none, so export with a recurrent layer kept whole"
        )
    return _named(graph, nodes)


def _named(graph: _Graph, nodes: Sequence[Node]) -> Arrays:
    """The arrays by the names of the nodes they belong to."""
    found, taken = Arrays(), set()
    makers = {name: node for node in graph.nodes for name in node.outputs}
    chains: list[list[Node]] = []
    for node in nodes:
        before = layer_below(node, makers, graph.held)
        home = next((chain for chain in chains if chain[-1] is before), None)
        if before is not None and home is not None and _alike(before, node):
            home.append(node)
        else:
            chains.append([node])
    for place, chain in enumerate(chains):
        module = chain[0].name or f"{chain[0].kind}_{place}"
        while module in found.modules:  # two nodes of one name are two modules
            module = f"{module}_{place}"
        layers = []
        for depth, node in enumerate(chain):
            prefix = f"{module}.{depth}" if len(chain) > 1 else module
            for name, given in zip(_PLACES, node.inputs, strict=False):
                if name in {"W", "R", "B", "P"} and given in graph.held:
                    found[f"{prefix}.{name}"] = graph.held[given]
                    taken.add(given)
                elif name in {"W", "R", "B", "P"} and given:
                    found[f"{prefix}.{name}"] = Unread("computed in the graph", ())
            states = {name: start_of(given, makers, graph.held)
                      for name, given in zip(_PLACES, node.inputs, strict=False)
                      if name.startswith("initial_")}  # fmt: skip
            starts = {name: said for name, said in states.items() if said != ""}
            layers.append({**node.attributes, "prefix": prefix, "starts": starts})
        found.modules[module] = {"framework": "ONNX", "kind": chain[0].kind, "layers": layers}
    rest = {n: v for n, v in graph.held.items() if n not in taken and n not in found}
    return Arrays({**found, **rest}, found.modules)


def _alike(one: Node, other: Node) -> bool:
    """Whether both compute the same function of their own weights."""
    return one.kind == other.kind and all(
        (one.attributes.get(name) or None) == (other.attributes.get(name) or None)
        for name in _DECIDES
    )


# ---- protocol buffers ------------------------------------------------------------------------


def _fields(data: Array) -> Iterator[tuple[int, Any]]:
    """Number and value of every field: an integer, four or eight bytes, or the bytes inside.

    Raises:
        ValueError: if the bytes are no message.
    """
    data, at = _bytes(data), 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in {1, 5}:
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(_NO_MESSAGE)
        if length > len(data) - at:
            raise ValueError("it is cut short")
        yield number, data[at : at + length]
        at += length


def _varint(data: Array, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = int(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError(_NO_MESSAGE)


def _bytes(value: Any) -> Array:
    """The bytes of a field.

    Raises:
        ValueError: if it is a number: bytes(value) would be so many zeros.
    """
    if isinstance(value, int):
        raise ValueError(_NO_MESSAGE)
    return value


def _signed(value: Any) -> int:
    """The number of a field.

    Raises:
        ValueError: if it is bytes.
    """
    if not isinstance(value, int):
        raise ValueError(_NO_MESSAGE)
    return value - (1 << 64) if value >> 63 else value


def _text(value: Any) -> str:
    return bytes(_bytes(value)).decode()


def _read_graph(data: Array, graph: _Graph, path: Path) -> None:
    for number, value in _fields(data):
        if number == 1:
            node = _read_node(value, path)
            graph.nodes.append(node)
            if node.kind == "Constant" and "value" in node.attributes and node.outputs:
                graph.held[node.outputs[0]] = node.attributes["value"]
        elif number == 5:
            name, array = _read_tensor(value, path)
            graph.held[name] = array


def _read_node(data: Array, path: Path) -> Node:
    node = Node()
    for number, value in _fields(data):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.kind = _text(value)
        elif number == 5:
            name, held = _read_attribute(value, path)
            node.attributes[name] = held
        elif number == 7:
            node.domain = _text(value)
    if node.kind in RECURRENT:
        _check_attributes(node)
    return node


def _check_attributes(node: Node) -> None:
    """Refuse attributes of a recurrent node that are of another type than the operator's.

    Raises:
        ValueError: naming the attribute.
    """
    for name, kind in {**_DECIDES, "direction": str}.items():
        held = node.attributes.get(name)
        if held is not None and not isinstance(held, kind):
            raise ValueError(f"the attribute {name} of {node.name or node.kind} is {held!r:.40}")


def _read_attribute(data: Array, path: Path) -> tuple[str, Any]:
    name, held, many = "", None, []
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            held = struct.unpack("<f", bytes(_bytes(value)))[0]
        elif number == 3:
            held = _signed(value)
        elif number == 4:
            held = bytes(_bytes(value)).decode(errors="replace")
        elif number == 5:
            held = _read_tensor(value, path)[1]
        elif number == 7:
            many += np.frombuffer(bytes(_bytes(value)), "<f4").tolist()
        elif number == 8:
            many += _packed(value)
        elif number == 9:
            many.append(bytes(_bytes(value)).decode(errors="replace"))
    return name, many or held


def _packed(value: Any) -> list[int]:
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        found.append(_signed(one))
    return found


def _read_tensor(data: Array, path: Path) -> tuple[str, Array]:
    """A tensor's name and entries.

    Raises:
        ValueError: if its bytes are elsewhere than beside the model, or too few.
    """
    shape: list[int] = []
    name, kind, elsewhere = "", "0", 0
    raw: Array = None
    parts: list[Array] = []
    outside: dict[str, str] = {}
    for number, value in _fields(data):
        if number == 1:
            shape += _packed(value)
        elif number == 2:
            kind = str(value)
        elif number in {4, 10}:
            parts.append(np.asarray(_bytes(value)))
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = _bytes(value)
        elif number == 13:
            key, said = (_text(v) for _, v in _fields(value))
            outside[key] = said
        elif number == 14:
            elsewhere = _signed(value)
    if parts:
        raw = parts[0] if len(parts) == 1 else np.concatenate(parts)
    where = name or "a tensor"
    if elsewhere:
        raw = _beside(outside, path, where)
    if raw is None:
        if 0 in shape:
            return name, np.zeros(shape, np.float32)
        return name, Unread("numbers of integers in a list", checked_shape(shape, where))
    return name, tensor(np.asarray(raw), shape, kind, _TYPES, where)


def _beside(outside: Mapping[str, str], path: Path, where: str) -> Array:
    """The bytes of a tensor in the file beside the model.

    Raises:
        ValueError: if they are anywhere else.
    """
    location = outside.get("location", "")
    if location != Path(location).name or not location or location in {".", ".."}:
        raise ValueError(f"{where}: its numbers are in {location!r}, not beside the model")
    start = int(outside.get("offset", "0"))
    file = path.with_name(location)
    if file.is_symlink() or not file.is_file():
        raise ValueError(f"{where}: its numbers are in {location}, and there is no such file here")
    data = mapped(file)
    length = int(outside.get("length", str(len(data) - start)))
    if start < 0 or length < 0 or start + length > len(data):
        raise ValueError(f"{where}: {location} is cut short")
    return data[start : start + length]
