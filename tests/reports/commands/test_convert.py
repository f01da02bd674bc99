"""`bptt convert`: files that other programs read, their mapping and the proof."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from numeric.weights import layouts
from numeric.weights.formats.readers import read_arrays
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


def test_what_is_not_proved_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    r, z, h = layouts.TORCH["gru_reset_after"]
    monkeypatch.setitem(layouts.TORCH, "gru_reset_after", (z, r, h))
    words = ["convert", str(FILES / "net.pt"), str(tmp_path / "w.npz"), "--module", "encoder.gru"]
    assert main(words) == 2
    assert "not the same function, so nothing is written" in capsys.readouterr().err
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
