"""Models of TensorFlow Lite, a few operators each, written without its library.

`Model` takes tensors and operators as the schema has them; the interpreter runs what it writes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

KINDS: Final = {"f4": 0, "f2": 1, "i4": 2, "u1": 3, "i8": 4, "i2": 7, "i1": 9, "f8": 10}
LSTM, RNN, WHILE = 16, 24, 119
SEQUENCE_RNN, SEQUENCE_LSTM, BOTH_RNN, BOTH_LSTM = 35, 44, 46, 52
CONCATENATION, DEQUANTIZE, RESHAPE, REVERSE, TRANSPOSE, STRIDED_SLICE = 2, 6, 22, 105, 39, 45
RELU, TANH = 1, 4
OPTIONS: Final = {
    CONCATENATION: 10, RNN: 7, LSTM: 14, SEQUENCE_RNN: 31, BOTH_LSTM: 69, BOTH_RNN: 70,
    SEQUENCE_LSTM: 71, WHILE: 93, STRIDED_SLICE: 32,
}  # fmt: skip


def flat(root: Mapping[int, Any]) -> bytes:
    """The bytes of a table: fields are (kind, number), a table, a list of tables, or an array."""
    made = bytearray(4) + b"TFL3"
    struct.pack_into("<I", made, 0, _table(made, root))
    return bytes(made)


def _aligned(made: bytearray, size: int, after: int = 0) -> None:
    made += bytes(-(len(made) + after) % size)


def _table(made: bytearray, fields: Mapping[int, Any]) -> int:
    """Writes a table behind what is there; where it begins."""
    _aligned(made, 2)
    head = len(made)
    made += struct.pack("<HH", 4 + 2 * (max(fields, default=-1) + 1), 0)
    made += bytes(2 * (max(fields, default=-1) + 1))
    _aligned(made, 8)
    at, later = len(made), []
    made += struct.pack("<i", at - head)
    for field, value in fields.items():
        kind, number = value if isinstance(value, tuple) else ("I", 0)
        _aligned(made, struct.calcsize(kind))
        struct.pack_into("<H", made, head + 4 + 2 * field, len(made) - at)
        if not isinstance(value, tuple):
            later.append((len(made), value))
        made += struct.pack(f"<{kind}", number)
    struct.pack_into("<H", made, head + 2, len(made) - at)
    for place, value in later:
        found = _value(made, value)
        struct.pack_into("<I", made, place, found - place)
    return at


def _value(made: bytearray, value: Any) -> int:
    if isinstance(value, Mapping):
        return _table(made, value)
    if isinstance(value, list):
        _aligned(made, 4)
        at = len(made)
        made += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for place, one in enumerate(value):
            here = at + 4 + 4 * place
            struct.pack_into("<I", made, here, _table(made, one) - here)
        return at
    held = value.encode() if isinstance(value, str) else value.tobytes()
    _aligned(made, 16, 4)
    at = len(made)
    count = len(held) if isinstance(value, str) else value.size
    made += struct.pack("<I", count) + held + b"\0"
    return at


class Model:
    """A model of one graph; an operator of a number is made of its tensors' numbers."""

    def __init__(self) -> None:
        self.tensors: list[dict[int, Any]] = []
        self.buffers: list[dict[int, Any]] = [{}]
        self.codes: list[dict[int, Any]] = []
        self.operators: list[dict[int, Any]] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def tensor(
        self, shape: Sequence[int], data: Any = None, kind: str = "f4", name: str = "",
        scale: Any = None, zero: Any = 0, axis: int = 0, **more: Any,
    ) -> int:  # fmt: skip
        """A tensor, a constant if it has data; `variable` and `sparse` are said by name."""
        found: dict[int, Any] = {
            0: np.array(shape, "<i4"), 1: ("b", KINDS[kind]), 3: name or f"t{len(self.tensors)}",
        }  # fmt: skip
        if data is not None:
            found[2] = ("I", len(self.buffers))
            self.buffers.append({0: np.frombuffer(np.asarray(data, kind).tobytes(), "u1")})
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, "<f4"))
            zeros = np.broadcast_to(np.asarray(zero, "<i8"), scales.shape).copy()
            found[4] = {2: scales, 3: zeros, 6: ("i", axis)}
        if more.get("variable"):
            found[5] = ("B", 1)
        if more.get("sparse"):
            found[6] = {0: np.array([0, 1], "<i4")}
        self.tensors.append(found)
        return len(self.tensors) - 1

    def input(self, *shape: int) -> int:
        """A tensor that whoever runs the model gives."""
        self.inputs.append(self.tensor(shape))
        return self.inputs[-1]

    def operator(self, code: int, inputs: Sequence[int], shape: Sequence[int],
                 options: Mapping[int, Any] | None = None, version: int = 1) -> int:  # fmt: skip
        """An operator; the number of its output."""
        out = self.tensor(shape)
        self.codes.append({0: ("b", min(code, 127)), 2: ("i", version), 3: ("i", code)})
        made = {0: ("I", len(self.codes) - 1), 1: np.array(inputs, "<i4"),
                2: np.array([out], "<i4")}  # fmt: skip
        if options is not None:
            made |= {3: ("B", OPTIONS[code]), 4: options}
        self.operators.append(made)
        return out

    def write(self, *outputs: int) -> bytes:
        """The file."""
        graph = {
            0: self.tensors, 1: np.array(self.inputs, "<i4"), 2: np.array(outputs, "<i4"),
            3: self.operators, 4: "main",
        }  # fmt: skip
        return flat({0: ("I", 3), 1: self.codes, 2: [graph], 4: self.buffers})


# ---- recurrent operators, with drawn weights -------------------------------------------------


def drawn(rng: np.random.Generator, *shape: int) -> Any:
    """Weights of a network that neither saturates nor does nothing."""
    return rng.normal(size=shape).astype("f4") * 0.6


class Operators:
    """Recurrent operators of one model, with drawn weights; `numbers` gives them as constants."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        self.model, self._rng = model, np.random.default_rng(seed)

    def numbers(self, shape: Sequence[int], data: Any) -> int:
        """A constant of those numbers."""
        return self.model.tensor(shape, data)

    def _each(self, count: Sequence[bool], *shape: int) -> list[int]:
        """Drawn constants of a shape; −1 for each that is left out."""
        return [self.numbers(shape, drawn(self._rng, *shape)) if there else -1 for there in count]

    def lstm_weights(
        self, n: int, m: int, p: int = 0, peepholes: bool = False, coupled: bool = False,
        projection_bias: bool = False, bias: float = 0.0,
    ) -> list[int]:  # fmt: skip
        """One direction: inputs, states, peepholes, biases, which `bias` opens, and projection."""
        gates, r = [not coupled, True, True, True], p or n
        found = self._each(gates, n, m) + self._each(gates, n, r)
        found += self._each([peepholes and not coupled, peepholes, peepholes], n)
        open_to = [self.numbers((n,), np.full(n, value)) for value in (bias, 0)] if bias else []
        found += [open_to[place == 2] for place in range(4)] if bias else self._each(gates, n)
        return found + self._each([p > 0], p, n) + self._each([projection_bias], p)

    def lstm(
        self, x: int, code: int = SEQUENCE_LSTM, *, n: int = 2, activation: int = TANH,
        cell_clip: float = 0.0, proj_clip: float = 0.0, norms: bool = False,
        diagonal: bool = False, **more: Any,
    ) -> int:  # fmt: skip
        """An operator, batch first, one of both directions time first; its output's number."""
        *rows, m = self.model.tensors[x][0].tolist()
        r, ways = more.get("p") or n, 1 + (code == BOTH_LSTM)
        weights = [one for _ in range(ways) for one in self.lstm_weights(n, m, **more)]
        batch = rows[1] if code == BOTH_LSTM else rows[0]
        states = [self.model.tensor((batch, size), variable=True)
                  for _ in range(ways) for size in (r, n)]  # fmt: skip
        options: dict[int, Any] = {0: ("b", activation), 1: ("f", cell_clip), 2: ("f", proj_clip)}
        if code == BOTH_LSTM:
            options |= {3: ("B", 1), 4: ("B", 1)}
            weights += [*states, *[-1] * 9]
        else:
            options |= {5: ("B", 1)} if diagonal else {}
            weights += [*states, *(self._each([True] * 4, n) if norms else [-1] * 4)]
        return self.model.operator(code, [x, *weights], (*rows, ways * r), options)

    def rnn(self, x: int, code: int = SEQUENCE_RNN, *, n: int = 2, activation: int = TANH) -> int:
        """An operator, batch first; its output's number."""
        *rows, m = self.model.tensors[x][0].tolist()
        ways, given = 1 + (code == BOTH_RNN), [x]
        for _ in range(ways):
            for shape in ((n, m), (n, n), (n,)):
                given += self._each([True], *shape)
            given.append(self.model.tensor((rows[0], n), variable=True))
        field = 0 if code == RNN else 1
        options: dict[int, Any] = {field: ("b", activation)}
        if code == BOTH_RNN:
            options[2] = ("B", 1)
            given += [-1] * 3
        return self.model.operator(code, given, (*rows, ways * n), options)
