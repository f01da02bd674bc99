"""Keras's files by hand: which settings are a layer's, and what is said where that is not known."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from derive import catalogue
from numeric.weights.formats.keras import read_h5, read_keras
from numeric.weights.mapping import map_weights
from numeric.weights.module import Module
from numeric.weights.modules import modules_of

h5py = pytest.importorskip("h5py")
N = 3


def layer(kind: str, name: str, **change: Any) -> dict[str, Any]:
    config = {"name": name, "units": N, "activation": "tanh", "recurrent_activation": "sigmoid"}
    return {"module": "keras.layers", "class_name": kind, "config": {**config, **change}}


def weights(arrays: Mapping[str, Any], names: Mapping[str, str] | None = None, **how: Any) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        for name, value in arrays.items():
            file.create_dataset(name, data=value, **how)
        for where, name in (names or {}).items():
            file.require_group(f"{where}/vars").attrs["name"] = name
    return made.getvalue()


def variables(*where: str, n: int = N) -> dict[str, Any]:
    shapes = {0: (2, 4 * n), 1: (n, 4 * n), 2: (4 * n,)}
    return {f"{place}/cell/vars/{k}": np.ones(shape) for place in where
            for k, shape in shapes.items()}  # fmt: skip


def modules(
    folder: Path, layers: Sequence[Any], arrays: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
) -> tuple[Module, ...]:  # fmt: skip
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        model = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("model.weights.h5", weights(arrays, names))
    return modules_of(read_keras(path))


def test_variables_without_names_have_the_settings_of_their_class_and_size(tmp_path: Path) -> None:
    relu = layer("LSTM", "lstm_1", activation="relu", units=5)
    arrays = variables("layers/lstm") | variables("layers/lstm_1", n=5)
    first, second = modules(tmp_path, [layer("LSTM", "lstm"), relu], arrays)
    assert first.cells == ("lstm",)
    assert "activation 'relu'" in second.why_not
    both = {"class_name": "Bidirectional", "config": {"name": "b", "layer": layer("LSTM", "l")}}
    ways = variables("layers/b/forward_layer", "layers/b/backward_layer")
    (module,) = modules(tmp_path, [both], ways)
    assert module.both
    assert module.cells == ("lstm",)


def test_what_could_be_either_of_two_layers_is_neither(tmp_path: Path) -> None:
    layers = [layer("LSTM", "lstm"), layer("LSTM", "lstm", activation="relu")]
    places = ("layers/lstm", "layers/lstm_1")
    for names in ({}, dict.fromkeys(places, "lstm")):
        for module in modules(tmp_path, layers, variables(*places), names):
            assert "config.json has several layers" in module.why_not
    (module,) = modules(tmp_path, [layer("Dense", "dense")], variables("layers/lstm"))
    assert "config.json has no layer" in module.why_not


@pytest.mark.parametrize(
    ("cell", "outer", "why"),
    [
        ({"activation": "relu"}, {}, "activation 'relu'"),
        ({}, {"go_backwards": True}, "from the last step to the first"),
        ({}, {}, ""),
    ],
)
def test_the_layer_rnn_computes_what_its_cell_does(
    tmp_path: Path, cell: dict[str, Any], outer: dict[str, Any], why: str
) -> None:
    config = {"name": "rnn", "cell": layer("LSTMCell", "lstm_cell", **cell), **outer}
    layers = [{"class_name": "RNN", "config": config}]
    for names in ({"layers/rnn": "rnn", "layers/rnn/cell": "lstm_cell"}, {}):
        (module,) = modules(tmp_path, layers, variables("layers/rnn"), names)
        assert why in module.why_not
        assert module.cells == (() if why else ("lstm",))


def test_a_class_that_is_not_kerass_own_is_no_lstm(tmp_path: Path) -> None:
    names = {"layers/mine": "mine"}
    (module,) = modules(tmp_path, [layer("Mine", "mine")], variables("layers/mine"), names)
    assert "class Mine" in module.why_not


def test_the_old_form_says_what_to_run(tmp_path: Path) -> None:
    place = "model_weights/lstm/lstm/lstm_cell"
    arrays = {
        f"{place}/kernel:0": np.ones((2, 12)),
        f"{place}/recurrent_kernel:0": np.ones((3, 12)),
    }
    (tmp_path / "old.h5").write_bytes(weights(arrays))
    with pytest.raises(ValueError, match="save_weights"):
        read_h5(tmp_path / "old.h5")


def test_a_damaged_chunk_is_said(tmp_path: Path) -> None:
    held = bytearray(weights(variables("layers/lstm"), compression="gzip"))
    with h5py.File(io.BytesIO(bytes(held)), "r") as file:
        chunk = file["layers/lstm/cell/vars/0"].id.get_chunk_info(0)
    held[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    (tmp_path / "m.weights.h5").write_bytes(held)
    with pytest.raises(ValueError, match=r"m\.weights\.h5: .* is damaged"):
        map_weights(catalogue["lstm"], read_h5(tmp_path / "m.weights.h5"))


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (layer("Masking", "skip"), "the layer skip of its model may mask steps"),
        (layer("Embedding", "table", mask_zero=True), "the layer table of its model"),
        (layer("Embedding", "table", mask_zero=False), ""),
    ],
)
def test_a_model_that_masks_steps_is_not_taken_for_one_that_does_not(
    tmp_path: Path, before: Mapping[str, Any], said: str
) -> None:
    """A masked step leaves the state as it is: another product than that of all steps."""
    held = variables("layers/lstm")
    names = {"layers/lstm": "lstm"}
    modules(tmp_path, [before, layer("LSTM", "lstm")], held, names)
    (found,) = map_weights(catalogue["lstm"], read_keras(tmp_path / "m.keras"))
    assert said in "; ".join(found.assumed)
    assert bool(found.assumed) == bool(said)
