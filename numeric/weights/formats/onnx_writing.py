"""ONNX models of RNN, GRU and LSTM nodes, written without the package onnx.

In: arrays by the names that the reader gives, with the attributes of their nodes. Out: a model
with a node for each layer, weights inside: from X and the states before the first step to Y, the
last layer's states of every step, and each layer's states after the last one.

Source: onnx/onnx.proto3 (the numbers of the fields), onnx/docs/Operators.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = Any
PRODUCER: Final = "bptt convert"  # not what emit calls itself: it writes over its own files alone
OPSET: Final = 14  # the first in which the nodes have all attributes that they have today
IR_VERSION: Final = 7
LARGEST: Final = (1 << 31) - 1  # bytes of a message of protocol buffers
_TYPES: Final = {"f4": 1, "f8": 11, "i8": 7}


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """The model.

    Raises:
        ValueError: if it is larger than a model may be.
        OSError: if it cannot be written.
    """
    if (size := sum(value.nbytes for value in arrays.values())) > LARGEST - (1 << 20):
        raise ValueError(f"{size} bytes of weights are more than an ONNX model holds in one file: "
                         "write .safetensors")  # fmt: skip
    ((module, said),) = _modules(arrays).items()
    graph = b"".join(_graph(module, said["kind"], said["layers"], arrays))
    opset = _number(2, OPSET)
    path.write_bytes(_number(1, IR_VERSION) + _text(2, PRODUCER) + _bytes(7, graph)
                     + _bytes(8, opset))  # fmt: skip


def opened(arrays: Mapping[str, Array]) -> str:
    """The model's inputs and outputs with their shapes."""
    ((_, said),) = _modules(arrays).items()
    given, made = _ends(said["kind"], said["layers"], arrays)
    inputs, outputs = (
        ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in ends.items())
        for ends in (given, made)
    )
    return f"an ONNX model of opset {OPSET}: from {inputs} to {outputs}"


def _modules(arrays: Mapping[str, Array]) -> Mapping[str, Mapping[str, Any]]:
    return getattr(arrays, "modules", {})


def _ends(
    kind: str, layers: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array]
) -> tuple[dict[str, tuple[Any, ...]], dict[str, tuple[Any, ...]]]:
    """Inputs and outputs of the model with their shapes."""
    W, R = arrays[f"{layers[0]['prefix']}.W"], arrays[f"{layers[-1]['prefix']}.R"]
    given: dict[str, tuple[Any, ...]] = {"X": ("T", "B", W.shape[2])}
    made: dict[str, tuple[Any, ...]] = {"Y": ("T", R.shape[0], "B", R.shape[2])}
    for depth, layer in enumerate(layers):
        R = arrays[f"{layer['prefix']}.R"]
        for letter in _states(kind):
            shape = (R.shape[0], "B", R.shape[2])
            given[_of(depth, layers, f"initial_{letter}")] = shape
            made[_of(depth, layers, f"Y_{letter}")] = shape
    return given, made


def _states(kind: str) -> str:
    return "hc" if kind == "LSTM" else "h"


def _of(depth: int, layers: Sequence[Any], name: str) -> str:
    """The name of a layer's own value: `0.Y_h` where there are several."""
    return f"{depth}.{name}" if len(layers) > 1 else name


def _graph(
    module: str, kind: str, layers: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array]
) -> Iterator[bytes]:
    """The fields of the graph: its nodes, name, initialisers, inputs and outputs."""
    given, made = _ends(kind, layers, arrays)
    between: dict[str, Array] = {}
    below = "X"
    for depth, layer in enumerate(layers):
        last = depth + 1 == len(layers)
        Y = "Y" if last else f"{depth}.Y"
        names = {k: f"{layer['prefix']}.{k}" for k in "WRBP"}
        held = {k: name.removeprefix(f"{module}.") if name in arrays else ""
                for k, name in names.items()}  # fmt: skip
        states = [_of(depth, layers, f"initial_{letter}") for letter in _states(kind)]
        inputs = [below, held["W"], held["R"], held["B"], "", *states]
        inputs += [held["P"]] * bool(held["P"])
        results = [Y, *(_of(depth, layers, f"Y_{letter}") for letter in _states(kind))]
        attributes = {name: value for name, value in layer.items() if name != "prefix"}
        name = f"{module}_{depth}" if depth else module
        yield _bytes(1, _node(kind, inputs, results, name, attributes))
        if not last:
            below = f"{depth + 1}.X"
            yield from _flattened(Y, below, layer["direction"] == "bidirectional", between)
    yield _text(2, module)
    for name, value in {**arrays, **between}.items():
        yield _bytes(5, _tensor(name.removeprefix(f"{module}."), value))
    kind_of = _TYPES[next(iter(arrays.values())).dtype.str[1:]]
    for number, ends in ((11, given), (12, made)):
        for name, shape in ends.items():
            yield _bytes(number, _value_info(name, kind_of, shape))


def _flattened(Y: str, below: str, both: bool, between: dict[str, Array]) -> Iterator[bytes]:
    """(T, ways, B, n) as the next layer takes it, (T, B, ways · n): two nodes at most."""
    if not both:
        between["axis"] = np.array([1], np.int64)
        yield _bytes(1, _node("Squeeze", [Y, "axis"], [below], "", {}))
        return
    between["shape"] = np.array([0, 0, -1], np.int64)
    turned = f"{Y}/turned"
    yield _bytes(1, _node("Transpose", [Y], [turned], "", {"perm": [0, 2, 1, 3]}))
    yield _bytes(1, _node("Reshape", [turned, "shape"], [below], "", {}))


# ---- messages of protocol buffers ------------------------------------------------------------


def _node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str,
    attributes: Mapping[str, Any],
) -> bytes:  # fmt: skip
    parts = [*(_text(1, one) for one in inputs), *(_text(2, one) for one in outputs)]
    parts += [_text(3, name)] * bool(name) + [_text(4, kind)]
    parts += [_bytes(5, _attribute(key, value)) for key, value in attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value[0], str):
        return _text(1, name) + b"".join(_text(9, one) for one in value) + _number(20, 8)
    return _text(1, name) + b"".join(_number(8, one) for one in value) + _number(20, 7)


def _tensor(name: str, value: Array) -> bytes:
    kind = value.dtype.newbyteorder("<")
    raw = np.asarray(value, kind, order="C").tobytes()
    shape = b"".join(_number(1, extent) for extent in value.shape)
    return shape + _number(2, _TYPES[kind.str[1:]]) + _text(8, name) + _bytes(9, raw)


def _value_info(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    extents = [_text(2, one) if isinstance(one, str) else _number(1, one) for one in shape]
    dims = b"".join(_bytes(1, one) for one in extents)
    held = _number(1, kind) + _bytes(2, dims)
    return _text(1, name) + _bytes(2, _bytes(1, held))


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
