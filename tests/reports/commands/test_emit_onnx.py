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


@with_onnx
def test_a_runtime_that_is_far_off_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "shut.toml").write_text(
        'name = "shut"\nequations = "h = sigmoid(W @ h_prev + U @ x - 30)"\n'
    )
    cell, made = str(tmp_path / "shut.toml"), str(tmp_path / "m.onnx")
    words = ["emit", cell, "--target", "onnx", "-o", made]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "run by the reference evaluator of onnx" in said
    assert "; onnxruntime" in said
    assert said.rstrip().endswith(" off")
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["otherwise"]["difference"] > 1e-6
    assert found["difference"] < 1e-12


@with_onnx
def test_a_node_says_what_it_is_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "lstm.onnx"
    words = ["emit", "lstm", "--target", "onnx", "--node", "4", "-o", str(made)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "forward pass by one LSTM of 4 units; of c a node gives the last value alone" in said
    assert "R_f   = W_fh" in said
    assert "lstm and onnx_lstm: one function over the prime field" in said
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["node"]["outputs"] == ["h", "c_last"]
    assert found["node"]["map"]["W_o"] == "W_ox"
    assert found["node"]["proof"]["exact"]
    assert found["runs"][0]["numbers"] == "float64"


@with_onnx
def test_a_cell_that_is_no_node_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = str(tmp_path / "w.onnx")
    assert main(["emit", "ugrnn", "--target", "onnx", "--node", "4", "-o", made]) == 2
    assert "no RNN, GRU or LSTM node of ONNX is known to compute" in capsys.readouterr().err
    assert main(["emit", "rnn", "--node", "4"]) == 2
    assert "--node goes with --target onnx" in capsys.readouterr().err
    assert main(["emit", "rnn", "--target", "onnx", "--node", "0", "-o", made]) == 2
    assert "expected a whole number from 1 up, came '0'" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


@with_onnx
def test_converted_weights_are_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "w.onnx"
    files = Path(__file__).parents[2] / "numeric" / "weights" / "files"
    assert main(["convert", str(files / "rnn.onnx"), str(made)]) == 0
    held = made.read_bytes()
    assert main(["emit", "rnn", "--target", "onnx", "-o", str(made)]) == 2
    assert "there is a file; name another" in capsys.readouterr().err
    assert made.read_bytes() == held


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
