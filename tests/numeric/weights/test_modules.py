"""Modules of a file: every layer and direction decides what a module is, and shapes are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from derive import catalogue
from numeric.bounds.stack import diagnose_layers, network_of
from numeric.weights.formats.readers import read_arrays
from numeric.weights.formats.stored import Arrays, Unread
from numeric.weights.mapping import map_weights
from numeric.weights.modules import layers_of, modules_of

N = 3
USUAL = {
    "framework": "Keras",
    "kind": "LSTM",
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
}
OWN = {"module": "builtins", "class_name": "function", "config": "mine"}


def drawn(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


def keras(where: str, gates: int = 4) -> dict[str, Any]:
    shapes = {0: (N, gates * N), 1: (N, gates * N), 2: (gates * N,)}
    return {f"{where}/cell/vars/{place}": drawn(*shape) for place, shape in shapes.items()}


def node(kind: str, layers: list[dict[str, Any]], **arrays: Any) -> Arrays:
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind] * N
    held: dict[str, Any] = {}
    for layer in layers:
        own = {letter: drawn(1, rows, N) for letter in "WR"} | arrays
        held |= {f"{layer['prefix']}.{letter}": value for letter, value in own.items()}
    return Arrays(held, {"a": {"framework": "ONNX", "kind": kind, "layers": layers}})


def test_both_directions_decide_on_a_keras_layer() -> None:
    arrays = keras("layers/b/forward_layer") | keras("layers/b/backward_layer")
    said = {
        "layers/b/forward_layer": {**USUAL, "name": "f", "activation": "relu"},
        "layers/b/backward_layer": {**USUAL, "name": "g", "go_backwards": True},
    }
    (module,) = modules_of(Arrays(arrays, said))
    assert module.cells == ()
    assert "activation 'relu'" in module.why_not


def test_how_directions_are_joined_and_what_a_file_does_not_say() -> None:
    arrays = keras("layers/b/forward_layer") | keras("layers/b/backward_layer")
    both = {f"layers/b/{way}_layer": {**USUAL, "name": way} for way in ("forward", "backward")}
    for mode, joined in (("sum", "merge_mode 'sum'"), ("concat", ""), (None, "")):
        said = both | {"layers/b": {"name": "b", "kind": "Bidirectional", "merge_mode": mode}}
        (module,) = modules_of(Arrays(arrays, said))
        assert module.joined == joined
        assert module.unsaid == ""
        assert module.cells == ("lstm",)
    (module,) = modules_of(Arrays(arrays))
    assert "activations" in module.unsaid


def test_a_pytorch_array_of_no_numbers_is_named() -> None:
    held = {"weight_ih_l0": drawn(4 * N, N), "weight_hh_l0": Unread("sparse", (4 * N, N))}
    (module,) = modules_of(Arrays(held))
    assert module.why_not == "weight_hh_l0: expected numbers, came sparse"


def test_a_layer_that_is_missing_between_others_is_named() -> None:
    shapes = {"weight_ih": (4 * N, N), "weight_hh": (4 * N, N)}
    held = {f"{name}_l{k}": drawn(*shape) for k in (0, 2) for name, shape in shapes.items()}
    with pytest.raises(ValueError, match="layer 1 is missing: the file has the layers 0, 2"):
        map_weights(catalogue["lstm"], held)


@pytest.mark.parametrize(
    ("gates", "change", "why"),
    [
        (4, {"kind": "MyLSTM"}, "class MyLSTM"),
        (4, {"activation": None}, "activation None"),
        (4, {"activation": OWN}, "activation 'mine'"),
        (1, {"kind": "SimpleRNN", "activation": OWN}, "activation 'mine'"),
        (4, {"why": "it is not known"}, "it is not known"),
    ],
)
def test_settings_that_no_cell_has_are_said(gates: int, change: dict[str, Any], why: str) -> None:
    said = {"layers/l": {**USUAL, "name": "l", **change}}
    (module,) = modules_of(Arrays(keras("layers/l", gates), said))
    assert module.cells == ()
    assert why in module.why_not


def test_a_layer_without_units_is_no_recurrent_one() -> None:
    assert modules_of({"layers/d/vars/0": drawn(2, 4), "layers/d/vars/1": drawn(0, 4)}) == ()


@pytest.mark.parametrize(
    ("kind", "changes", "cells"),
    [
        ("RNN", ({}, {"activations": ["Relu"]}), ()),
        ("GRU", ({}, {"linear_before_reset": 1}), ()),
        ("GRU", ({"linear_before_reset": 1}, {"linear_before_reset": 1}), ("gru_reset_after",)),
    ],
)
def test_every_layer_of_a_node_decides(kind: str, changes: Any, cells: tuple[str, ...]) -> None:
    layers = [{"prefix": f"a.{depth}", **change} for depth, change in enumerate(changes)]
    (module,) = modules_of(node(kind, layers))
    assert module.cells == cells
    assert module.why_not.startswith("its layers are") is not bool(cells)


def test_peepholes_of_one_layer_are_not_dropped() -> None:
    arrays = node("LSTM", [{"prefix": "a.0"}, {"prefix": "a.1"}])
    arrays["a.0.P"] = drawn(1, 3 * N)
    (module,) = modules_of(arrays)
    assert module.cells == ("peephole_lstm",)


@pytest.mark.parametrize(
    ("layer", "arrays"),
    [
        ({}, {"B": drawn(2 * N)}),
        ({}, {"B": drawn(1, N)}),
        ({}, {"R": drawn(2, N, N)}),
        ({"direction": "bidirectional"}, {"R": drawn(2, N, N)}),
        ({"direction": "bidirectional"}, {}),
    ],
)
def test_shapes_that_are_not_a_nodes_are_named(
    layer: dict[str, Any], arrays: dict[str, Any]
) -> None:
    held = node("RNN", [{"prefix": "a", **layer}], **arrays)
    with pytest.raises(ValueError, match=r"a\.[WRB] has the shape"):
        map_weights(catalogue["rnn"], held)


@pytest.mark.parametrize("bias", [np.ones(()), np.ones((N, 1))])
def test_a_bias_of_another_rank_ends_in_a_line(bias: Any) -> None:
    arrays = {"weight_ih": drawn(3 * N, N), "weight_hh": drawn(3 * N, N), "bias": drawn(3 * N)}
    with pytest.raises(ValueError, match=r"bias_n: the shape .* cannot be those of a layer"):
        map_weights(catalogue["gru_reset_after"], arrays | {"bias_n": bias})


def test_scalar_biases_of_flax_end_in_a_line() -> None:
    arrays = {f"{side}{gate}.kernel": drawn(N, N) for side in "ih" for gate in "ifgo"}
    arrays |= {f"h{gate}.bias": np.ones(()) for gate in "ifgo"}
    with pytest.raises(ValueError, match=r"hi\.bias and .* cannot be those of a layer"):
        map_weights(catalogue["lstm"], arrays)


def test_what_a_bias_is_made_of_begins_with_an_array() -> None:
    """Flax has biases beside the state alone: no sum with nothing in front."""
    arrays = read_arrays(Path(__file__).parent / "files" / "jax.npz")
    said = [text for module in modules_of(arrays) if module.cells
            for layer in layers_of(module, module.cells[0], arrays)
            for text in layer.origin.values()]  # fmt: skip
    assert len(said) > 20
    assert not [text for text in said if text.lstrip("−").startswith((" ", "+"))]


def pytorch(gates: int) -> dict[str, Any]:
    return {"weight_ih_l0": drawn(gates * N, N), "weight_hh_l0": drawn(gates * N, N)}


def flax(*gates: str) -> dict[str, Any]:
    return {f"{side}{gate}.kernel": drawn(N, N) for side in "ih" for gate in gates}


@pytest.mark.parametrize(
    ("cell", "arrays", "said"),
    [
        ("rnn", pytorch(1), "tanh or relu; it is taken for rnn as PyTorch"),
        ("irnn", pytorch(1), "tanh or relu; it is taken for irnn as PyTorch"),
        ("lstm", pytorch(4), ""),
        ("lstm", keras("layers/a"), "activations, which way a layer runs"),
        ("lstm", Arrays(keras("layers/a"), {"layers/a": {**USUAL, "name": "a"}}), ""),
        ("lstm", flax(*"ifgo"), "its activations; it is taken for lstm as Flax"),
        ("rnn", flax(""), "whether it has a residual connection"),
        ("gru", node("GRU", [{"prefix": "a", "starts": {"initial_h": None}}]),
         "initial_h of a is computed in the graph: that start is not followed"),
        ("gru", node("GRU", [{"prefix": "a", "starts": {"initial_h": "h_0"}}]),
         "initial_h of a is h_0: that start"),
        ("gru", node("GRU", [{"prefix": "a"}]), ""),
    ],
)  # fmt: skip
def test_what_makes_a_users_network_another_one_is_assumed_in_words(
    cell: str, arrays: Any, said: str
) -> None:
    """The bounds of a layer of relu, or of one that runs backwards, are other ones."""
    (layer,) = map_weights(catalogue[cell], arrays)
    assert bool(layer.assumed) == bool(said)
    assert said in "; ".join(layer.assumed)
    found = diagnose_layers(network_of(catalogue[cell], [layer]), [layer], {}, lag=2)
    assert said in found.found[0].assumptions[0]
