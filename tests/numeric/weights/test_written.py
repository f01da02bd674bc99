"""Parameters under the names of a layout, and files that read as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from derive import catalogue
from numeric.weights.formats.readers import read_arrays
from numeric.weights.mapping import map_weights
from numeric.weights.written import OURS, PYTORCH, laid_out, write_arrays


def lstm_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": 12, "bias_hh_l0": 12}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_each_array_says_what_it_is_made_of() -> None:
    layers = map_weights(catalogue["lstm"], lstm_arrays())
    ours = laid_out("lstm", layers, OURS)
    assert ours.origin["layer0.W_fx"] == "rows of weight_ih_l0"
    theirs = laid_out("lstm", layers, PYTORCH)
    assert theirs.origin["weight_hh_l0"] == "W_ih, W_fh, W_ch, W_oh below each other"
    assert theirs.origin["bias_hh_l0"] == "0"
    assert np.array_equal(theirs.arrays["weight_ih_l0"], lstm_arrays()["weight_ih_l0"])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_a_file_reads_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    given = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32([1.5])}
    write_arrays(tmp_path / f"w{suffix}", suffix, given)
    found = read_arrays(tmp_path / f"w{suffix}")
    assert {name: np.asarray(value).tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in given.items()
    }


def test_pytorch_reads_its_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    given = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32([1.5]), "c": np.float64(2.0)}
    write_arrays(tmp_path / "w.pt", ".pt", given)
    found = torch.load(tmp_path / "w.pt", weights_only=True)
    assert {name: value.numpy().tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in given.items()
    }
    assert {name: value.numpy().dtype for name, value in found.items()} == {
        name: value.dtype for name, value in given.items()
    }


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one of \.npz, \.safetensors, \.pt"):
        write_arrays(tmp_path / "w.h5", ".h5", {})


def test_a_cell_that_pytorch_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="PyTorch has one of"):
        laid_out("gru", [], PYTORCH)
