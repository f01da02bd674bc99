"""Files for Keras: Keras opens them and computes our cells, and refuses them for other layers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import by_day
from weights_of_cells import layers_of, states_of

from derive import catalogue
from numeric.weights.formats import keras_writing
from numeric.weights.formats.readers import read_arrays
from numeric.weights.laid_out import KERAS, laid_out
from numeric.weights.layouts import KERAS as CELLS
from numeric.weights.mapping import map_weights
from numeric.weights.written import write_arrays

pytestmark = pytest.mark.filterwarnings("ignore")
SINGLE = {"gru", "rnn", "irnn"}  # Keras 3.15.1 multiplies their float64 matrices in float32
CASES = ((1, False), (1, True), (2, False), (2, True))


@pytest.fixture(scope="module")
def keras() -> Iterator[Any]:
    pytest.importorskip("torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    library = pytest.importorskip("keras")
    usual = library.config.floatx()
    library.config.set_floatx("float64")  # else a model makes float64 inputs float32
    yield library
    library.config.set_floatx(usual)


def model_of(keras: Any, said: str) -> Any:
    """The model that the sentence tells of, built by what it says."""
    return eval(said.partition(".load_weights")[0], {"keras": keras})


@pytest.mark.parametrize("kind", [".weights.h5", ".keras"])
@pytest.mark.parametrize("cell", by_day(tuple(CELLS), 3))
@pytest.mark.parametrize(("depth", "both"), by_day(CASES, 2))
def test_keras_computes_the_cell(
    keras: Any, tmp_path: Path, kind: str, cell: str, depth: int, both: bool
) -> None:
    layers = layers_of(cell, depth, both=both)
    arrays = laid_out(cell, layers, KERAS).arrays
    file = tmp_path / f"w{kind}"
    write_arrays(file, arrays)
    if kind == ".keras":
        model = keras.models.load_model(file)
    else:
        model = model_of(keras, keras_writing.weights_opened(arrays))
        model.load_weights(file)
    x = np.random.default_rng(1).normal(size=(5, 2, 3))
    got = model(x.swapaxes(0, 1)).detach().numpy().swapaxes(0, 1)
    want = states_of(cell, layers, x)
    assert got.shape == want.shape
    assert np.max(np.abs(got - want)) <= (1e-5 if cell in SINGLE else 1e-12) * np.max(np.abs(want))


def test_a_model_of_other_layers_refuses_the_file(keras: Any, tmp_path: Path) -> None:
    file = tmp_path / "w.weights.h5"
    write_arrays(file, laid_out("gru", layers_of("gru"), KERAS).arrays)
    layers = keras.layers
    for other in (layers.GRU(2), layers.GRU(3, reset_after=False), layers.LSTM(2),
                  layers.GRU(2, reset_after=False, use_bias=False)):  # fmt: skip
        with pytest.raises(ValueError, match="could not be loaded"):
            keras.Sequential([keras.Input((None, 3)), other]).load_weights(file)


@pytest.mark.parametrize("kind", [".weights.h5", ".keras"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both", [False, True])
def test_our_reader_has_the_weights_again(tmp_path: Path, kind: str, cell: str, both: bool) -> None:
    pytest.importorskip("h5py")
    layers = layers_of(cell, both=both)
    write_arrays(tmp_path / f"w{kind}", laid_out(cell, layers, KERAS).arrays)
    again = map_weights(catalogue[cell], read_arrays(tmp_path / f"w{kind}"))
    assert [layer.prefix for layer in again] == [layer.prefix for layer in layers]
    for layer, other in zip(layers, again, strict=True):
        for name, value in layer.parameters.items():
            assert np.array_equal(other.parameters[name], value)


def test_a_missing_library_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_writing, "h5py", None)
    with pytest.raises(ValueError, match=r"writing it needs h5py; run pip install 'bptt-toolkit\["):
        write_arrays(tmp_path / "w.keras", laid_out("rnn", layers_of("rnn"), KERAS).arrays)
    assert [*tmp_path.iterdir()] == []
