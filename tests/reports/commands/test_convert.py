"""`bptt convert`: files that other programs read, their mapping and the proof."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from numeric.weights import layouts
from numeric.weights.formats.readers import read_arrays
from numeric.weights.formats.stored import Arrays
from reports.cli import main

FILES = Path(__file__).parents[2] / "numeric" / "weights" / "files"


def test_a_file_its_mapping_and_the_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "w.safetensors"
    words = ["convert", str(FILES / "peepholes.onnx"), str(made), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "bptt.convert/1"
    assert found["cell"] == "peephole_lstm"
    assert found["proof"]["error_probability"] < 1e-15
    assert {*read_arrays(made)} == {*found["map"]} == {*found["shapes"]}
    assert main(words) == 2
    assert "there is a file; name another, or write over it with --force" in capsys.readouterr().err
    again = tmp_path / "again.npz"
    assert main(["convert", str(made), str(again), "--cell", "peephole_lstm"]) == 0
    for name, value in read_arrays(again).items():
        assert np.array_equal(value, read_arrays(made)[name])


def test_what_is_left_out_is_said_and_what_is_taken_for_granted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("h5py")
    words = ["convert", str(FILES / "net.weights.h5"), str(tmp_path / "w.pt"), "--module", "both"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "does not say: activations, which way a layer runs, how directions are joined" in out
    assert "\nnot in it: layers/" in out
    assert main([*words, "--force", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["assumed"].startswith("activations")
    assert found["left_out"]


def test_a_state_that_a_layer_begins_in_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned, or computed: what is written has no place for it."""
    words = ["convert", str(FILES / "rnn.onnx"), str(tmp_path / "w.npz"), "--force"]

    def begun(path: Path) -> Arrays:
        arrays = read_arrays(path)
        if path.suffix == ".onnx":
            arrays.modules["layer"]["layers"][0]["starts"] = {"initial_h": "h0"}
        return arrays

    for read, says in ((read_arrays, False), (begun, True)):
        monkeypatch.setattr("reports.commands.convert.read_arrays", read)
        assert main(words) == 0
        line = "\ninitial_h of layer is h0: what is written starts at zeros unless it is given that"
        assert (line in capsys.readouterr().out) == says
        assert main([*words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["starts"]
        assert found == ("initial_h of layer is h0" if says else None)


@pytest.mark.parametrize(("source", "target", "named"), [
    ("none.pt", "w.npz", "none.pt"), ("../files/net.pt", "none/w.npz", "w.npz"),
])  # fmt: skip
def test_what_cannot_be_read_or_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, named: str
) -> None:
    words = [str(FILES / source), str(tmp_path / target), "--module", "encoder.lstm"]
    assert main(["convert", *words]) == 2
    assert f"{named}: No such file or directory" in capsys.readouterr().err


def test_what_is_not_proved_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    r, z, h = layouts.TORCH["gru_reset_after"]
    monkeypatch.setitem(layouts.TORCH, "gru_reset_after", (z, r, h))
    words = ["convert", str(FILES / "net.pt"), str(tmp_path / "w.npz"), "--module", "encoder.gru"]
    assert main(words) == 2
    assert "not the same function, so nothing is written" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("words", "file", "said"),
    [
        (["gru_before.onnx"], "w.weights.h5",
         "keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(2, reset_after=False, "
         "return_sequences=True)]).load_weights takes it"),
        (["net.pt", "--module", "encoder.lstm"], "w.keras",
         "keras.models.load_model opens it: keras.layers.Bidirectional(keras.layers.LSTM(2"),
        (["net.pt", "--module", "plain", "--cell", "irnn"], "w.onnx",
         "an ONNX model of opset 14: from X (T, B, 3), initial_h (1, B, 2) to Y (T, 1, B, 2)"),
        (["jax.npz", "--module", "eqx.LSTMCell"], "w.onnx",
         "entries are rounded to float32 by at most"),
    ],
)  # fmt: skip
def test_a_frameworks_file_says_what_opens_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], file: str, said: str
) -> None:
    if not file.endswith(".onnx"):
        pytest.importorskip("h5py")
    given, made = [str(FILES / words[0]), *words[1:]], str(tmp_path / file)
    assert main(["convert", given[0], made, *given[1:]]) == 0
    assert said in capsys.readouterr().out
    assert main(["convert", given[0], made, *given[1:], "--force", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {*found["map"]} <= {*read_arrays(tmp_path / file)}
    assert found["layout"] == {"w.onnx": "onnx"}.get(file, "keras")
    assert found["opened"]


def test_a_frameworks_wrong_order_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, reset, new = layouts.ONNX["gru_reset_after"]
    monkeypatch.setitem(layouts.ONNX, "gru_reset_after", (reset, keep, new))
    words = ["convert", str(FILES / "net.pt"), str(tmp_path / "w.onnx"), "--module", "encoder.gru"]
    assert main(words) == 2
    assert "ONNX and PyTorch differ" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_what_a_file_has_no_place_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peepholes = str(FILES / "peepholes.onnx")
    for words, said in (
        (["w.keras"], "not peephole_lstm, whose p_i, p_o, p_f have no place there: write .npz"),
        (["w.pt"], "PyTorch has one of rnn, irnn, lstm, gru_reset_after, not peephole_lstm"),
        (
            ["w.keras", "--layout", "ours"],
            "has names of the layout keras, not ours: leave --layout away, or write .npz",
        ),
        (["w.npz", "--layout", "onnx"], "names of the layout ours or pytorch, not onnx: leave"),
        (["w.h5"], "came '.h5'; Keras reads w.weights.h5"),
        (["w.tflite"], "expected a name that ends in .npz"),
    ):
        made = str(tmp_path / words[0])
        assert main(["convert", peepholes, made, *words[1:]]) == 2
        assert said in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_which_module_and_which_cell_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = str(tmp_path / "w.npz")
    assert main(["convert", str(FILES / "net.pt"), made]) == 2
    assert "choose one with --module NAME" in capsys.readouterr().err
    assert main(["convert", str(FILES / "net.pt"), made, "--module", "plain"]) == 2
    assert "rnn or irnn); say which with --cell" in capsys.readouterr().err
    assert main(["convert", str(FILES / "net.pt"), str(tmp_path / "w.bin")]) == 2
    assert "expected a name that ends in .npz" in capsys.readouterr().err


def test_arrays_in_parts_and_modules_in_folders_are_found_without_a_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, made = np.random.default_rng(0), str(tmp_path / "made.npz")
    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0_v": (12, 3), "weight_hh_l0_g": (12, 1)}
    normed = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    np.savez(tmp_path / "normed.npz", **normed)
    assert main(["convert", str(tmp_path / "normed.npz"), made]) == 0
    shapes = {f"{side}{gate}/kernel": (3, 3) for side in "ih" for gate in "ifgo"}
    flax = {f"params/{cell}/{name}": rng.normal(size=shape) for name, shape in shapes.items()
            for cell in ("one", "two")}  # fmt: skip
    np.savez(tmp_path / "flax.npz", **flax)
    words = ["convert", str(tmp_path / "flax.npz"), made, "--force", "--module"]
    assert main([*words, "two"]) == 0
    assert main([*words, "three"]) == 2
    assert "no recurrent module of that name; there are params/one" in capsys.readouterr().err
