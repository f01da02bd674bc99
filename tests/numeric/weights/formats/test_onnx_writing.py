"""ONNX models of nodes: onnx finds them valid, and who runs them computes our cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import by_day
from weights_of_cells import layers_of, states_of

from derive import catalogue
from numeric.weights.formats import onnx_writing
from numeric.weights.formats.readers import read_arrays
from numeric.weights.formats.stored import Arrays
from numeric.weights.laid_out import ONNX, laid_out
from numeric.weights.layouts import ONNX as CELLS
from numeric.weights.mapping import map_weights
from numeric.weights.written import write_arrays

CASES = ((1, False), (1, True), (2, False), (3, True))


def written(folder: Path, cell: str, depth: int, both: bool, kind: Any) -> tuple[Path, Any]:
    layers = layers_of(cell, depth, both=both)
    arrays = laid_out(cell, layers, ONNX).arrays
    assert isinstance(arrays, Arrays)
    cast = Arrays({name: np.asarray(value, kind) for name, value in arrays.items()}, arrays.modules)
    write_arrays(folder / "w.onnx", cast)
    return folder / "w.onnx", layers


def fed(shapes: dict[str, Any], x: Any, kind: Any) -> dict[str, Any]:
    zeros = {name: np.zeros([2 if one == "B" else one for one in shape], kind)
             for name, shape in shapes.items() if name != "X"}  # fmt: skip
    return {"X": np.asarray(x, kind), **zeros}


def side_by_side(Y: Any) -> Any:
    """(T, ways, B, n) as one array of states, (T, B, ways · n)."""
    return np.concatenate(np.moveaxis(Y, 1, 0), axis=2)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("depth", "both"), by_day(CASES, 2))
def test_onnxruntime_computes_the_cell(tmp_path: Path, cell: str, depth: int, both: bool) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    file, layers = written(tmp_path, cell, depth, both, np.float32)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(5, 2, 3))
    given = fed({one.name: one.shape for one in session.get_inputs()}, x, np.float32)
    Y = session.run(["Y"], given)[0]
    want = states_of(cell, layers, x)
    assert np.max(np.abs(side_by_side(Y) - want)) <= 1e-6 * np.max(np.abs(want))


@pytest.mark.parametrize("cell", [name for name in CELLS if name != "irnn"])
@pytest.mark.parametrize(("depth", "both"), by_day(CASES, 2))
def test_the_reference_computes_the_cell(tmp_path: Path, cell: str, depth: int, both: bool) -> None:
    """In float64; of the activation Relu it knows none."""
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    file, layers = written(tmp_path, cell, depth, both, np.float64)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    x = np.random.default_rng(1).normal(size=(5, 2, 3))
    shapes = {one.name: [d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim]
              for one in model.graph.input}  # fmt: skip
    Y = reference.ReferenceEvaluator(model).run(["Y"], fed(shapes, x, np.float64))[0]
    want = states_of(cell, layers, x)
    assert np.max(np.abs(side_by_side(Y) - want)) <= 1e-12 * np.max(np.abs(want))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("depth", "both"), CASES)
def test_our_reader_has_the_weights_again(
    tmp_path: Path, cell: str, depth: int, both: bool
) -> None:
    file, layers = written(tmp_path, cell, depth, both, np.float64)
    again = map_weights(catalogue[cell], read_arrays(file))
    assert [layer.prefix for layer in again] == [layer.prefix for layer in layers]
    for layer, other in zip(layers, again, strict=True):
        for name, value in layer.parameters.items():
            assert np.array_equal(other.parameters[name], value)


def test_weights_beyond_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_writing, "LARGEST", 1 << 20)
    with pytest.raises(ValueError, match=r"more than an ONNX model holds in one file: write \.saf"):
        write_arrays(tmp_path / "w.onnx", laid_out("rnn", layers_of("rnn"), ONNX).arrays)
