"""The recurrent modules of a file: which there are, of which framework, and what cells they are.

In: arrays by name, and what their file says of them. Out: `Module`s; of each, for a cell that fits,
the parameters of its layers. PyTorch's own names are read beside, in `mapping.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from numeric.weights.formats.stored import Unread
from numeric.weights.jax_modules import equinox_modules, flax_modules
from numeric.weights.layer_weights import LayerWeights, exact_sum
from numeric.weights.layouts import (
    KERAS,
    ONNX,
    ONNX_PEEPHOLES,
    PROJECTION,
    TFLITE,
    TFLITE_PEEPHOLES,
    TORCH,
    Gate,
    layer_prefix,
    unstacked,
)
from numeric.weights.module import (
    CELLS_OF,
    Computed,
    Module,
    Part,
    Stack,
    of_all,
    shape_of,
    starts_of,
)
from numeric.weights.tflite_modules import tflite_modules

Array = Any
Arrays = Mapping[str, Array]
PYTORCH_KEY: Final = re.compile(
    r"(?P<module>.*\.)?(?P<key>(?:weight_(?:ih|hh|hr)|bias_(?:ih|hh))(?:_l\d+(?:_reverse)?)?)"
)
_KERAS: Final = re.compile(
    r"(?P<module>.*?)(?:/(?P<way>forward|backward)_layer)?(?:/cell)?/vars/\d+"
)


def modules_of(arrays: Arrays) -> tuple[Module, ...]:
    """The recurrent modules, in the order of the file."""
    found = [*_onnx(arrays), *tflite_modules(arrays), *_keras(arrays), *equinox_modules(arrays)]
    taken = frozenset().union(*(module.names for module in found))
    rest = {name: value for name, value in arrays.items() if name not in taken}
    return (*found, *flax_modules(rest), *_pytorch(rest))


def layers_of(module: Module, cell: str, arrays: Arrays) -> tuple[LayerWeights, ...]:
    """The parameters of the module's layers, by the cell's names.

    Raises:
        ValueError: for a shape that cannot be, or numbers that are none.
    """
    gates = _TABLES[module.framework][cell]
    peepholes = _PEEPHOLES.get(module.framework, {})
    return tuple(_layer(stack, gates, peepholes, cell, arrays) for stack in module.stacks)


def _layer(
    stack: Stack, gates: Sequence[Gate], peepholes_of: Mapping[str, Sequence[str]], cell: str,
    arrays: Arrays,
) -> LayerWeights:  # fmt: skip
    first, second = (None if part is None else part.read(arrays) for part in stack.biases)
    biases = (first, second)
    names = (stack.W.text, stack.R.text, *(part.text if part else "bias" for part in stack.biases))
    found = unstacked(tuple(gates), stack.W.read(arrays), stack.R.read(arrays), biases, names,
                      projected=stack.projection is not None)  # fmt: skip
    origin = {}
    for place, gate in enumerate(gates):
        sign, count = "−" if gate.sign < 0 else "", len(gates)
        origin[gate.input] = sign + stack.W.rows(place, count)
        origin[gate.recurrent] = sign + stack.R.rows(place, count)
        own, other = (part.rows(place, count) if part else "" for part in stack.biases)
        if gate.recurrent_bias is not None:
            origin[gate.recurrent_bias] = other or "0"
            origin[gate.bias] = own or "0"
        else:
            both = [part for part in dict.fromkeys((own, other)) if part]
            also = [f" + {part.removeprefix('rows of ')}" for part in both[1:]]
            origin[gate.bias] = "".join([sign, *both[:1], *also]) if both else "0"
    peepholes = peepholes_of.get(cell, ())
    if peepholes:
        n = len(found[gates[0].bias])
        held = np.zeros(3 * n) if stack.peepholes is None else stack.peepholes.read(arrays)
        found |= dict(zip(peepholes, np.split(held, 3), strict=True))
        for place, name in enumerate(peepholes):
            origin[name] = "0" if stack.peepholes is None else stack.peepholes.rows(place, 3)
    if stack.projection is not None:
        found[PROJECTION] = stack.projection.read(arrays)
        origin[PROJECTION] = stack.projection.text
    exact = all(gate.recurrent_bias for gate in gates) or exact_sum(*biases)
    return LayerWeights(stack.prefix, found, origin, exact)


# ---- PyTorch ---------------------------------------------------------------------------------


def _pytorch(arrays: Arrays) -> Iterator[Module]:
    """The modules by PyTorch's names: what `mapping.py` reads."""
    held: dict[str, dict[str, str]] = {}
    for name in arrays:
        if found := PYTORCH_KEY.fullmatch(name):
            held.setdefault(found["module"] or "", {})[found["key"]] = name
    for module, keys in held.items():
        ends = {re.sub("^[a-z]+_[a-z]+", "", key) for key in keys}
        first = next((end for end in ("", "_l0") if end in ends), min(ends))
        W = shape_of(arrays, keys.get(f"weight_ih{first}", ""), 2) or (0, 0)
        R = shape_of(arrays, keys.get(f"weight_hh{first}", ""), 2) or (0, 0)
        projected = f"weight_hr{first}" in keys
        strange = [f"{name}: expected numbers, came {arrays[name].dtype}"
                   for name in keys.values() if isinstance(arrays[name], Unread)]  # fmt: skip
        gates = 4 if projected else R[0] // R[1] if R[1] else 0
        cells = ("projected_lstm",) if projected else CELLS_OF.get(gates, ())
        yield Module(
            module.removesuffix("."), "PyTorch", cells, (R[0] // gates if gates else 0, W[1]),
            len({end.removesuffix("_reverse") for end in ends}),
            any(end.endswith("_reverse") for end in ends), frozenset(keys.values()),
            why_not="; ".join(strange[:1]) or f"{gates} gates" if not cells else "",
            unsaid="whether its function is tanh or relu" if len(cells) > 1 else "",
        )  # fmt: skip


# ---- Keras -----------------------------------------------------------------------------------


_UNSAID: Final = "activations, which way a layer runs, how directions are joined"
_KERAS_KINDS: Final = {
    "SimpleRNN": 1, "GRU": 3, "LSTM": 4, "SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4,
}  # fmt: skip


def _transposed(array: Array) -> Array:
    return array.T


def _keras(arrays: Arrays) -> Iterator[Module]:
    """Layers with a kernel (m, g·n), a recurrent kernel (n, g·n) and perhaps a bias."""
    said = getattr(arrays, "modules", {})
    held: dict[str, dict[str, str]] = {}
    for name in arrays:
        if (found := _KERAS.fullmatch(name)) and name.endswith("/vars/0"):
            held.setdefault(found["module"], {})[found["way"] or ""] = name.removesuffix("/0")
    for path, ways in held.items():
        stacks: list[Stack] = []
        names: list[str] = []
        computed: list[Computed] = []
        kinds: list[str] = []
        sizes, masking = (0, 0), ""
        for way in ("", "forward", "backward"):
            if way not in ways:
                continue
            base = ways[way]
            K, R = (shape_of(arrays, f"{base}/{k}", 2) for k in (0, 1))
            if (
                K is None
                or R is None
                or not R[0]
                or R[1] % R[0]
                or K[1] != R[1]
                or R[1] // R[0] not in CELLS_OF
            ):
                continue
            bias = arrays.get(f"{base}/2")
            two = bias is not None and len(bias.shape) == 2
            names += [f"{base}/{k}" for k in (0, 1, 2) if f"{base}/{k}" in arrays]
            prefix = "" if not way else layer_prefix(0, reverse=way == "backward")
            biases = _keras_biases(f"{base}/2", None if bias is None else two)
            stacks.append(Stack(prefix, Part((f"{base}/0",), _transposed),
                                Part((f"{base}/1",), _transposed), biases))  # fmt: skip
            settings = said.get(base.removesuffix("/vars").removesuffix("/cell"), {})
            cells, why = _keras_cells(R[1] // R[0], None if bias is None else two, settings)
            computed.append((cells, why or _backwards(settings, way)))
            kinds.append(settings.get("kind", ""))
            masking = settings.get("masking", "")
            sizes = (R[0], K[0])
        if stacks:
            name = said.get(path, {}).get("name") or path
            cells, why = of_all(computed, "directions")
            yield Module(
                name, "Keras", cells, sizes, 1, len(stacks) > 1, frozenset(names), tuple(stacks),
                why, _joined(said.get(path, {})) if len(stacks) > 1 else "",
                "" if all(kinds) else _UNSAID, masking=masking,
            )  # fmt: skip


def _keras_biases(name: str, two: bool | None) -> tuple[Part | None, Part | None]:
    """The two biases of a layer whose array holds two, one, or is not there."""
    if not two:
        return (None if two is None else Part((name,))), None
    return Part((name,), lambda b: b[0]), Part((name,), lambda b: b[1])


def _joined(settings: Mapping[str, Any]) -> str:
    mode = settings.get("merge_mode", "concat")
    return f"merge_mode {mode!r}" if mode not in {"concat", None} else ""


def _backwards(settings: Mapping[str, Any], way: str) -> str:
    if settings.get("go_backwards") and way != "backward":
        return "go_backwards: it runs from the last step to the first"
    return ""


def _keras_cells(
    gates: int, two: bool | None, settings: Mapping[str, Any]
) -> tuple[tuple[str, ...], str]:
    """The cells that a layer computes by its count of gates, its bias and its settings.

    A file of weights alone has no settings, and says no kind.
    """
    kind = settings.get("kind", "")
    if why := settings.get("why"):
        return (), why
    if kind and _KERAS_KINDS.get(kind) != gates:
        return (), f"it is of the class {kind}, whose equations are not known here"
    activation = settings.get("activation", "tanh")
    inner = settings.get("recurrent_activation", "sigmoid")
    if gates == 1:
        if not kind:
            return ("rnn", "irnn"), ""
        cell = {"tanh": "rnn", "relu": "irnn"}.get(str(activation))
        return ((cell,), "") if cell else ((), f"activation {_short(activation)}")
    if activation != "tanh" or inner != "sigmoid":
        return (), f"activation {_short(activation)}, recurrent_activation {_short(inner)}"
    if gates == 4:
        return ("lstm",), ""
    after = settings.get("reset_after", two)
    if after is None:
        return ("gru_reset_after", "gru"), ""
    return ("gru_reset_after" if after else "gru",), ""


def _short(value: Any) -> str:
    """An activation for people; one of the user's own is a dictionary that names it."""
    if isinstance(value, dict):
        config = value.get("config")
        value = config if isinstance(config, str) else value.get("class_name")
    return f"{value!r:.60}"


# ---- ONNX ------------------------------------------------------------------------------------

_DEFAULT: Final = {
    "RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"],
}  # fmt: skip


def _onnx(arrays: Arrays) -> Iterator[Module]:
    """The nodes that the file names, a layer each."""
    for name, said in getattr(arrays, "modules", {}).items():
        if said.get("framework") != "ONNX":
            continue
        stacks: list[Stack] = []
        computed: list[Computed] = []
        both, sizes = False, (0, 0)
        names = [f"{layer['prefix']}.{part}" for layer in said["layers"] for part in "WRBP"]
        names = [one for one in names if one in arrays]
        for depth, layer in enumerate(said["layers"]):
            one = layer["prefix"]
            W, R = shape_of(arrays, f"{one}.W", 3), shape_of(arrays, f"{one}.R", 3)
            direction = layer.get("direction", "forward")
            why = _onnx_wrong(said["kind"], one, direction, arrays)
            if why or W is None or R is None:
                computed.append(((), why))
                break
            both = direction == "bidirectional"
            computed.append(_onnx_cells(said["kind"], layer, f"{one}.P" in arrays))
            sizes = sizes if depth else (R[2], W[2])
            for way in range(R[0]):
                alone = len(said["layers"]) == 1 and R[0] == 1
                prefix = "" if alone else layer_prefix(depth, reverse=bool(way))
                stacks.append(_onnx_stack(one, prefix, way, R[1], arrays))
        cells, why = of_all(computed, "layers")
        yield Module(name, "ONNX", cells, sizes, len(said["layers"]), both, frozenset(names),
                     tuple(stacks), why, starts=starts_of(said["layers"]))  # fmt: skip


def _onnx_wrong(kind: str, one: str, direction: str, arrays: Arrays) -> str:
    """What of a node's arrays or direction no cell has; empty where all is well."""
    if direction not in {"forward", "bidirectional"}:
        return f"direction {direction!r}: it runs from the last step to the first"
    ways = 2 if direction == "bidirectional" else 1
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    W, R = arrays.get(f"{one}.W"), arrays.get(f"{one}.R")
    if W is None or R is None:
        return f"{one}.W or .R is no array of the file"
    n = R.shape[2] if len(R.shape) == 3 else 0
    for letter, wanted in (("R", (ways, rows, 0)), ("W", (ways, rows, 0)), ("B", (ways, 2 * rows)),
                           ("P", (ways, 3))):  # fmt: skip
        array = arrays.get(f"{one}.{letter}")
        if array is None:
            continue
        if isinstance(array, Unread):
            return f"{one}.{letter}: expected numbers, came {array.dtype}"
        fits = len(array.shape) == len(wanted) and array.shape[:2] == (ways, wanted[1] * n)
        if not fits:
            return (f"{one}.{letter} has the shape {array.shape}, and a node {kind} with the "
                    f"direction {direction} another")  # fmt: skip
    return ""


def _onnx_stack(one: str, prefix: str, way: int, rows: int, arrays: Arrays) -> Stack:
    def part(letter: str, cut: Callable[[Array], Array]) -> Part | None:
        return Part((f"{one}.{letter}",), cut) if f"{one}.{letter}" in arrays else None

    own = lambda array: array[way]  # noqa: E731
    return Stack(
        prefix, Part((f"{one}.W",), own), Part((f"{one}.R",), own),
        (part("B", lambda b: b[way, :rows]), part("B", lambda b: b[way, rows:])),
        part("P", own),
    )  # fmt: skip


def _onnx_cells(
    kind: str, layer: Mapping[str, Any], peepholes: bool
) -> tuple[tuple[str, ...], str]:
    """The cells that a node computes, by its attributes."""
    if layer.get("clip"):
        return (), f"clip {layer['clip']:g}"
    if layer.get("input_forget"):
        return (), "input_forget 1: its input and forget gates are coupled"
    ways = 2 if layer.get("direction") == "bidirectional" else 1
    chosen = [str(one).capitalize() for one in layer.get("activations") or _DEFAULT[kind] * ways]
    if kind == "RNN" and {*chosen} == {"Relu"}:
        return ("irnn",), ""
    if chosen != _DEFAULT[kind] * ways:
        return (), f"activations {', '.join(chosen)}"
    if kind == "RNN":
        return ("rnn",), ""
    if kind == "GRU":
        return ("gru_reset_after" if layer.get("linear_before_reset") else "gru",), ""
    return ("peephole_lstm",) if peepholes else ("lstm", "peephole_lstm"), ""


# JAX's libraries stack their gates in PyTorch's order
_TABLES: Final[Mapping[str, Mapping[str, tuple[Gate, ...]]]] = {
    "Keras": KERAS, "ONNX": ONNX, "TFLite": TFLITE, "Equinox": TORCH, "Flax": TORCH,
}  # fmt: skip
_PEEPHOLES: Final = {"ONNX": ONNX_PEEPHOLES, "TFLite": TFLITE_PEEPHOLES}
