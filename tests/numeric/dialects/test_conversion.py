"""Conversions are proved, and wrong ones are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import catalogue
from derive.cell import cell_of
from numeric.dialects import stacked
from numeric.dialects.conversion import NotProvedError, convert
from numeric.weights import layouts, modules
from numeric.weights.formats.readers import read_arrays
from numeric.weights.mapping import map_weights

FILES = Path(__file__).parents[1] / "weights" / "files"
GIVEN = (
    ("two_layers.onnx", "/layer/LSTM", "lstm"), ("gru_before.onnx", "layer", "gru"),
    ("peepholes.onnx", "layer", "peephole_lstm"), ("net.pt", "encoder.gru", "gru_reset_after"),
    ("net.pt", "small", "projected_lstm"), ("net.pt", "plain", "irnn"),
    ("jax.npz", "linen.GRUCell/params", "gru_reset_after"), ("jax.npz", "eqx.LSTMCell", "lstm"),
    ("jax.npz", "nnx.OptimizedLSTMCell", "lstm"), ("operators.tflite", "LSTM_1", "peephole_lstm"),
    ("operators.tflite", "LSTM_2", "projected_lstm"), ("loop_gru.tflite", "GRU_1", "gru"),
    ("operators.tflite", "LSTM_3", "coupled_lstm"), ("rounded.tflite", None, "lstm"),
    ("both_grus.tflite", None, "gru_reset_after"), ("both.tflite", None, "lstm"),
    ("two_lstms.tflite", None, "tflite_lstm_clip_10"), ("operators.tflite", "RNN_7", "irnn"),
)  # fmt: skip


@pytest.mark.parametrize(("file", "module", "cell"), by_day(GIVEN, 3))
def test_files_of_libraries_are_proved(file: str, module: str | None, cell: str) -> None:
    arrays = read_arrays(FILES / file)
    found = convert(cell_of(cell), arrays, module=module)
    assert found.proof.error_probability < 1e-15
    assert found.proof.agreement < 1e-12
    assert found.functions[-1] == cell
    layers = map_weights(cell_of(cell), arrays, module)
    for layer in layers:
        for name, value in layer.parameters.items():
            held = found.written.arrays[layer.prefix + name]
            assert np.max(np.abs(held - value), initial=0.0) <= 1e-7 * np.max(np.abs(value))


def lstm_arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": 12, "bias_hh_l0": 12}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_to_pytorchs_names_and_back() -> None:
    found = convert(catalogue["lstm"], lstm_arrays(), "pytorch")
    assert found.functions == ("PyTorch's torch_lstm", "lstm", "PyTorch's torch_lstm")
    assert found.rounding == 0.0
    again = convert(catalogue["lstm"], found.written.arrays, "pytorch")
    for name, value in found.written.arrays.items():
        assert np.array_equal(again.written.arrays[name], value)


def test_gates_in_another_order_are_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    i, f, c, o = layouts.TORCH["lstm"]
    monkeypatch.setitem(layouts.TORCH, "lstm", (i, f, o, c))
    for layout in ("ours", "pytorch"):
        with pytest.raises(NotProvedError, match="lstm and PyTorch differ"):
            convert(catalogue["lstm"], lstm_arrays(), layout)


@pytest.mark.parametrize(("layout", "framework"), [("keras", "Keras"), ("onnx", "ONNX")])
def test_gates_of_the_file_written_in_another_order_are_not_proved(
    monkeypatch: pytest.MonkeyPatch, layout: str, framework: str
) -> None:
    table = getattr(layouts, layout.upper())
    monkeypatch.setitem(table, "lstm", table["lstm"][::-1])
    with pytest.raises(NotProvedError, match=f"{framework} and PyTorch differ"):
        convert(catalogue["lstm"], lstm_arrays(), layout)
    arrays = {name: np.zeros_like(value) for name, value in lstm_arrays().items()}
    with pytest.raises(NotProvedError, match=f"{framework} and PyTorch differ over the prime"):
        convert(catalogue["lstm"], arrays, layout)


@pytest.mark.parametrize("layout", ["keras", "onnx"])
@pytest.mark.parametrize(
    ("file", "module", "cell"), [GIVEN[0], *by_day(GIVEN[1:4], 2), ("net.pt", "plain", "irnn")]
)
def test_every_layer_of_another_layout_is_proved(
    file: str, module: str, cell: str, layout: str
) -> None:
    if (cell, layout) == ("peephole_lstm", "keras"):
        with pytest.raises(ValueError, match="whose p_i, p_o, p_f have no place there"):
            convert(catalogue[cell], read_arrays(FILES / file), layout, module)
        return
    found = convert(catalogue[cell], read_arrays(FILES / file), layout, module)
    assert len(found.functions) == 3
    assert found.proof.error_probability < 1e-15
    assert found.proof.agreement < 1e-12
    if layout == "onnx":  # what a reader takes for one module
        layers = map_weights(catalogue[cell], read_arrays(FILES / file), module)
        again = map_weights(catalogue[cell], found.written.arrays)
        for layer, other in zip(layers, again, strict=True):
            for name, value in layer.parameters.items():
                off = np.max(np.abs(other.parameters[name] - value), initial=0.0)
                assert off <= 1e-7 * np.max(np.abs(value))


def test_numbers_too_large_for_the_file_are_refused() -> None:
    arrays = lstm_arrays()
    found = convert(catalogue["lstm"], arrays, "onnx", widest=np.float32)
    assert found.narrowed
    assert 0 < found.rounding <= 2.0**-24
    assert {value.dtype for value in found.written.arrays.values()} == {np.dtype(np.float32)}
    arrays["weight_ih_l0"][0, 0] = 1e39
    with pytest.raises(ValueError, match=r"lstm\.W: an entry is too large for float32"):
        convert(catalogue["lstm"], arrays, "onnx", widest=np.float32)


def test_a_sign_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    table = modules._TABLES["ONNX"]
    keep, *others = table["gru"]
    monkeypatch.setitem(table, "gru", (replace(keep, negated=False), *others))
    with pytest.raises(NotProvedError, match="gru and ONNX differ"):
        convert(catalogue["gru"], read_arrays(FILES / "gru_before.onnx"))


def test_equal_weights_hide_nothing_from_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are all zero agree in floats under any order of the gates."""
    zero = {name: np.zeros_like(value) for name, value in lstm_arrays().items()}
    form = stacked.FORMS["PyTorch", "lstm"]
    wrong = replace(form, gates="ifog")
    monkeypatch.setitem(stacked.FORMS, ("PyTorch", "lstm"), wrong)
    with pytest.raises(NotProvedError, match="differ over the prime field"):
        convert(catalogue["lstm"], zero)


def test_directions_that_are_added_are_not_written_as_if_they_were_not() -> None:
    pytest.importorskip("h5py")
    arrays = read_arrays(FILES / "net.keras")
    assert convert(catalogue["lstm"], arrays, "pytorch", "both").functions
    arrays.modules["layers/bidirectional"]["merge_mode"] = "sum"
    with pytest.raises(ValueError, match="merge_mode 'sum', and what is written has its direct"):
        convert(catalogue["lstm"], arrays, "pytorch", "both")


def test_what_is_left_out_and_what_the_file_does_not_say() -> None:
    more = lstm_arrays() | {"out.weight": np.ones((2, 3)), "h0": np.ones((1, 3))}
    assert convert(catalogue["lstm"], more, "onnx").left == ("out.weight", "h0")
    pytest.importorskip("h5py")
    for file, said in (("net.weights.h5", "activations"), ("net.keras", "")):
        found = convert(catalogue["lstm"], read_arrays(FILES / file), "onnx", "both")
        assert found.unsaid[: len("activations")] == said
