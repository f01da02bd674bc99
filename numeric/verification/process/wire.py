"""Messages between two processes as plain bytes: nothing that arrives is ever executed.

In: dictionaries, lists, text, numbers and arrays. Out: a JSON head and the arrays' raw bytes.
An array of field elements or of bounded numbers travels as three arrays of plain numbers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import numpy as np

from numeric.numbers.degree import DegreeArray
from numeric.numbers.elements import Element, ElementArray
from numeric.numbers.prime_field import Dual, DualArray
from numeric.numbers.rounding import DoubleArray, SingleArray

PLAIN: Final = frozenset({"<f4", "<f8", "<c16", "<i8", "|b1"})
_PARTS: Final[Mapping[str, tuple[type[ElementArray], tuple[tuple[str, str], ...]]]] = {
    "field": (DualArray, (("value", "<i8"), ("tangent", "<i8"), ("shadow", "<f8"))),
    "degree": (DegreeArray, (("top", "<f8"), ("bottom", "<f8"), ("shadow", "<f8"))),
    "float64": (DoubleArray, (("value", "<f8"), ("error", "<f8"), ("mass", "<f8"))),
    "float32": (SingleArray, (("value", "<f8"), ("error", "<f8"), ("mass", "<f8"))),
}
_LENGTHS: Final = struct.Struct("<QQ")
_MOST: Final = 2**31


def encode(message: Any) -> bytes:
    """The message as bytes.

    Raises:
        TypeError: if it holds something that has no plain form.
    """
    buffers: list[bytes] = []
    head = json.dumps(_down(message, buffers)).encode()
    return _LENGTHS.pack(len(head), sum(map(len, buffers))) + head + b"".join(buffers)


def decode(head: bytes, body: bytes) -> Any:
    """The message that the two parts hold.

    Raises:
        ValueError: if they hold none.
    """
    try:
        return _up(json.loads(head), memoryview(body))
    except (KeyError, TypeError, IndexError, UnicodeDecodeError, RecursionError) as problem:
        raise ValueError(f"not a message: {problem}") from problem


def receive(stream: BinaryIO) -> Any:
    """The next message of a stream.

    Raises:
        EOFError: if the stream ends.
        ValueError: if what comes is no message.
    """
    lengths = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    if max(lengths) > _MOST:
        raise ValueError(f"a message of {max(lengths)} bytes")
    head, body = (_read(stream, length) for length in lengths)
    return decode(head, body)


def _read(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError("the stream has ended")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _down(item: Any, buffers: list[bytes]) -> Any:
    match item:
        case None | bool() | int() | float() | str():
            return {"plain": item}
        case np.ndarray() | np.generic():
            return _array_down(np.asanyarray(item), buffers)
        case Element():  # as a sum is that began with a plain 0
            return _array_down(np.array(item, dtype=object), buffers)
        case Mapping():
            return {"dict": [[str(key), _down(value, buffers)] for key, value in item.items()]}
        case list() | tuple():
            return {"list": [_down(value, buffers) for value in item]}
    raise TypeError(f"{type(item).__name__} cannot be sent")


def _array_down(array: Any, buffers: list[bytes]) -> Any:
    if array.dtype != object:
        return {"array": [_flat_down(array, buffers)], "kind": "plain", "shape": array.shape}
    for kind, (home, parts) in _PARTS.items():
        if isinstance(array, home) or any(isinstance(e, home.element) for e in array.flat):
            flat = home.of(array).ravel()
            columns = [
                _flat_down(np.array([getattr(e, name) for e in flat], dtype=dtype), buffers)
                for name, dtype in parts
            ]
            return {"array": columns, "kind": kind, "shape": array.shape}
    if all(isinstance(e, int) for e in array.flat):
        return {"array": [_flat_down(array.astype("<i8"), buffers)], "kind": "object",
                "shape": array.shape}  # fmt: skip
    raise TypeError("an object array of unknown elements cannot be sent")


def _flat_down(array: Any, buffers: list[bytes]) -> list[Any]:
    flat = np.ascontiguousarray(array).ravel()
    dtype = flat.dtype.newbyteorder("<").str
    if dtype not in PLAIN:
        raise TypeError(f"an array of {flat.dtype} cannot be sent")
    start = sum(map(len, buffers))
    buffers.append(flat.astype(dtype).tobytes())
    return [dtype, start, len(buffers[-1])]


def _up(item: Any, body: memoryview) -> Any:
    if "plain" in item:
        return item["plain"]
    if "dict" in item:
        return {key: _up(value, body) for key, value in item["dict"]}
    if "list" in item:
        return [_up(value, body) for value in item["list"]]
    columns = [_flat_up(column, body) for column in item["array"]]
    shape, kind = tuple(item["shape"]), item["kind"]
    if kind == "plain":
        return columns[0].reshape(shape).copy()
    if kind == "object":
        return columns[0].astype(object).reshape(shape)
    home, _ = _PARTS[kind]
    make: Any = Dual if kind == "field" else home.element
    elements = np.empty(len(columns[0]), dtype=object)
    elements[:] = [make(*numbers) for numbers in zip(*(c.tolist() for c in columns), strict=True)]
    return elements.reshape(shape).view(home)


def _flat_up(column: Any, body: memoryview) -> Any:
    dtype, start, length = column
    if dtype not in PLAIN:
        raise ValueError(f"not a message: dtype {dtype!r}")
    return np.frombuffer(body[start : start + length], dtype=dtype)
