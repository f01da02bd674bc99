"""Files that other libraries wrote compute here what they compute there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from library_files import FOLDER, MAKERS, Sample, shipped
from profiles import night_alone

from derive import catalogue
from derive.cell import cell_of
from numeric import compile_cell
from numeric.weights import layouts
from numeric.weights.formats.readers import read_arrays
from numeric.weights.mapping import map_weights

SHIPPED = shipped()


def forward(sample: Sample, folder: Path) -> Any:
    """The last state's sequence of our code: layer after layer, both directions side by side."""
    if sample.file.endswith((".keras", ".h5")):
        pytest.importorskip("h5py")
    cell = cell_of(sample.cell)
    layers = map_weights(cell, read_arrays(folder / sample.file), sample.module)
    kernel, output = compile_cell(cell), cell.states[-1].name
    rows, below, depth = sample.x, [], 0
    for place, layer in enumerate(layers):
        given = rows[::-1] if layer.reverse else rows
        states, _ = kernel.forward(layer.parameters, {"x": np.ascontiguousarray(given, np.float64)})
        found = states[output]
        below.append(found[::-1] if layer.reverse else found)
        last = place + 1 == len(layers)
        if last or not layers[place + 1].reverse:
            rows, below, depth = np.concatenate(below, axis=2), [], depth + 1
    return rows


def agree(sample: Sample, folder: Path) -> None:
    got = forward(sample, folder)
    assert got.shape == sample.y.shape
    assert np.max(np.abs(got - sample.y)) <= sample.close * np.max(np.abs(sample.y))


@pytest.mark.parametrize("sample", SHIPPED, ids=lambda sample: sample.name)
def test_shipped_files_compute_what_their_library_computed(sample: Sample) -> None:
    agree(sample, FOLDER)


@night_alone
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", MAKERS)
def test_files_written_now_compute_what_their_library_computes(
    tmp_path: Path, library: str
) -> None:
    make, needs = MAKERS[library]
    for name in needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"without {name}")
    for sample in make(tmp_path):
        agree(sample, tmp_path)


@pytest.mark.parametrize("place", range(4))
def test_another_order_of_operands_is_seen(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """TensorFlow Lite has an operand for each gate: no two of them can change places."""
    sample = next(sample for sample in SHIPPED if sample.file == "both.tflite")
    gates = [*layouts.TFLITE["lstm"]]
    gates[place - 1], gates[place] = gates[place], gates[place - 1]
    monkeypatch.setitem(layouts.TFLITE, "lstm", tuple(gates))
    got = forward(sample, FOLDER)
    assert np.max(np.abs(got - sample.y)) > 1e-3


def test_a_clip_that_is_reached_is_seen() -> None:
    """A plain LSTM with the weights of one that clips computes something else than the library."""
    sample = next(sample for sample in SHIPPED if sample.file == "clipped.tflite")
    (layer,) = map_weights(cell_of(sample.cell), read_arrays(FOLDER / sample.file))
    x = {"x": np.asarray(sample.x, np.float64)}
    clipped, _ = compile_cell("tflite_lstm_clip_10").forward(layer.parameters, x)
    assert np.max(clipped["c"]) == 10
    assert np.max(np.abs(clipped["h"] - sample.y)) <= sample.close
    plain, _ = compile_cell("lstm").forward(layer.parameters, x)
    assert np.max(plain["c"]) > 12
    assert np.max(np.abs(plain["h"] - sample.y)) > 0.1


def test_gates_in_another_order_are_seen() -> None:
    sample = next(sample for sample in SHIPPED if sample.module == "model.encoder.gru")
    arrays = read_arrays(FOLDER / sample.file)
    name = "model.encoder.gru.weight_hh_l0"
    arrays[name] = np.roll(np.asarray(arrays[name]), 2, axis=0)
    (layer,) = map_weights(catalogue[sample.cell], arrays, sample.module)
    states, _ = compile_cell(catalogue[sample.cell]).forward(layer.parameters, {"x": sample.x})
    assert np.max(np.abs(states["h"] - sample.y)) > 1e-3
