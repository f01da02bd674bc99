"""Readers of other libraries' files: modules are named and chosen, damage ends in one line."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from library_files import FOLDER
from profiles import NIGHTLY

from derive import catalogue
from numeric.weights.formats.readers import READERS, read_arrays
from numeric.weights.mapping import map_weights, unused

LSTM = catalogue["lstm"]
FILES = (
    "net.pt", "two_layers.onnx", "one_gru.onnx", "jax.npz", "both_ways.tflite", "rounded.tflite",
    "loop_gru.tflite",
)  # fmt: skip


def message(call: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_several_modules_are_listed_with_their_cells_and_one_is_chosen() -> None:
    arrays = read_arrays(FOLDER / "net.pt")
    text = message(lambda: map_weights(LSTM, arrays))
    assert "--module NAME" in text
    assert "model.encoder.lstm (PyTorch, 2 layers, both directions, n = 2, m = 3: lstm)" in text
    assert "model.plain (PyTorch, n = 2, m = 3: rnn or irnn)" in text
    assert "projected_lstm" in text
    layers = map_weights(LSTM, arrays, "encoder.lstm")
    assert [layer.prefix for layer in layers][:2] == ["layer0.", "layer0.reverse."]
    assert layers[0].origin["W_fh"] == "rows of model.encoder.lstm.weight_hh_l0"
    left = unused(LSTM, arrays, "encoder.lstm")
    assert "model.norm.num_batches_tracked" in left
    assert "model.encoder.gru.weight_ih_l0" in left
    assert "no recurrent module of that name" in message(lambda: map_weights(LSTM, arrays, "gpt"))


def test_a_module_of_another_cell_is_refused_with_the_cell_it_is() -> None:
    arrays = read_arrays(FOLDER / "one_gru.onnx")
    assert "it is gru_reset_after" in message(lambda: map_weights(LSTM, arrays))
    arrays = read_arrays(FOLDER / "net.pt")
    text = message(lambda: map_weights(LSTM, arrays, "small"))
    assert "weight_hr: projected_lstm" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clip": 1.0}, "clip 1"),
        ({"input_forget": 1}, "coupled"),
        ({"activations": ["Relu", "Tanh", "Tanh"]}, "activations Relu, Tanh, Tanh"),
        ({"direction": "reverse"}, "from the last step"),
    ],
)
def test_attributes_that_no_cell_has_are_said(change: dict[str, Any], said: str) -> None:
    arrays = read_arrays(FOLDER / "two_layers.onnx")
    for module in arrays.modules.values():
        for layer in module["layers"]:
            layer.update(change)
    assert said in message(lambda: map_weights(LSTM, arrays))


class Runs:
    """An object whose pickle says what to call; nobody may call it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("called",))


def archive(path: Path, program: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", program)
    return path


def test_nothing_that_a_pickle_names_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (Runs(), {"weight_ih_l0": Runs()}, [Runs()], {"a": {"b": Runs()}}):
        path = archive(tmp_path / "w.pt", pickle.dumps(value, protocol=2))
        assert "w.pt" in message(lambda path=path: read_arrays(path))
    assert not capsys.readouterr().out


def test_a_tensor_that_looks_outside_of_its_storage_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(FOLDER / "net.pt") as whole,
        zipfile.ZipFile(tmp_path / "w.pt", "w") as cut,
    ):
        for name in whole.namelist():
            held = whole.read(name)
            cut.writestr(name, held[:4] if name.endswith("/data/0") else held)
    assert "fewer numbers" in message(lambda: read_arrays(tmp_path / "w.pt"))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (b"", "cut short"), (b"\x80\x02}", "cut short"), (b"\x80\x02.", "cut short"),
        (b"\x80\x02(", "cut short"), (b"\x80\x02u.", "cut short"), (b"\x80\x02\x94.", "cut short"),
        (b"\x80\x02]q\x00.", "no tensors"), (b"\x80\x02i__main__\nX\n.", "step INST"),
        (b"\x80\x02K\x01Q.", "cut short"), (b"\x80\x02}(X\x01\x00\x00\x00au.", "cut short"),
    ],
)  # fmt: skip
def test_programs_that_are_no_dictionary_end_in_a_line(
    tmp_path: Path, program: bytes, said: str
) -> None:
    assert said in message(lambda: read_arrays(archive(tmp_path / "w.pt", program)))


def test_what_is_no_state_dictionary_is_said_with_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "old.pt").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    assert "torch.save(state_dict" in message(lambda: read_arrays(tmp_path / "old.pt"))
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as file:
        file.writestr("a/data.pkl", b"")
        file.writestr("a/constants.pkl", b"")
    assert "torch.jit.load" in message(lambda: read_arrays(tmp_path / "script.pt"))
    program = b"\x80\x02c__main__\nNet\n)\x81}b."
    text = message(lambda: read_arrays(archive(tmp_path / "whole.pt", program)))
    assert "a whole Net" in text
    assert "state_dict()" in text


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_end_in_a_line_or_are_read(tmp_path: Path, name: str) -> None:
    whole = (FOLDER / name).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for turn in range(400 if NIGHTLY else 25):
        held = bytearray(whole)
        if turn % 2:
            del held[int(rng.integers(len(held))) :]
        for place in rng.integers(0, max(len(held), 1), 8 if held else 0):
            held[place] = rng.integers(256)
        path = tmp_path / f"{turn}{Path(name).suffix}"
        path.write_bytes(held)
        try:
            arrays = read_arrays(path)
            map_weights(LSTM, arrays)
        except ValueError as problem:
            refused += "\n" not in str(problem)
        else:
            refused += 1
    assert refused == turn + 1


def test_numbers_of_a_model_are_looked_for_beside_it_alone(tmp_path: Path) -> None:
    whole = bytearray((FOLDER / "rnn.onnx").read_bytes())
    assert b"layer" in whole

    def field(number: int, held: bytes) -> bytes:
        return bytes([number << 3 | 2, len(held)]) + held

    def model(location: str) -> bytes:
        entry = field(1, b"location") + field(2, location.encode())
        tensor = bytes([0x08, 1, 0x08, 2, 0x08, 3, 0x10, 1]) + field(8, b"W")
        tensor += field(13, entry) + bytes([0x70, 1])
        node = field(1, b"X") + field(1, b"W") + field(1, b"R") + field(4, b"RNN")
        return field(7, field(1, node) + field(5, tensor))

    (tmp_path / "numbers.bin").write_bytes(np.ones(6, "f4").tobytes())
    path = tmp_path / "w.onnx"
    path.write_bytes(model("numbers.bin"))
    assert np.array_equal(read_arrays(path)["RNN_0.W"], np.ones((1, 2, 3)))
    for elsewhere in ("../numbers.bin", "/etc/hostname", "", "..", "none.bin"):
        path.write_bytes(model(elsewhere))
        text = message(lambda: read_arrays(path))
        assert "beside the model" in text or "no such file" in text


def test_a_large_file_is_read_where_the_module_lies(tmp_path: Path) -> None:
    """A sparse file of two gigabytes: what is not asked for is not in memory."""
    held = {"big": ("F32", [1 << 29], 1 << 31)}
    small = {"weight_ih_l0": [8, 3], "weight_hh_l0": [8, 2], "bias_ih_l0": [8], "bias_hh_l0": [8]}
    held |= {f"lstm.{n}": ("F32", shape, 4 * int(np.prod(shape))) for n, shape in small.items()}
    header, at = {}, 0
    for name, (kind, shape, size) in held.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    before = resident()
    (layer,) = map_weights(LSTM, read_arrays(path))
    assert layer.parameters["W_fh"].shape == (2, 2)
    assert resident() - before < 100_000


def resident() -> int:
    """Kilobytes in memory."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0])


def test_every_suffix_is_named_where_none_fits(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"")
    text = message(lambda: read_arrays(tmp_path / "w.bin"))
    assert all(suffix in text for suffix in READERS)


@pytest.mark.parametrize("suffix", [s for s in READERS if s not in {".keras", ".h5"}])
def test_an_empty_file_and_one_of_text_are_refused(tmp_path: Path, suffix: str) -> None:
    for held in (b"", b"name,value\n" * 100):
        path = tmp_path / f"w{suffix}"
        path.write_bytes(held)
        assert path.name in message(lambda path=path: read_arrays(path))


def test_keras_links_and_missing_files_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    shutil.copy(FOLDER / "net.weights.h5", tmp_path / "other.weights.h5")
    for link in (h5py.SoftLink("/layers"), h5py.ExternalLink("other.weights.h5", "/layers")):
        path = tmp_path / "w.weights.h5"
        with h5py.File(path, "w") as file:
            file["layers"] = link
        assert "a link" in message(lambda path=path: read_arrays(path))
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as file:
        file.writestr("config.json", "{}")
    assert "model.weights.h5" in message(lambda: read_arrays(tmp_path / "w.keras"))
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"w{suffix}"
        path.write_bytes(io.BytesIO(b"text").getvalue())
        assert path.name in message(lambda path=path: read_arrays(path))
