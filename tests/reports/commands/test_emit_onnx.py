"""`bptt emit --target onnx`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from numeric.compiler.to_onnx.graph import onnx
from reports.cli import main

with_onnx = pytest.mark.skipif(onnx is None, reason="onnx is not installed")


@with_onnx
def test_a_model_is_run_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "rnn.onnx"
    words = ["emit", "rnn", "--target", "onnx", "-o", str(made), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["target"] == "onnx"
    assert found["difference"] < 1e-12
    assert onnx.load(made).producer_name == "bptt-toolkit"
    assert main(words) == 0  # its own file
    made.write_bytes(b"something else")
    assert main(words) == 2
    assert made.read_bytes() == b"something else"


def test_what_a_model_has_no_place_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ["-o", str(tmp_path / "w.onnx")]
    for words, said in (
        ([], "say where to write it with -o FILE.onnx"),
        (["-o", str(tmp_path / "w.py")], "say where to write it with -o FILE.onnx"),
        ([*made, "--layers", "2", "--readout", "softmax"], "no network"),
        ([*made, "--checkpoint", "3"], "no --checkpoint"),
        ([*made, "--main"], "--main goes with --target c"),
    ):
        assert main(["emit", "rnn", "--target", "onnx", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.skipif(onnx is not None, reason="onnx is installed")
def test_where_onnx_is_missing_it_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emit", "rnn", "--target", "onnx", "-o", str(tmp_path / "w.onnx")]) == 2
    assert "pip install 'bptt-toolkit[onnx]'" in capsys.readouterr().err
