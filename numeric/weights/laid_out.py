"""A cell's parameters → arrays by the names of a layout: ours, or those of a framework's files.

In: `LayerWeights`. Out: `Written`: arrays as a reader of such a file gives them, with what the file
says of its recurrent modules, and what each is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numeric.weights import layouts
from numeric.weights.formats.stored import Arrays
from numeric.weights.layer_weights import LayerWeights
from numeric.weights.layouts import Gate, to_keras, to_onnx, to_torch

Array = Any
Layers = Sequence[LayerWeights]
OURS, PYTORCH, KERAS, ONNX = "ours", "pytorch", "keras", "onnx"
FRAMEWORK: Final[Mapping[str, str]] = {PYTORCH: "PyTorch", KERAS: "Keras", ONNX: "ONNX"}
_TABLES: Final = {PYTORCH: layouts.TORCH, KERAS: layouts.KERAS, ONNX: layouts.ONNX}
_KERAS_LAYERS: Final = {1: ("SimpleRNN", "simple_rnn"), 3: ("GRU", "gru"), 4: ("LSTM", "lstm")}
_NODES: Final = {1: "RNN", 3: "GRU", 4: "LSTM"}


@dataclass(frozen=True)
class Written:
    """Arrays by name, and of each what it is made of."""

    arrays: Mapping[str, Array]
    origin: Mapping[str, str]


def laid_out(cell: str, layers: Layers, layout: str) -> Written:
    """The parameters of all layers in a layout.

    Raises:
        ValueError: for a cell that the layout has no place for.
    """
    if layout != OURS and cell not in _TABLES[layout]:
        raise ValueError(_no_place(cell, layers, layout))
    return _LAYOUTS[layout](cell, layers)


def _no_place(cell: str, layers: Layers, layout: str) -> str:
    """What of the cell the framework has no place for, and what to run."""
    table = _TABLES[layout]
    held = [name for layer in layers[:1] for name in layer.parameters]
    left = [
        [name for name in held if name not in _names(gates)]
        for gates in table.values()
        if {*_names(gates)} <= {*held}
    ]
    least = min(left, key=lambda names: len(names), default=[])
    beside = f", whose {', '.join(least)} have no place there" if least else ""
    run = "write .npz or .safetensors, which have our names"
    if layout == ONNX:
        run += f"; bptt emit {cell} --target onnx gives a model whose inputs they are"
    return f"{FRAMEWORK[layout]} has one of {', '.join(table)}, not {cell}{beside}: {run}"


def _names(gates: Iterable[Gate]) -> list[str]:
    """The parameters that the gates hold."""
    found = [(g.input, g.recurrent, g.bias, g.recurrent_bias) for g in gates]
    return [name for names in found for name in names if name]


def _prefixed(layers: Layers) -> dict[str, Array]:
    return {f"{one.prefix}{name}": v for one in layers for name, v in one.parameters.items()}


def _stacked(layers: Layers, gate: Gate) -> list[list[str]]:
    """Our prefixes of the layers from below, forward before reverse, as a model stacks them.

    Raises:
        ValueError: if one runs from the last step to the first alone, or takes other than what the
            one below gives.
    """
    depths: dict[str, list[LayerWeights]] = {}
    for layer in sorted(layers, key=lambda one: one.reverse):
        depths.setdefault(layer.prefix.removesuffix("reverse."), []).append(layer)
    found, given = [], None
    for prefix in sorted(depths, key=lambda one: (len(one), one)):
        if depths[prefix][0].reverse:
            raise ValueError(f"{prefix}: the weights of the direction from the last step to the "
                             "first alone, for which a reader has no cell")  # fmt: skip
        for layer in depths[prefix]:
            taken = layer.parameters[gate.input].shape[1]
            if taken != (given or taken):
                raise ValueError(f"{layer.prefix}{gate.input}: it takes {taken} numbers, and the "
                                 f"layer below gives {given}; convert them one by one")  # fmt: skip
        given = sum(layer.parameters[gate.recurrent].shape[1] for layer in depths[prefix])
        found.append([layer.prefix for layer in depths[prefix]])
    return found


def _ours(cell: str, layers: Layers) -> Written:
    origin = {f"{one.prefix}{n}": one.origin[n] for one in layers for n in one.parameters}
    return Written(_prefixed(layers), origin)


def _pytorch(cell: str, layers: Layers) -> Written:
    """The state dictionary of one module.

    Raises:
        ValueError: for layers that differ in their units or directions, as no module has them.
    """
    (gate, *_), depths = layouts.TORCH[cell], _stacked(layers, layouts.TORCH[cell][0])
    units = {one.parameters[gate.recurrent].shape[1] for one in layers}
    if len(units) > 1 or len({*map(len, depths)}) > 1:
        held = "; ".join(
            f"{one.prefix}{gate.recurrent} {one.parameters[gate.recurrent].shape}" for one in layers
        )
        raise ValueError(f"{held}: the layers of a module of PyTorch have all as many units, and "
                         "one direction or all both; convert them one by one")  # fmt: skip
    arrays, said = to_torch(_prefixed(layers), cell), _said(layouts.TORCH[cell], "below")
    names = {"weight_ih": said.W, "weight_hh": said.R, "bias_ih": said.first,
             "bias_hh": said.second}  # fmt: skip
    return Written(arrays, {name: names[name[: name.index("_l")]] for name in arrays})


def _keras(cell: str, layers: Layers) -> Written:
    """Paths as Keras saves a Sequential model of such layers, with their settings."""
    gates = layouts.KERAS[cell]
    said, params = _said(gates, "beside", "ᵀ"), _prefixed(layers)
    kind, word = _KERAS_LAYERS[len(gates)]
    both = f"{said.first}; {said.second}" if any(g.recurrent_bias for g in gates) else said.first
    found, origin = Arrays(), {}
    for depth, prefixes in enumerate(_stacked(layers, gates[0])):
        two = len(prefixes) > 1
        name = ("bidirectional" if two else word) + f"_{depth}" * (depth > 0)
        if two:
            found.modules[f"layers/{name}"] = {"framework": "Keras", "kind": "", "name": name}
        for prefix, way in zip(prefixes, ("forward", "backward") if two else ("",), strict=True):
            where = f"layers/{name}" + f"/{way}_layer" * two
            held = to_keras(params, cell, prefix=prefix)
            for place, (value, made) in enumerate(zip(held, (said.W, said.R, both), strict=True)):
                found[f"{where}/cell/vars/{place}"] = value
                origin[f"{where}/cell/vars/{place}"] = made
            found.modules[where] = {
                "framework": "Keras", "kind": kind, "name": f"{way}_{word}" if two else name,
                "units": held[1].shape[0], **_keras_settings(cell, len(gates)),
                "return_sequences": True, "go_backwards": way == "backward",
            }  # fmt: skip
    return Written(found, origin)


def _keras_settings(cell: str, gates: int) -> dict[str, Any]:
    found: dict[str, Any] = {"activation": "relu" if cell == "irnn" else "tanh", "use_bias": True}
    if gates > 1:
        found["recurrent_activation"] = "sigmoid"
    if gates == 3:
        found["reset_after"] = cell == "gru_reset_after"
    return found


def _onnx(cell: str, layers: Layers) -> Written:
    """A node for each layer, by the names that a reader of the model gives its arrays.

    Raises:
        ValueError: for directions that differ in their units, as no node has them.
    """
    gates, params = layouts.ONNX[cell], _prefixed(layers)
    depths = _stacked(layers, gates[0])
    said, kind = _said(gates, "below"), node_of(cell)[0]
    names = {"W": said.W, "R": said.R, "B": f"{said.first}; {said.second}",
             "P": ", ".join(layouts.ONNX_PEEPHOLES.get(cell, ()))}  # fmt: skip
    module, found, origin, nodes = kind.lower(), Arrays(), {}, []
    for depth, prefixes in enumerate(depths):
        prefix = f"{module}.{depth}" if len(depths) > 1 else module
        units = [params[f"{own}{gates[0].recurrent}"].shape[1] for own in prefixes]
        if len({*units}) > 1:
            raise ValueError("the directions of a node of ONNX have all as many units, here they "
                             f"have {' and '.join(map(str, units))}")  # fmt: skip
        for name, value in to_onnx(params, cell, prefixes=prefixes).items():
            found[f"{prefix}.{name}"] = value
            origin[f"{prefix}.{name}"] = names[name]
        ways = len(prefixes)
        nodes.append({
            "prefix": prefix, "hidden_size": found[f"{prefix}.R"].shape[2],
            "direction": "bidirectional" if ways > 1 else "forward", **node_of(cell, ways)[1],
        })  # fmt: skip
    found.modules[module] = {"framework": "ONNX", "kind": kind, "layers": nodes}
    return Written(found, origin)


def node_of(cell: str, ways: int = 1) -> tuple[str, dict[str, Any]]:
    """ONNX's operator that computes the cell, and the attributes that make it do so."""
    kind = _NODES[len(layouts.ONNX[cell])]
    if cell == "irnn":
        return kind, {"activations": ["Relu"] * ways}
    if kind == "GRU":
        return kind, {"linear_before_reset": int(cell == "gru_reset_after")}
    return kind, {}


@dataclass(frozen=True)
class _Said:
    """What the matrices and the two biases of a layer are made of."""

    W: str
    R: str
    first: str
    second: str


def _said(gates: Sequence[Gate], where: str, after: str = "") -> _Said:
    """The parameters of the gates in their order, `where` they stand to each other."""

    def listed(names: Sequence[str | None], after: str = after) -> str:
        terms = [
            f"{'−' * gate.negated}{name}{after}" if name else "0"
            for gate, name in zip(gates, names, strict=True)
        ]
        if {*terms} == {"0"}:
            return "0"
        return ", ".join(terms) + f" {where} each other" * (len(terms) > 1)

    return _Said(listed([g.input for g in gates]), listed([g.recurrent for g in gates]),
                 listed([g.bias for g in gates], ""),
                 listed([g.recurrent_bias for g in gates], ""))  # fmt: skip


_LAYOUTS: Final[Mapping[str, Callable[[str, Layers], Written]]] = {
    OURS: _ours, PYTORCH: _pytorch, KERAS: _keras, ONNX: _onnx,
}  # fmt: skip
