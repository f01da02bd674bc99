"""Files that read as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weights_of_cells import layers_of

from numeric.weights.formats.readers import read_arrays
from numeric.weights.formats.stored import Arrays
from numeric.weights.laid_out import KERAS, ONNX, laid_out
from numeric.weights.written import FORMATS, ending, reads_as, write_arrays


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_a_file_reads_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    given = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32([1.5])}
    write_arrays(tmp_path / f"w{suffix}", given)
    found = read_arrays(tmp_path / f"w{suffix}")
    assert {name: np.asarray(value).tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in given.items()
    }


def test_pytorch_reads_its_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    given = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32([1.5]), "c": np.float64(2.0)}
    write_arrays(tmp_path / "w.pt", given)
    found = torch.load(tmp_path / "w.pt", weights_only=True)
    assert {name: value.numpy().tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in given.items()
    }
    assert {name: value.numpy().dtype for name, value in found.items()} == {
        name: value.dtype for name, value in given.items()
    }


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("w.h5", "w", ".npz", ".weights.h5"):
        with pytest.raises(ValueError, match=r"expected a name that ends in \.npz, \.safetensors"):
            write_arrays(tmp_path / name, {})
    assert [ending(tmp_path / f"a.b{kind}") for kind in FORMATS] == [*FORMATS]


def test_what_decides_on_the_function_is_read_again_too(tmp_path: Path) -> None:
    """The arrays are the same; an attribute or a setting is another."""
    model = laid_out("gru", layers_of("gru"), ONNX).arrays
    assert isinstance(model, Arrays)
    write_arrays(tmp_path / "w.onnx", model)
    assert reads_as(read_arrays(tmp_path / "w.onnx"), model, "gru") == ""
    model.modules["gru"]["layers"][0]["linear_before_reset"] = 1
    write_arrays(tmp_path / "w.onnx", model)
    assert "reads as gru" in reads_as(read_arrays(tmp_path / "w.onnx"), model, "gru")
    pytest.importorskip("h5py")
    saved = laid_out("gru", layers_of("gru"), KERAS).arrays
    assert isinstance(saved, Arrays)
    write_arrays(tmp_path / "w.keras", saved)
    assert reads_as(read_arrays(tmp_path / "w.keras"), saved, "gru") == ""
    saved.modules["layers/gru"]["activation"] = "relu"
    write_arrays(tmp_path / "w.keras", saved)
    assert "activation 'relu'" in reads_as(read_arrays(tmp_path / "w.keras"), saved, "gru")
    assert "layers/gru/cell/vars/0 reads otherwise" in reads_as({}, saved, "gru")
