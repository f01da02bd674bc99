"""TensorFlow Lite's files: what an operator's options and tensors say, and what is refused."""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite_models as lite
from library_sample import FOLDER

from derive import catalogue
from derive.cell import cell_of
from numeric.weights.formats import tflite
from numeric.weights.formats.stored import Arrays
from numeric.weights.formats.tflite_graph import RECURRENT, model_of
from numeric.weights.mapping import map_weights, unused
from numeric.weights.modules import modules_of

FILES = sorted(FOLDER.glob("*.tflite"))


def written(folder: Path, held: bytes) -> Arrays:
    path = folder / "m.tflite"
    path.write_bytes(held)
    return tflite.read(path)


def lstm(folder: Path, code: int = lite.SEQUENCE_LSTM, **more: Any) -> Arrays:
    model = lite.Model()
    shape = (2, 3) if code == lite.LSTM else (2, 5, 3)
    return written(
        folder, model.write(lite.Operators(model).lstm(model.input(*shape), code, **more))
    )


def test_operators_are_listed_with_their_shapes_and_cells() -> None:
    arrays = tflite.read(FOLDER / "operators.tflite")
    with pytest.raises(ValueError, match="9 recurrent modules; choose one with --module") as caught:
        map_weights(catalogue["lstm"], arrays)
    assert "LSTM_2 (TFLite, n = 3, m = 3: projected_lstm)" in str(caught.value)
    (layer,) = map_weights(catalogue["coupled_lstm"], arrays, "LSTM_3")
    assert layer.origin["W_fh"] == "LSTM_3.recurrent_to_forget"
    left = unused(catalogue["coupled_lstm"], arrays, "LSTM_3")
    assert "LSTM_0.input_to_input" in left
    assert not any(name.startswith("LSTM_3.") for name in left)


def test_layers_and_directions_are_found_by_who_feeds_whom() -> None:
    (module,) = modules_of(tflite.read(FOLDER / "two_lstms.tflite"))
    assert (module.depth, module.both, module.sizes) == (2, False, (4, 3))
    (module,) = modules_of(tflite.read(FOLDER / "both_ways.tflite"))
    assert (module.depth, module.both) == (1, True)
    assert module.text == "LSTM_3 (TFLite, both directions, n = 2, m = 3: tflite_lstm_clip_10)"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cell_clip": 1.5}, "cell_clip 1.5: its cell state is clipped"),
        ({"cell_clip": 10.0, "peepholes": True},
         "peepholes and a clipped cell state together (cell_clip 10)"),
        ({"p": 2, "proj_clip": 0.5}, "proj_clip 0.5: its projection is clipped"),
        ({"p": 2, "projection_bias": True}, "a projection with a bias"),
        ({"coupled": True, "peepholes": True}, "peepholes and coupled gates together"),
        ({"coupled": True, "p": 2}, "a projection and coupled gates together"),
        ({"norms": True}, "layer normalisation of each gate"),
        ({"diagonal": True}, "diagonal_recurrent_tensors: vectors in place of matrices"),
        ({"activation": lite.RELU}, "activation RELU"),
        ({"activation": 0}, "activation NONE"),
        ({"activation": 17}, "activation of number 17"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("code", [lite.LSTM, lite.SEQUENCE_LSTM, lite.BOTH_LSTM])
def test_what_no_cell_computes_is_said(
    tmp_path: Path, code: int, more: dict[str, Any], said: str
) -> None:
    if {"norms", "diagonal"} & {*more} and code != lite.SEQUENCE_LSTM:
        return  # the others have no such options
    shape = {lite.LSTM: (2, 3), lite.BOTH_LSTM: (5, 2, 3)}.get(code, (2, 5, 3))
    model = lite.Model()
    out = lite.Operators(model).lstm(model.input(*shape), code, **{"n": 4, **more})
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.cells == ()
    assert module.why_not == said
    assert module.sizes == (4, 3)
    with pytest.raises(ValueError, match="is no lstm: "):
        map_weights(catalogue["lstm"], tflite.read(tmp_path / "m.tflite"))


def test_a_clip_of_converted_layers_is_the_cell_that_clips(tmp_path: Path) -> None:
    arrays = lstm(tmp_path, cell_clip=10.0)
    with pytest.raises(ValueError, match="is no lstm: it is tflite_lstm_clip_10"):
        map_weights(catalogue["lstm"], arrays)
    (layer,) = map_weights(cell_of("tflite_lstm_clip_10"), arrays)
    assert np.array_equal(layer.parameters["W_fx"], arrays["LSTM_0.input_to_forget"])


@pytest.mark.parametrize("activation", [0, 2, 3, 5])
def test_activations_of_other_networks_are_said(tmp_path: Path, activation: int) -> None:
    model = lite.Model()
    out = lite.Operators(model).rnn(model.input(2, 5, 3), activation=activation)
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.why_not == f"activation {tflite.ACTIVATIONS[activation]}"


def test_a_projections_bias_of_zeros_adds_nothing(tmp_path: Path) -> None:
    class Zero(lite.Operators):
        def numbers(self, shape: Any, data: Any) -> int:
            return super().numbers(shape, data * (tuple(shape) != (2,)))

    model = lite.Model()
    out = Zero(model).lstm(model.input(2, 5, 3), n=4, p=2, projection_bias=True)
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.cells == ("projected_lstm",)


def test_the_basic_kernel_and_a_second_input_are_refused(tmp_path: Path) -> None:
    model = lite.Model()
    x = model.input(2, 3)
    given = [x, model.tensor((2, 2)), model.tensor((8, 5), np.zeros((8, 5))),
             model.tensor((8,), np.zeros(8)), model.tensor((2, 2))]  # fmt: skip
    out = model.operator(lite.LSTM, given, (2, 2), {0: ("b", lite.TANH), 3: ("b", 1)})
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.why_not.startswith("the kernel type BASIC")
    model = lite.Model()
    x = model.input(5, 2, 3)
    out = lite.Operators(model).lstm(x, lite.BOTH_LSTM)
    model.operators[0][1][39] = x
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.why_not == "a second input beside the first"


# ---- numbers ---------------------------------------------------------------------------------


def quantised(folder: Path, **more: Any) -> Arrays:
    """An RNN whose matrix beside the input, (3, 4), is kept as the arguments say."""
    model = lite.Model()
    x = model.input(2, 5, 4)
    held = {"data": np.arange(12).reshape(3, 4) - 5, "kind": "i1", **more}
    given = [x, model.tensor((3, 4), **held), model.tensor((3, 3), np.eye(3)),
             model.tensor((3,), np.zeros(3)), model.tensor((2, 3), variable=True)]  # fmt: skip
    options = {1: ("b", lite.TANH)}
    return written(
        folder, model.write(model.operator(lite.SEQUENCE_RNN, given, (2, 5, 3), options))
    )


@pytest.mark.parametrize(
    ("scale", "zero", "axis"), [(0.1, 3, 0), ([0.1, 0.2, 0.3], [0, 1, 2], 0), ([0.5] * 4, 0, 1)]
)
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "i4"])
def test_whole_numbers_are_what_their_scale_says(
    tmp_path: Path, kind: str, scale: Any, zero: Any, axis: int
) -> None:
    q = np.arange(12).reshape(3, 4)
    arrays = quantised(tmp_path, data=q, kind=kind, scale=scale, zero=zero, axis=axis)
    along = (3, 1) if axis == 0 else (1, 4)
    scales = np.float64(np.broadcast_to(np.atleast_1d(np.float32(scale)), along[0] * along[1]))
    wanted = scales.reshape(along) * (q - np.reshape(np.broadcast_to(zero, scales.shape), along))
    (layer,) = map_weights(catalogue["rnn"], arrays)
    assert np.array_equal(layer.parameters["U"], wanted)
    said = {"i1": "int8", "u1": "uint8", "i2": "int16", "i4": "int32"}[kind]
    name = f"RNN_0.input_weights ({said}, scale·(q − zero point))"
    assert layer.origin["U"] == f"rows of {name}"
    assert modules_of(arrays)[0].text == f"RNN_0 (TFLite, n = 3, m = 4, quantised to {said}: rnn)"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sparse": True, "kind": "f4"}, "numbers of a sparse tensor"),
        ({"scale": [0.1, 0.2]}, "numbers quantised by 2 scales along axis 0"),
        ({"scale": [0.1] * 3, "axis": 7}, "numbers quantised by 3 scales along axis 7"),
        ({"data": None}, "numbers that the graph computes"),
    ],
)
def test_numbers_that_are_not_there_are_refused_by_name(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    (module,) = modules_of(quantised(tmp_path, **more))
    assert module.why_not == f"RNN_0.input_weights: expected numbers, came {said}"


@pytest.mark.parametrize("change", [{3: np.zeros(2, "<i8")}, {4: ("B", 1), 5: {}}])
def test_a_quantisation_that_is_not_known_is_refused(
    tmp_path: Path, change: dict[int, Any]
) -> None:
    """Zero points of another count than the scales, and a quantisation of somebody's own."""
    model = lite.Model()
    x, W = model.input(2, 5, 4), model.tensor((3, 4), np.zeros((3, 4)), "i1", scale=[0.1] * 3)
    model.tensors[W][4] |= change
    given = [x, W, *(model.tensor(s, np.ones(s)) for s in ((3, 3), (3,))), model.tensor((2, 3))]
    out = model.operator(lite.SEQUENCE_RNN, given, (2, 5, 3), {1: ("b", lite.TANH)})
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.why_not.endswith("numbers quantised by 3 scales along axis 0")


def test_whole_numbers_without_a_scale_are_no_weights(tmp_path: Path) -> None:
    arrays = quantised(tmp_path)
    with pytest.raises(ValueError, match=r"RNN_0\.input_weights: expected floating.*came int8"):
        map_weights(catalogue["rnn"], arrays)


def test_a_type_that_numpy_has_not_is_refused_by_name(tmp_path: Path) -> None:
    model = lite.Model()
    given = [model.input(2, 5, 4), *(model.tensor(s, np.ones(s)) for s in ((3, 4), (3, 3), (3,)))]
    model.tensors[given[1]][1] = ("b", 17)
    out = model.operator(lite.SEQUENCE_RNN, [*given, model.tensor((2, 3))], (2, 5, 3),
                         {1: ("b", lite.TANH)})  # fmt: skip
    (module,) = modules_of(written(tmp_path, model.write(out)))
    assert module.why_not.endswith("input_weights: expected numbers, came four-bit integers")


def test_weights_of_half_a_gate_or_of_other_shapes_are_refused(tmp_path: Path) -> None:
    for place, said in (
        (1, "LSTM_0.input_to_input is missing"), (7, "LSTM_0.recurrent_to_cell is missing"),
        (10, "peepholes of cell_to_input and cell_to_output alone"),
    ):  # fmt: skip
        model = lite.Model()
        out = lite.Operators(model).lstm(model.input(2, 5, 3), peepholes=True)
        model.operators[0][1][place] = -1
        (module,) = modules_of(written(tmp_path, model.write(out)))
        assert module.why_not == said
    for place, shape in ((2, (3, 2)), (6, (4, 1)), (13, (2, 1)), (10, (1, 2))):
        model = lite.Model()
        out = lite.Operators(model).lstm(model.input(2, 5, 3), peepholes=True)
        model.tensors[model.operators[0][1][place]][0] = np.array(shape, "<i4")
        (module,) = modules_of(written(tmp_path, model.write(out)))
        assert "expected the shape" in module.why_not


# ---- files -----------------------------------------------------------------------------------


def test_a_model_without_such_operators_is_refused_with_what_to_keep(tmp_path: Path) -> None:
    model = lite.Model()
    held = model.write(model.operator(28, [model.input(2, 3)], (2, 3)))
    with pytest.raises(ValueError, match=r"m\.tflite: expected an operator .* keep the \.ker"):
        written(tmp_path, held)


def test_numbers_of_other_tensors_are_none_of_a_frameworks_names(tmp_path: Path) -> None:
    model = lite.Model()
    out = lite.Operators(model).rnn(model.input(2, 5, 3))
    for name, shape in (("weight_ih_l0", (2, 3)), ("weight_hh_l0", (2, 2)), ("W", (2, 2)),
                        ("layers/lstm/cell/vars/0", (3, 8)), ("i.kernel", (3, 2))):  # fmt: skip
        model.tensor(shape, np.ones(shape), name=name)
    arrays = written(tmp_path, model.write(out))
    assert "weight_ih_l0 (tensor 6)" in arrays
    assert [module.name for module in modules_of(arrays)] == ["RNN_0"]
    assert len(map_weights(catalogue["rnn"], arrays)) == 1


def test_a_large_model_is_read_where_the_module_lies(tmp_path: Path) -> None:
    """A sparse file of a gigabyte: what is not asked for is not in memory."""
    model = lite.Model()
    out = lite.Operators(model).rnn(model.input(2, 5, 3))
    model.tensor((1 << 28,), [0.0], name="embedding")
    held = bytearray(model.write(out))
    struct.pack_into("<I", held, held.rindex(struct.pack("<I", 4)), 1 << 30)
    path = tmp_path / "m.tflite"
    with path.open("wb") as file:
        file.write(held)
        file.truncate(len(held) + (1 << 30))
    before = resident()
    arrays = tflite.read(path)
    assert len(map_weights(catalogue["rnn"], arrays)) == 1
    assert arrays["embedding (tensor 6)"].shape == (1 << 28,)
    assert resident() - before < 50_000


def resident() -> int:
    """Kilobytes in memory."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_numbers_of_fields_are_the_schemas(path: Path) -> None:
    """Read once more by code that was generated from the schema."""
    schema = pytest.importorskip("tflite")
    held = path.read_bytes()
    other, ours = schema.Model.GetRootAs(held, 0), model_of(np.frombuffer(held, np.uint8))
    assert len(ours.graphs) == other.SubgraphsLength()
    for k, graph in enumerate(ours.graphs):
        theirs = other.Subgraphs(k)
        assert list(graph.outputs) == theirs.OutputsAsNumpy().tolist()
        for place, tensor in enumerate(graph.tensors):
            one = theirs.Tensors(place)
            shape = one.ShapeAsNumpy().tolist() if one.ShapeLength() else []
            assert (tensor.name.encode(), list(tensor.shape), tensor.kind, tensor.buffer) == (
                one.Name(), shape, one.Type(), one.Buffer())  # fmt: skip
            assert tensor.sparse == (one.Sparsity() is not None)
            count = other.Buffers(tensor.buffer).DataLength()
            assert len(ours.buffers[tensor.buffer]) == count
        for operator in graph.operators:
            one = theirs.Operators(operator.place)
            code = other.OperatorCodes(one.OpcodeIndex())
            assert operator.kind == max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
            assert list(operator.inputs) == one.InputsAsNumpy().tolist()
            if operator.kind in RECURRENT:
                _same_options(operator, one)


def _same_options(operator: Any, one: Any) -> None:
    names = {16: "LSTM", 24: "RNN", 35: "SequenceRNN", 44: "UnidirectionalSequenceLSTM",
            46: "BidirectionalSequenceRNN", 52: "BidirectionalSequenceLSTM"}  # fmt: skip
    options = getattr(importlib.import_module("tflite"), f"{names[operator.kind]}Options")()
    options.Init(one.BuiltinOptions().Bytes, one.BuiltinOptions().Pos)
    fields = {"activation": "FusedActivationFunction", "cell_clip": "CellClip",
             "proj_clip": "ProjClip", "basic": "KernelType", "time_major": "TimeMajor",
             "merged": "MergeOutputs", "diagonal": "DiagonalRecurrentTensors"}  # fmt: skip
    for name, value in operator.options.items():
        assert value == getattr(options, fields[name])(), name
