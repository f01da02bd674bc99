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
from numeric import compile_cell
from numeric.weights.formats.readers import read_arrays
from numeric.weights.mapping import map_weights

SHIPPED = shipped()


def forward(sample: Sample, folder: Path) -> Any:
    """The last state's sequence of our code: layer after layer, both directions side by side."""
    if sample.file.endswith((".keras", ".h5")):
        pytest.importorskip("h5py")
    cell = catalogue[sample.cell]
    layers = map_weights(cell, read_arrays(folder / sample.file), sample.module)
    kernel, output = compile_cell(cell), cell.states[-1].name
    rows, below, depth = sample.x, [], 0
    for place, layer in enumerate(layers):
        given = rows[::-1] if layer.reverse else rows
        states, _ = kernel.forward(layer.parameters, {"x": np.ascontiguousarray(given)})
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


def test_gates_in_another_order_are_seen() -> None:
    sample = next(sample for sample in SHIPPED if sample.module == "model.encoder.gru")
    arrays = read_arrays(FOLDER / sample.file)
    name = "model.encoder.gru.weight_hh_l0"
    arrays[name] = np.roll(np.asarray(arrays[name]), 2, axis=0)
    (layer,) = map_weights(catalogue[sample.cell], arrays, sample.module)
    states, _ = compile_cell(catalogue[sample.cell]).forward(layer.parameters, {"x": sample.x})
    assert np.max(np.abs(states["h"] - sample.y)) > 1e-3
