"""Parameter layouts of PyTorch, Keras and ONNX ↔ ours, as plain arrays; no framework imported.

In: a framework's arrays, and the name of the cell. Out: our parameters by name, and back. Each
framework stacks the gates of a layer in one matrix; what differs is their order, their sign and
which of two biases is kept. That is said once, in the tables `TORCH`, `KERAS` and `ONNX`.

Two biases: where the cell has one, b = b_input + b_recurrent, and the way back puts b into the
first and zeros into the second; both have the gradient of b. `gru_reset_after` keeps two for
its candidate: b_h beside the input, c_h inside the reset product. Absent biases become zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:  # the process of a file under audit does without SymPy
    from derive.cell import Cell

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Gate:
    """The parameters of one gate, a row block of the framework's matrices.

    `negated`: the framework's gate is one minus ours, and σ(−a) = 1 − σ(a).
    """

    input: str
    recurrent: str
    bias: str
    recurrent_bias: str | None = None
    negated: bool = False

    @property
    def sign(self) -> int:
        """What the framework's arrays are multiplied with."""
        return -1 if self.negated else 1


def _gate(letter: str, **more: Any) -> Gate:
    return Gate(f"W_{letter}x", f"W_{letter}h", f"b_{letter}", **more)


_PLAIN: Final = (Gate("U", "W", "b"),)
_I, _F, _C, _O = map(_gate, "ifco")
_R, _Z, _H = map(_gate, "rzh")
_KEEP: Final = _gate("z", negated=True)  # theirs keeps the old state, ours weighs the new
_AFTER: Final = _gate("h", recurrent_bias="c_h")

TORCH: Final[Mapping[str, tuple[Gate, ...]]] = {
    "rnn": _PLAIN,
    "irnn": _PLAIN,
    "lstm": (_I, _F, _C, _O),
    "gru_reset_after": (_R, _Z, _AFTER),
}
KERAS: Final[Mapping[str, tuple[Gate, ...]]] = {
    "rnn": _PLAIN,
    "irnn": _PLAIN,
    "lstm": (_I, _F, _C, _O),
    "gru": (_KEEP, _R, _H),
    "gru_reset_after": (_Z, _R, _AFTER),
}
ONNX: Final[Mapping[str, tuple[Gate, ...]]] = {
    "rnn": _PLAIN,
    "irnn": _PLAIN,
    "lstm": (_I, _O, _F, _C),
    "peephole_lstm": (_I, _O, _F, _C),
    "gru": (_KEEP, _R, _H),
    "gru_reset_after": (_Z, _R, _AFTER),
}
PROJECTED: Final = tuple(Gate(f"W_{gate}x", f"W_{gate}r", f"b_{gate}") for gate in "ifco")
PROJECTION: Final = "W_rm"
TFLITE: Final[Mapping[str, tuple[Gate, ...]]] = {
    "rnn": _PLAIN,
    "irnn": _PLAIN,
    "lstm": (_I, _F, _C, _O),
    "tflite_lstm_clip_10": (_I, _F, _C, _O),
    "peephole_lstm": (_I, _F, _C, _O),
    "coupled_lstm": (_F, _C, _O),
    "projected_lstm": PROJECTED,
    "gru": (_KEEP, _R, _H),
    "gru_reset_after": (_Z, _R, _AFTER),
}
TFLITE_PEEPHOLES: Final[Mapping[str, tuple[str, ...]]] = {
    "peephole_lstm": ("p_i", "p_f", "p_o"),
    "projected_lstm": ("w_ic", "w_fc", "w_oc"),
}
ONNX_PEEPHOLES: Final[Mapping[str, tuple[str, ...]]] = {"peephole_lstm": ("p_i", "p_o", "p_f")}

_TORCH_KEY: Final = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+)(_reverse)?)?")
_OUR_LAYER: Final = re.compile(r"(layer\d+\.(?:reverse\.)?)\w+")


# ---- one direction of one layer --------------------------------------------------------------


def _gates(
    table: Mapping[str, tuple[Gate, ...]], cell: Cell | str, framework: str
) -> tuple[Gate, ...]:
    name = _name(cell)
    if name not in table:
        raise ValueError(f"cell: {framework} has one of {', '.join(table)}, came {name!r}")
    return table[name]


def _name(cell: Cell | str) -> str:
    return cell if isinstance(cell, str) else cell.name


def _array(name: str, value: Any, shape: tuple[int | None, ...]) -> Any:
    """The array, of that shape; None fits any extent.

    Raises:
        ValueError: if its shape is another.
    """
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(
        want in {None, got} for want, got in zip(shape, array.shape, strict=False)
    )
    if not fits:
        wanted = ", ".join("any" if extent is None else str(extent) for extent in shape)
        raise ValueError(f"{name}: expected the shape ({wanted}), came {array.shape}")
    return array


def unstacked(
    gates: tuple[Gate, ...], W: Any, R: Any, biases: tuple[Any, Any], names: Sequence[str],
    *, projected: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Our parameters of stacked matrices.

    Shapes: W (g·n, m), R (g·n, n), or (g·n, p) if `projected`, each bias (g·n,) or None, for g
    gates.

    Raises:
        ValueError: for a shape that cannot be.
    """
    R = _array(names[1], R, (None, None))
    n = R.shape[0] // len(gates) if projected else R.shape[1]
    R = _array(names[1], R, (len(gates) * n, R.shape[1]))
    W = _array(names[0], W, (len(gates) * n, None))
    zeros = np.zeros(len(gates) * n, dtype=R.dtype)
    given = [
        zeros if bias is None else _array(name, bias, zeros.shape)
        for bias, name in zip(biases, names[2:], strict=True)
    ]
    found = {}
    for place, gate in enumerate(gates):
        rows = slice(place * n, (place + 1) * n)
        found[gate.input], found[gate.recurrent] = gate.sign * W[rows], gate.sign * R[rows]
        first, second = gate.sign * given[0][rows], gate.sign * given[1][rows]
        if gate.recurrent_bias is None:
            found[gate.bias] = first + second
        else:
            found[gate.bias], found[gate.recurrent_bias] = first, second
    return found


def _stacked(
    gates: tuple[Gate, ...], params: Arrays, prefix: str
) -> tuple[Any, Any, tuple[Any, Any]]:
    """W (g·n, m), R (g·n, n) and the two biases (g·n,) of our parameters."""

    def rows(name: str, gate: Gate, axes: int) -> Any:
        if prefix + name not in params:
            raise ValueError(f"params: {prefix + name!r} is missing")
        return gate.sign * _array(prefix + name, params[prefix + name], (None,) * axes)

    W = np.concatenate([rows(gate.input, gate, 2) for gate in gates])
    R = np.concatenate([rows(gate.recurrent, gate, 2) for gate in gates])
    first = np.concatenate([rows(gate.bias, gate, 1) for gate in gates])
    second = np.concatenate([
        rows(gate.recurrent_bias, gate, 1)
        if gate.recurrent_bias is not None
        else np.zeros_like(rows(gate.bias, gate, 1))
        for gate in gates
    ])
    return W, R, (first, second)


def _named(params: Arrays, prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in params.items()}


def layer_prefix(depth: int, *, reverse: bool = False) -> str:
    """What a network's parameters of that layer and direction begin with."""
    return f"layer{depth}." + ("reverse." if reverse else "")


# ---- PyTorch ---------------------------------------------------------------------------------


def from_torch(state: Arrays, cell: Cell | str, *, single: bool = False) -> dict[str, Any]:
    """Our parameters of a state dictionary of torch.nn.RNN, LSTM, GRU, or of their cells.

    Layers and directions become `layer0.W_fh`, `layer0.reverse.W_fh`, …; with `single`, and for
    a cell's dictionary (names without `_l0`), there is one, named without prefix.

    Raises:
        ValueError: for a cell, a name or a shape that cannot be.
    """
    gates = _gates(TORCH, cell, "PyTorch")
    parts: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        match = _TORCH_KEY.fullmatch(name)
        if match is None:
            raise ValueError(
                f"state: {name!r} is no parameter of a recurrent layer; expected weight_ih_l0, "
                "bias_hh_l0_reverse and the like, without the name of the module before them "
                "and without a projection"
            )
        kind, depth, reverse = match.groups()
        prefix = "" if depth is None else layer_prefix(int(depth), reverse=bool(reverse))
        parts.setdefault(prefix, {})[kind] = value
    if len(parts) > 1 and (single or "" in parts):
        raise ValueError(f"state: expected one layer of one direction, came {len(parts)}")
    found = {}
    for prefix, arrays in parts.items():
        for kind in ("weight_ih", "weight_hh"):
            if kind not in arrays:
                raise ValueError(f"state: {kind} of {prefix.rstrip('.') or 'the cell'} is missing")
        biases = (arrays.get("bias_ih"), arrays.get("bias_hh"))
        params = unstacked(
            gates, arrays["weight_ih"], arrays["weight_hh"], biases,
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        )  # fmt: skip
        found.update(_named(params, "" if single else prefix))
    return found


def to_torch(params: Arrays, cell: Cell | str, *, suffix: str = "_l0") -> dict[str, Any]:
    """The state dictionary of our parameters, a network's or those of one cell.

    Parameters without a layer's prefix get the suffix: "_l0" for a module of one layer, "" for
    torch.nn.LSTMCell and the like. Readout and embedding are left out.

    Raises:
        ValueError: for a cell torch has not, or a parameter that is missing.
    """
    gates = _gates(TORCH, cell, "PyTorch")
    found: dict[str, Any] = {}
    for prefix in _prefixes(params):
        end = suffix
        if prefix:
            _, depth, reverse = re.split(r"layer(\d+)\.", prefix)
            end = f"_l{depth}" + ("_reverse" if reverse else "")
        W, R, biases = _stacked(gates, params, prefix)
        found |= {f"weight_ih{end}": W, f"weight_hh{end}": R}
        found |= {f"bias_ih{end}": biases[0], f"bias_hh{end}": biases[1]}
    return found


def _prefixes(names: Iterable[str]) -> Iterator[str]:
    """The layers and directions that the names speak of; "" for a single cell."""
    layers = [match.group(1) for match in map(_OUR_LAYER.fullmatch, names) if match]
    yield from dict.fromkeys(layers) if layers else ("",)


# ---- Keras -----------------------------------------------------------------------------------


def from_keras(weights: Sequence[Any], cell: Cell | str, *, prefix: str = "") -> dict[str, Any]:
    """Our parameters of what `get_weights` of SimpleRNN, LSTM or GRU returns.

    Shapes: kernel (m, g·n), recurrent kernel (n, g·n), bias (g·n,), (2, g·n) for
    `gru_reset_after`, or none. `prefix` is `layer_prefix(…)` for a network's parameters; of a
    Bidirectional layer, each half of the list is one direction.

    Raises:
        ValueError: for a cell, a count or a shape that cannot be.
    """
    gates = _gates(KERAS, cell, "Keras")
    if len(weights) not in {2, 3}:
        raise ValueError(
            f"weights: expected kernel, recurrent kernel and perhaps bias, came {len(weights)}"
        )
    kernel = _array("kernel", weights[0], (None, None))
    recurrent = _array("recurrent kernel", weights[1], (None, None))
    biases: tuple[Any, Any] = (None, None)
    if len(weights) == 3:
        two = any(gate.recurrent_bias for gate in gates)
        width = recurrent.shape[1]
        bias = _array("bias", weights[2], (2, width) if two else (width,))
        biases = (bias[0], bias[1]) if two else (bias, None)
    names = ("kernel, transposed", "recurrent kernel, transposed", "bias", "bias")
    return _named(unstacked(gates, kernel.T, recurrent.T, biases, names), prefix)


def to_keras(params: Arrays, cell: Cell | str, *, prefix: str = "") -> list[Any]:
    """Kernel, recurrent kernel and bias for `set_weights`, of the layer with that prefix.

    Raises:
        ValueError: for a cell Keras has not, or a parameter that is missing.
    """
    gates = _gates(KERAS, cell, "Keras")
    W, R, biases = _stacked(gates, params, prefix)
    two = any(gate.recurrent_bias for gate in gates)
    return [W.T, R.T, np.stack(biases) if two else biases[0]]


# ---- ONNX ------------------------------------------------------------------------------------


def from_onnx(
    cell: Cell | str,
    W: Any,
    R: Any,
    B: Any = None,
    P: Any = None,
    *,
    direction: int = 0,
    prefix: str = "",
) -> dict[str, Any]:
    """Our parameters of one direction of an ONNX RNN, LSTM or GRU node.

    Shapes: W (directions, g·n, m), R (directions, g·n, n), B (directions, 2·g·n), input biases
    first, P (directions, 3·n). `gru` is linear_before_reset 0, `gru_reset_after` 1; `irnn` is
    an RNN node with the activation Relu.

    Raises:
        ValueError: for a cell, a direction or a shape that cannot be.
    """
    gates = _gates(ONNX, cell, "ONNX")
    W, R = _array("W", W, (None, None, None)), _array("R", R, (None, None, None))
    count, n = R.shape[0], R.shape[2]
    if not 0 <= direction < count:
        raise ValueError(f"direction: expected 0 to {count - 1}, came {direction}")
    biases: tuple[Any, Any] = (None, None)
    if B is not None:
        B = _array("B", B, (count, 2 * len(gates) * n))
        first, second = np.split(B[direction], 2)
        biases = (first, second)
    found = unstacked(gates, W[direction], R[direction], biases, ("W", "R", "B", "B"))
    peepholes = ONNX_PEEPHOLES.get(_name(cell), ())
    if P is not None and not peepholes:
        raise ValueError(
            f"P: {_name(cell)} has no peepholes; those that have: {', '.join(ONNX_PEEPHOLES)}"
        )
    if peepholes:
        P = np.zeros((count, 3 * n), R.dtype) if P is None else _array("P", P, (count, 3 * n))
        found |= dict(zip(peepholes, np.split(P[direction], 3), strict=True))
    return _named(found, prefix)


def to_onnx(params: Arrays, cell: Cell | str, *, prefixes: Sequence[str] = ("",)) -> dict[str, Any]:
    """W, R, B, and P with peepholes, of the directions with those prefixes.

    Raises:
        ValueError: for a cell ONNX has not, or a parameter that is missing.
    """
    gates = _gates(ONNX, cell, "ONNX")
    parts = [_stacked(gates, params, prefix) for prefix in prefixes]
    found = {
        "W": np.stack([W for W, _, _ in parts]),
        "R": np.stack([R for _, R, _ in parts]),
        "B": np.stack([np.concatenate(biases) for _, _, biases in parts]),
    }
    if peepholes := ONNX_PEEPHOLES.get(_name(cell)):
        for prefix in prefixes:
            for name in peepholes:
                if prefix + name not in params:
                    raise ValueError(f"params: {prefix + name!r} is missing")
        found["P"] = np.stack([
            np.concatenate([np.asarray(params[prefix + name]) for name in peepholes])
            for prefix in prefixes
        ])
    return found
